"""Objectives by command: several on one model, from flags or from tables, in one process or two."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lmcli.config import decode, parse
from lmcli.errors import ConfigError
from lmcli.training.config import PretrainConfig
from lmcli.training.metrics import read_metrics
from tests.conftest import Lmcli
from tests.projects import lock
from tests.test_distributed_cli import finished, start

SIZES = (
    *("--set", "model.width=32", "--set", "model.depth=1", "--set", "model.heads=2", "--set", "model.context=32"),
    *("--set", "train.batch_tokens=256", "--set", "train.micro_batch=3", "--set", "train.eval_every=4"),
    *("--steps", "8", "--dtype", "float32"),
)
TABLES = """
[[train.objective]]
name = "causal"
weight = 3.0

[[train.objective]]
name = "prefix"
"""


def course(root: Path) -> list[dict[str, float]]:
    rows = read_metrics(root / "runs" / "model" / "metrics.jsonl")
    return [{name: mean for name, mean in row.items() if "loss" in name} for row in rows]


def test_a_mixture_in_two_processes_is_that_of_one(lmcli: Lmcli, trained: Path) -> None:
    """Each objective has its loss in metrics.jsonl, in what is said, and in the lock."""
    toml = trained / "lmcli.toml"
    toml.write_text(toml.read_text() + TABLES)
    alone = lmcli("train", *SIZES)
    assert alone.code == 0, alone.err
    one = course(trained)
    assert one[-1].keys() >= {"loss_causal", "loss_prefix", "val_loss_causal", "val_loss_prefix"}
    assert one[-1]["loss"] == pytest.approx(0.75 * one[-1]["loss_causal"] + 0.25 * one[-1]["loss_prefix"])
    assert f"(causal {one[-1]['val_loss_causal']:.3f}, prefix {one[-1]['val_loss_prefix']:.3f})" in alone.out
    assert "val_bpb" in lock(trained)["model"]["report"]["last"]
    code, _, err = finished(start(trained, "train", *SIZES, "--nproc", 2, "--force"))
    assert code == 0, err
    for ours, theirs in zip(one, course(trained), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-4)


ENCODED = (
    *("--set", "tokenizer.kind=wordpiece", "--set", "tokenizer.special_tokens=[CLS],[SEP],[MASK]"),
    *("--set", "tokenizer.sentinels=20", "--set", "tokens.sentences=true", "--workers", "1"),
)
WAYS = {
    "bert": {"name": "masked", "pairs": "nsp"},
    "electra": {"name": "replaced"},
    "t5": {"name": "denoise"},
    "marian": {"name": "denoise", "noise": "gap"},
}


@pytest.mark.slow
@pytest.mark.parametrize("family", WAYS)
def test_every_way_of_learning_in_two_processes_is_that_in_one(lmcli: Lmcli, trained: Path, family: str) -> None:
    """The same windows are corrupted in the same way, whichever process has them."""
    assert lmcli("tokenize", "corpus/", *ENCODED).code == 0
    toml = trained / "lmcli.toml"
    keys = "".join(f"{key} = {json.dumps(value)}\n" for key, value in WAYS[family].items())
    toml.write_text(f"{toml.read_text()}\n[[train.objective]]\n{keys}")
    line = ("train", "--family", family, *SIZES, "--set", "train.optimizer=adamw", "--force")
    alone = lmcli(*line)
    assert alone.code == 0, alone.err
    one = course(trained)
    code, _, err = finished(start(trained, *line, "--nproc", 2))
    assert code == 0, err
    for ours, theirs in zip(one, course(trained), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-4)


@pytest.mark.slow
def test_shards_train_a_mixture_whose_parts_have_heads_of_their_own(lmcli: Lmcli, trained: Path) -> None:
    """The two processes may be at different parts of it, and steps may have no window for the rarer one."""
    assert lmcli("tokenize", "corpus/", *ENCODED).code == 0
    toml = trained / "lmcli.toml"
    parts = (
        '[[train.objective]]\nname = "masked"\npairs = "nsp"\nweight = 0.1\n\n[[train.objective]]\nname = "causal"\n'
    )
    toml.write_text(f"{toml.read_text()}\n{parts}")
    line = ("train", "--family", "bert", *SIZES, "--set", "train.optimizer=adamw", "--force")
    alone = lmcli(*line)
    assert alone.code == 0, alone.err
    one = course(trained)
    code, _, err = finished(start(trained, *line, "--nproc", 2, "--strategy", "fsdp"))
    assert code == 0, err
    for ours, theirs in zip(one, course(trained), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-4)


def test_names_on_the_command_line_are_what_tables_say(lmcli: Lmcli, trained: Path) -> None:
    named, tables = parse(tuple[str, ...], "causal,prefix", "objective"), [{"name": "causal"}, {"name": "prefix"}]
    assert decode(PretrainConfig, {"objective": named}) == decode(PretrainConfig, {"objective": tables})
    given = lmcli("train", "--set", "train.objective=causal,prefix", *SIZES, "--dry-run")
    assert given.code == 0, given.err


def test_what_an_objective_lacks_is_one_line(lmcli: Lmcli, trained: Path) -> None:
    found = lmcli("train", "--set", "train.objective=denoise", *SIZES)
    assert found.code == ConfigError.exit_code
    assert found.err.splitlines()[-1].startswith("error: denoise with noise = spans needs sentinels")
    assert "write `sentinels = 100` under [tokenizer] in lmcli.toml" in found.err
