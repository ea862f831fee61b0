"""A small encoder-decoder from the command line: trained, fine-tuned on pairs, measured, asked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Lmcli
from tests.projects import command, lock, write_rows
from tests.test_distributed_cli import finished, start
from tests.texts import write_corpus

TINY = ("--set", "model.width=32", "--set", "model.depth=1", "--set", "model.context=32")
TRAIN = ("train", "--family", "t5", "--steps", 4, "--set", "train.batch_tokens=256", *TINY)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("seq2seq") / "project"
    write_corpus(root / "corpus", files=2, lines=40)
    write_rows(root / "pairs.jsonl")
    tokenize = ("tokenize", "corpus/", "--workers", 1, "--set", "tokenizer.sentinels=20")
    tune = ("finetune", "pairs.jsonl", "--steps", 4, "--validation", 0.2)
    for line in (("init",), tokenize, TRAIN, tune):
        assert command(root, *line) == 0, line
    return root


@pytest.fixture
def project(made: Path, folder: Path) -> Path:
    shutil.copytree(made, folder, dirs_exist_ok=True)
    return folder


def test_a_fine_tune_is_measured_on_rows(lmcli: Lmcli, project: Path) -> None:
    assert lock(project)["pairs"]["inputs"]["base"]["of"] == "model"
    more = ("--metric", "bleu", "--set", "eval.max_tokens=8")
    ran = lmcli("eval", "pairs.jsonl", "--model", "pairs", *more, "--json")
    assert ran.code == 0, ran.err
    report = ran.json["report"]
    assert {"loss", "perplexity", "bpb", "bleu"} <= set(report["figures"])
    assert report["counts"]["rows"] == report["counts"]["rows_generated"] < 60


def test_it_writes_for_a_prompt_and_not_after_it(lmcli: Lmcli, project: Path) -> None:
    ran = lmcli("generate", "The cat 3 is ", "--model", "pairs", "--max-tokens", 4, "--greedy", "--json")
    sample = ran.json["samples"][0]
    assert (sample["prompt"], sample["goes_on"]) == ("The cat 3 is ", False)
    plain = lmcli("generate", "The cat 3 is ", "--model", "pairs", "--max-tokens", 4, "--greedy")
    assert plain.out == f"{sample['text']}\n"


def test_running_text_is_refused_in_one_line(lmcli: Lmcli, project: Path) -> None:
    ran = lmcli("eval", "--model", "pairs")
    assert ran.code == 3
    assert "source" in ran.err and "lmcli eval FILE" in ran.err and "Traceback" not in ran.err


@pytest.mark.parametrize("family", ["marian", "lstm-seq2seq"])
def test_other_families_of_two_stacks_go_the_same_way(lmcli: Lmcli, project: Path, family: str) -> None:
    for line in (
        ("train", "--family", family, "--name", "base", "--steps", 4, "--set", "train.batch_tokens=256", *TINY),
        ("finetune", "pairs.jsonl", "--base", "base", "--name", "tuned", "--steps", 4),
    ):
        ran = lmcli(*line)
        assert ran.code == 0, ran.err
    report = lmcli("eval", "pairs.jsonl", "--model", "tuned", "--set", "eval.max_tokens=8", "--json").json["report"]
    assert report["figures"]["loss"] < 7
    written = lmcli("generate", "The cat 3 is ", "--model", "tuned", "--max-tokens", 4, "--greedy", "--json").json
    assert written["samples"][0]["goes_on"] is False


@pytest.mark.slow
def test_shards_of_two_stacks_make_the_same_model(project: Path) -> None:
    losses = []
    exact = ("--dtype", "float32", "--set", "train.optimizer=adamw", "--set", "train.micro_batch=4")
    for name, more in (("one", ()), ("two", ("--nproc", 2, "--strategy", "fsdp"))):
        code, _, err = finished(start(project, *TRAIN, *exact, "--name", name, *more))
        assert code == 0, err
        rows = (project / "runs" / name / "metrics.jsonl").read_text().splitlines()
        losses.append([json.loads(row)["loss"] for row in rows])
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
