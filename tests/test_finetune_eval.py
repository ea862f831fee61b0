"""Fine-tuning, measuring and writing from the command line, on one small project."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import Lmcli
from tests.projects import command, digests, lock, write_rows
from tests.texts import sentences


@pytest.fixture(scope="module")
def tuned_snapshot(snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained project with a fine-tune `pairs`, which is stale when its data or base change."""
    root = shutil.copytree(snapshot, tmp_path_factory.mktemp("tuned") / "project")
    assert command(root, "finetune", "pairs.jsonl", "--steps", 6, "--validation", 0.2) == 0
    return root


@pytest.fixture
def tuned(tuned_snapshot: Path, folder: Path) -> Path:
    shutil.copytree(tuned_snapshot, folder, dirs_exist_ok=True)
    return folder


def test_a_fine_tune_is_a_model_that_knows_its_base(lmcli: Lmcli, tuned: Path) -> None:
    entry = lock(tuned)["pairs"]
    assert entry["inputs"]["base"] == {"digest": digests(tuned)["model"], "of": "model"}
    card = Path(lmcli("path", "pairs").out.strip(), "README.md").read_text()
    assert f"Fine-tuned from model ({digests(tuned)['model'][:8]})." in card
    rows = [json.loads(row) for row in (tuned / "runs" / "pairs" / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 6
    assert rows[-1]["val_loss"] < 6.5
    written = lmcli("generate", "The cat 3 is ", "--model", "pairs", "--max-tokens", 2, "--json").json
    assert written["model"] == "pairs"
    assert written["samples"][0]["prompt"] == "The cat 3 is "


def test_a_time_is_repeated_step_for_step_where_the_run_is_gone(lmcli: Lmcli, trained: Path) -> None:
    write_rows(trained / "many.jsonl", 400)
    assert lmcli("finetune", "many.jsonl", "--budget", "3s").code == 0
    before, entry = digests(trained)["many"], lock(trained)["many"]
    shutil.rmtree(trained / "runs" / "many")
    shutil.rmtree(trained / "artifacts" / "many")
    ran = lmcli("run")
    assert ran.code == 0, ran.err
    assert f"{entry['report']['steps']} steps, as lmcli.lock has them" in ran.err
    assert digests(trained)["many"] == before


def test_text_rows_can_be_tuned_on_and_measured(lmcli: Lmcli, trained: Path) -> None:
    rows = [{"text": line} for line in sentences(60, seed=5).splitlines()]
    (trained / "lines.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = lmcli("finetune", "lines.jsonl", "--steps", 2, "--json")
    assert made.code == 0, made.err
    assert made.json["artifacts"][0]["name"] == "lines"
    measured = lmcli("eval", "lines.jsonl", "--model", "lines", "--json")
    assert measured.code == 0, measured.err
    assert {"bpb", "perplexity", "gzip_bpb", "xz_bpb"} <= set(measured.json["report"]["figures"])


def test_text_is_measured_beside_gzip_and_xz(lmcli: Lmcli, trained: Path) -> None:
    ran = lmcli("eval", "--json")
    assert ran.code == 0, ran.err
    figures, counts = ran.json["report"]["figures"], ran.json["report"]["counts"]
    assert {"loss", "perplexity", "bpb", "gzip_bpb", "xz_bpb"} <= set(figures)
    best = lock(trained)["model"]["report"]["best"]
    assert figures["bpb"] == pytest.approx(best["val_bpb"], rel=1e-4)
    assert figures["loss"] == pytest.approx(best["val_loss"], rel=1e-4)
    sides = lock(trained)["tokens"]["report"]["sides"]
    assert counts["text_bytes"] == sides["validation"]["text_bytes"]
    (trained / "unseen.txt").write_text(sentences(40, seed=77))
    other = lmcli("eval", "unseen.txt")
    assert other.code == 0
    assert other.out.startswith("eval-unseen -> artifacts/eval-unseen/")
    for name in ("bpb", "gzip_bpb", "xz_bpb"):
        assert f"\n  {name} " in other.out


def test_rows_are_generated_for_and_compared(lmcli: Lmcli, trained: Path) -> None:
    write_rows(trained / "few.jsonl", count=8)
    ran = lmcli("eval", "few.jsonl", "--limit", 3, "--max-tokens", 3, "--metric", "bleu", "--metric", "exact", "--json")
    assert ran.code == 0, ran.err
    counts = ran.json["report"]["counts"]
    assert (counts["rows"], counts["rows_generated"]) == (8, 3)
    assert {"loss", "bleu", "exact"} <= set(ran.json["report"]["figures"])
    assert "version:" in ran.json["report"]["signatures"]["bleu"]
    samples = Path(lmcli("path", "eval-few").out.strip(), "samples.jsonl").read_text().splitlines()
    assert [json.loads(row)["reference"] for row in samples].count("red") <= 3 == len(samples)


def test_data_of_a_fine_tune_are_scored_on_held_out_rows_only(lmcli: Lmcli, tuned: Path) -> None:
    line = ("eval", "pairs.jsonl", "--limit", 1, "--max-tokens", 1, "--metric", "exact")
    mine = lmcli(*line, "--model", "pairs", "--json")
    assert mine.code == 0, mine.err
    held = mine.json["report"]["counts"]["rows"]
    assert 0 < held < 30
    assert f"scoring the {held} rows held out" in mine.err
    theirs = lmcli(*line, "--model", "model", "--json")
    assert theirs.json["report"]["counts"]["rows"] == 60
    shutil.copy(tuned / "pairs.jsonl", tuned / "copy.jsonl")
    same = lmcli("eval", "copy.jsonl", *line[2:], "--model", "pairs", "--json")
    assert same.code == 0
    assert same.json["report"]["counts"]["rows"] == held, "a copy under another name"


def test_rows_that_were_all_trained_on_are_refused(lmcli: Lmcli, trained: Path) -> None:
    write_rows(trained / "few.jsonl", count=2)
    assert lmcli("finetune", "few.jsonl", "--steps", 1, "--validation", "1e-9").code == 0
    ran = lmcli("eval", "few.jsonl", "--model", "few")
    assert ran.code == 3
    assert "none of the 2 rows was held out when few was fine-tuned on them" in ran.err


def test_rows_that_are_left_out_are_said_and_counted(lmcli: Lmcli, trained: Path) -> None:
    path = write_rows(trained / "holes.jsonl", count=20)
    empty = [json.dumps({"prompt": f"The dog {n} is ", "completion": ""}) for n in range(3)]
    path.write_text(path.read_text() + "\n".join([*empty, '{"prompt": "no completion"}']) + "\n")
    bad, left = ("--max-bad-rows", 0.2), "rows left out: 3 with an empty completion\n"
    made = lmcli("finetune", "holes.jsonl", "--steps", 1, *bad)
    assert made.code == 0, made.err
    for line in (left, "rows left out: 1 without usable text\n"):
        assert made.err.count(line) == 1, made.err
    assert lock(trained)["holes"]["report"]["dropped"] == {"empty_completion": 3, "row": 1}
    both = "rows left out: 3 with an empty completion, 1 without usable text"
    assert both in lmcli("show", "holes").out
    measured = lmcli("eval", "holes.jsonl", "--model", "model", "--limit", 1, "--max-tokens", 1, *bad, "--json")
    assert measured.code == 0, measured.err
    counts = measured.json["report"]["counts"]
    assert (counts["rows"], counts["rows_without_completion"]) == (20, 3)
    for line in (left, "rows left out: 1 without usable text\n"):
        assert measured.err.count(line) == 1, measured.err


def test_rows_without_any_completion_are_told_apart_from_none(lmcli: Lmcli, trained: Path) -> None:
    rows = [{"prompt": f"The cat {n} is ", "completion": ""} for n in range(30)]
    (trained / "empty.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tuned = lmcli("finetune", "empty.jsonl", "--steps", 1)
    assert tuned.code == 3
    assert "nothing to train on: 30 rows, all with an empty completion" in tuned.err
    measured = lmcli("eval", "empty.jsonl", "--model", "model")
    assert measured.code == 3
    assert "nothing to measure: 30 rows, all with an empty completion" in measured.err


def test_documents_that_are_left_out_are_said(lmcli: Lmcli, trained: Path) -> None:
    rows = [json.dumps({"text": line}) for line in sentences(20, seed=5).splitlines()]
    (trained / "lines.jsonl").write_text("\n".join([*rows, '{"text": ""}', '{"other": 1}']) + "\n")
    measured = lmcli("eval", "lines.jsonl", "--max-bad-rows", 0.2)
    assert measured.code == 0, measured.err
    assert measured.err.count("documents left out: 1 without text, 1 without usable text\n") == 1


def test_two_files_are_compared_without_a_project(lmcli: Lmcli, folder: Path) -> None:
    (folder / "ref.txt").write_text("the cat sat on the mat\na dog ran far away\n")
    (folder / "pred.txt").write_text("the cat sat on the mat\na dog ran far away\n")
    line = ("eval", "--pred", "pred.txt", "--ref", "ref.txt")
    ran = lmcli(*line, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["figures"]["bleu"] == pytest.approx(100)
    assert any("version:" in score["signature"] for score in ran.json["scores"])
    assert lmcli(*line, "--assert", "bleu>99").code == 0
    (folder / "pred.txt").write_text("a cow sat on a log\na dog ran far away\n")
    failed = lmcli(*line, "--assert", "bleu>99")
    assert failed.code == 8
    assert "is not > 99" in failed.err
    (folder / "pred.txt").write_text("one line\n")
    assert lmcli(*line).code == 3
    assert list(folder.iterdir()) == [folder / "ref.txt", folder / "pred.txt"] or len(list(folder.iterdir())) == 2


def test_an_assertion_passes_or_exits_with_8(lmcli: Lmcli, trained: Path) -> None:
    passed = lmcli("eval", "--assert", "bpb<20", "--assert", "perplexity>1")
    assert passed.code == 0, passed.err
    assert "bpb<20 holds" in passed.out
    failed = lmcli("eval", "--assert", "bpb<0.01", "--json")
    assert failed.code == 8
    assert "bpb" in failed.json["error"]["message"]
    assert "is not < 0.01" in failed.json["error"]["message"]
    assert lmcli("path", "eval").code == 0, "the figures are kept although the gate failed"
    assert lmcli("eval", "--assert", "bbp<3").code == 3
    assert lmcli("eval", "--assert", "bpb?3").code == 3


def test_run_checks_gates_again(lmcli: Lmcli, trained: Path) -> None:
    config = trained / "lmcli.toml"
    config.write_text('[eval.quality]\ngates = ["bpb<20"]\n')
    assert lmcli("run").code == 0
    assert lmcli("run").code == 0
    config.write_text('[eval.quality]\ngates = ["bpb<0.01"]\n')
    before = digests(trained)
    failed = lmcli("run")
    assert failed.code == 8
    assert failed.err.startswith("error: quality: bpb ")
    assert digests(trained) == before, "a gate is no part of the key"
    assert lmcli("run", "model").code == 0, "only gates of what was asked for count"


def test_run_locked_fails_when_anything_would_be_made(lmcli: Lmcli, trained: Path) -> None:
    assert lmcli("run", "--locked").code == 0
    (trained / "corpus" / "0.txt").write_text("Other text.\n" * 50)
    ran = lmcli("run", "--locked")
    assert ran.code == 8
    assert "corpus/0.txt" in ran.err


def test_samples_are_kept_with_their_prompt_settings_and_model(lmcli: Lmcli, trained: Path) -> None:
    made = lmcli("generate", "The king", "--save", "kings", "-n", 2, "--seed", 7, "--max-tokens", 5)
    assert made.code == 0, made.err
    samples = Path(lmcli("path", "kings").out.strip(), "samples.jsonl").read_text().splitlines()
    assert [json.loads(row)["prompt"] for row in samples] == ["The king", "The king"]
    entry = lock(trained)["kings"]
    assert entry["plan"] == {"seed": 7}
    assert entry["inputs"]["model"]["digest"] == digests(trained)["model"]
    direct = lmcli("generate", "The king", "-n", 2, "--seed", 7, "--max-tokens", 5, "--json").json["samples"]
    assert [row["text"] for row in direct] == [json.loads(row)["text"] for row in samples]
    assert "| The king" in lmcli("show", "kings").out


def test_a_table_of_lmcli_toml_asks_for_samples(lmcli: Lmcli, trained: Path) -> None:
    (trained / "lmcli.toml").write_text('[generate.page]\nprompts = ["A", "The"]\nmax_tokens = 3\nseed = 1\n')
    assert "would make page: never made" in lmcli("run", "--dry-run").out
    assert lmcli("run").code == 0
    assert lock(trained)["page"]["report"]["samples"] == 2
    assert lmcli("run").out == "nothing to do: everything is up to date\n"


def test_prompts_come_from_a_file_or_from_stdin(lmcli: Lmcli, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (trained / "prompts.txt").write_text("The cat\n\nA dog\n")
    line = ("--max-tokens", 3, "--seed", 1)
    ran = lmcli("generate", "--prompts", "prompts.txt", *line)
    assert ran.code == 0, ran.err
    first, second = ran.out.removesuffix("\n").split("\n----\n")
    assert first.startswith("The cat")
    assert second.startswith("A dog")
    for text, arguments in ((b"The cat\nA dog\n", ("--prompts", "-")), (b"The sea", ("-",))):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text), encoding="utf-8"))
        ran = lmcli("generate", *arguments, *line, "--json")
        assert ran.code == 0, ran.err
        assert [sample["prompt"] for sample in ran.json["samples"]] == text.decode().split("\n")[: 1 + text.count(b"A")]
    assert lmcli("generate", "--prompts", "nowhere.txt").code == 3


def test_prompts_from_stdin_can_be_kept(lmcli: Lmcli, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"The cat\nA dog\n"), encoding="utf-8"))
    ran = lmcli("generate", "--prompts", "-", "--save", "said", "--max-tokens", 3, "--seed", 1)
    assert ran.code == 0, ran.err
    assert lock(trained)["said"]["report"]["samples"] == 2
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(read=None))  # not asked for a second time
    assert lmcli("run").out == "nothing to do: everything is up to date\n"


def test_only_the_continuation_is_printed_with_no_echo(lmcli: Lmcli, trained: Path) -> None:
    line = ("generate", "The cat", "--seed", 3, "--max-tokens", 6)
    with_prompt, without = lmcli(*line).out, lmcli(*line, "--no-echo").out
    assert with_prompt == "The cat" + without
    assert len(without.strip()) > 0
    many = lmcli(*line, "-n", 3, "--no-echo").out
    assert many.count("\n----\n") == 2
    assert lmcli(*line, "--seed", 3).out == with_prompt
    assert lmcli("generate", "The cat", "--max-tokens", 6, "--greedy").out == lmcli(*line, "--greedy").out


def test_a_model_directory_is_used_by_path(
    lmcli: Lmcli, trained: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path_factory.mktemp("elsewhere")
    place = Path(lmcli("path", "model").out.strip())
    shutil.copytree(place, outside / "given")
    line = ("--seed", 2, "--max-tokens", 4, "--json")
    mine = lmcli("generate", "The", *line).json["samples"]
    assert lmcli("generate", "The", "--model", outside / "given", *line).json["samples"] == mine
    measured = lmcli("eval", "--model", outside / "given", "--json")
    assert measured.code == 0, measured.err
    ours = lmcli("eval", "--json").json["report"]["figures"]
    assert measured.json["report"]["figures"] == ours
    tuned = lmcli("finetune", "pairs.jsonl", "--base", outside / "given", "--steps", 1, "--name", "foreign")
    assert tuned.code == 0, tuned.err
    monkeypatch.chdir(outside)  # no project here or above
    assert lmcli("generate", "The", "--model", "given", *line).json["samples"] == mine
    assert lmcli("generate", "The").code == 3
    assert lmcli("generate", "The", "--model", "nothing").code == 3
