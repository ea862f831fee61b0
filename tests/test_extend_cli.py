"""`lmcli train --extend` and `--continue-from`, as a person calls them in a project."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lmcli.errors import MachineError
from lmcli.project import maintenance
from lmcli.project.editing import set_values
from lmcli.project.project import Project
from lmcli.training.metrics import MetricsLog
from tests.conftest import Lmcli
from tests.faults import FULL_DISK, KILL, Trial, for_each_fault, operations
from tests.projects import STEPS, TINY, command, digests, lock, write_rows
from tests.test_faults import spread
from tests.texts import sentences

STABLE = 5
"""The last of 12 steps before the cooldown: (5 - 0.5) / 12 < 0.4 < (6 - 0.5) / 12."""
SMALL = ("--set", "train.batch_tokens=256")


IN_OTHER_FORMS = pytest.mark.parametrize("form", ["set", "environment"])


def other_form(form: str, key: str, value: str, patch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """The arguments that give a setting of [train] by --set; or none, and it is in the environment."""
    if form == "set":
        return ("--set", f"train.{key}={value}")
    patch.setenv(f"LMCLI_TRAIN_{key.upper()}", value)
    return ()


def states(lmcli: Lmcli) -> set[str]:
    return {row["state"] for row in lmcli("status", "--json").json["artifacts"]}


def test_an_extension_is_a_new_generation_that_knows_what_it_extended(lmcli: Lmcli, trained: Path) -> None:
    before = lock(trained)["model"]
    ran = lmcli("train", "--extend", "2x")
    assert ran.code == 0, ran.err
    assert f"going on after step {STABLE} of {2 * STEPS}" in ran.err
    after = lock(trained)["model"]
    assert after["report"]["extended"] == {"asked": "2x", "step": STABLE, "steps": 24, "of": before["digest"]}
    assert after["report"]["steps"] == 2 * STEPS
    assert after["overrides"] == {**before["overrides"], "train.extend": {"value": "2x", "masked": None}}
    assert after["history"] == [{"path": before["path"], "digest": before["digest"]}]
    assert f"extended (2x) from step {STABLE} of {before['digest'][:8]}" in lmcli("show", "model").out
    assert states(lmcli) == {"fresh"}
    assert "nothing to do" in lmcli("run").out
    assert "up to date" in lmcli("train", "--extend", "2x").out
    rows = [json.loads(row) for row in (trained / "runs" / "model" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 2 * STEPS + 1))


@IN_OTHER_FORMS
def test_an_extension_is_the_same_in_other_forms_than_the_flag(
    lmcli: Lmcli, trained: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    before = lock(trained)["model"]
    line = ("train", *other_form(form, "extend", "2x", monkeypatch))
    assert "there is no other that could be extended" in lmcli(*line, "--name", "other").err
    ran = lmcli(*line)
    assert ran.code == 0, ran.err
    assert f"going on after step {STABLE} of {2 * STEPS}" in ran.err
    after = lock(trained)["model"]
    assert after["overrides"] == {**before["overrides"], "train.extend": {"value": "2x", "masked": None}}
    assert after["report"]["extended"]["of"] == before["digest"]
    assert not (trained / "runs" / "model.1").exists()


def test_run_repeats_an_extension_without_the_run_that_was_extended(lmcli: Lmcli, trained: Path) -> None:
    assert lmcli("train", "--extend", f"+{STEPS} steps").code == 0
    before = digests(trained)
    shutil.rmtree(trained / "runs")
    shutil.rmtree(trained / "artifacts" / "model")
    ran = lmcli("run")
    assert ran.code == 0, ran.err
    assert digests(trained) == before


def test_what_can_not_be_extended_is_refused_with_a_hint(lmcli: Lmcli, trained: Path) -> None:
    def refused(*line: object) -> str:
        before = digests(trained)
        ran = lmcli("train", *line)
        assert ran.code == 4, ran.err
        assert digests(trained) == before
        return ran.err

    assert "there is no other that could be extended" in refused("--extend", "2x", "--name", "other")
    assert "train.seed changed (0 -> 1)" in refused("--extend", "2x", "--seed", 1)
    run = trained / "runs" / "model"
    pointer = json.loads((run / "checkpoints.json").read_text())
    (run / "checkpoints.json").write_text(json.dumps({**pointer, "stable": None}))
    assert "only the schedule wsd has one" in refused("--extend", "2x")
    shutil.rmtree(run)
    gone = refused("--extend", "2x")
    assert "its run in runs/model is gone" in gone
    assert "--continue-from model --name NEW" in gone
    (trained / "corpus" / "0.txt").write_text(sentences(60, seed=8))
    assert "input tokens is stale" in refused("--extend", "2x")
    assert lmcli("train", "--extend", "two").code == 2


def test_a_schedule_without_a_cooldown_is_not_extended(lmcli: Lmcli, trained: Path) -> None:
    assert lmcli("train", "--steps", 4, *TINY, "--set", "train.schedule=cosine").code == 0
    ran = lmcli("train", "--extend", "2x")
    assert ran.code == 4
    assert "kept no checkpoint from before a cooldown" in ran.err


def extend(root: Path) -> None:
    """As an action for the fault loop: a failure of the machine is exit code 5, and no other one is allowed."""
    code = command(root, "train", "--extend", "2x", "--threads", 1)
    if code == MachineError.exit_code:
        raise MachineError("the extension met the fault")
    assert code == 0


def test_an_extension_that_met_a_fault_goes_on(snapshot: Path, tmp_path: Path) -> None:
    whole = shutil.copytree(snapshot, tmp_path / "whole")
    extend(whole)

    def check(root: Path, trial: Trial) -> None:
        assert maintenance.verify(Project(root)).damaged == ()
        extend(root)
        assert digests(root) == digests(whole), trial

    points = spread(operations(snapshot, extend))
    assert for_each_fault(snapshot, extend, check, (KILL, FULL_DISK), points) >= 8


def test_a_run_with_other_settings_is_kept_and_the_difference_named(lmcli: Lmcli, trained: Path) -> None:
    ran = lmcli("train", "--steps", 4, *TINY, "--seed", 1, "--set", "train.batch_tokens=128")
    assert ran.code == 0, ran.err
    for text in ("train.seed changed (0 -> 1)", "train.batch_tokens changed (256 -> 128)", "kept as model.1"):
        assert text in ran.err
    shutil.rmtree(trained / "artifacts" / "tokens")
    (trained / "corpus" / "0.txt").write_text(sentences(60, seed=8))
    ran = lmcli("run", "model")
    assert "a new run begins: input tokens changed" in ran.err


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("--set", "train.batch_tokens=128"), "train.batch_tokens changed (256 -> 128)"),
        (("--set", "train.optimizer.lr=0.5"), "train.optimizer.lr changed (0.015 -> 0.5)"),
        (("--seed", 1), "train.seed changed (0 -> 1)"),
        (("--device", "cpu"), 'train.device changed ("auto" -> "cpu")'),
        (("--steps", 3), 'train.length changed ("12 steps" -> "3 steps")'),
    ],
)
def test_a_run_that_stopped_is_not_resumed_with_other_settings(
    lmcli: Lmcli, trained: Path, changed: tuple[object, ...], said: str
) -> None:
    line = ("train", "--steps", STEPS, *TINY, "--name", "other")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MetricsLog, "append", stopping_at(6))
        assert lmcli(*line).code == 143
    ran = lmcli(*line, *changed)
    assert ran.code == 0, ran.err
    assert f"a new run begins: {said}; the run before is kept as other.1" in ran.err
    assert (trained / "runs" / "other.1" / "checkpoints.json").exists()


def test_metrics_are_whole_and_without_gaps_after_a_kill(lmcli: Lmcli, trained: Path) -> None:
    """Rows after the checkpoint, and a line that was cut off, are dropped; the same steps come again."""
    line = ("train", "--steps", STEPS, *TINY, "--name", "other")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MetricsLog, "append", stopping_at(6))
        assert lmcli(*line).code == 143
    log = trained / "runs" / "other" / "metrics.jsonl"
    with log.open("a") as file:
        file.write('{"step": 7, "loss": 1.0}\n{"step": 8, "lo')
    assert lmcli(*line).code == 0
    assert [json.loads(row)["step"] for row in log.read_text().splitlines()] == list(range(1, STEPS + 1))


def stopping_at(step: int) -> Callable[[MetricsLog, Mapping[str, Any]], None]:
    """MetricsLog.append that sends SIGTERM to this process when the row of `step` comes."""
    append = MetricsLog.append

    def stop(log: MetricsLog, row: Mapping[str, Any]) -> None:
        append(log, row)
        if row["step"] == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return stop


@pytest.mark.parametrize("changed", [("--threads", "1"), ("--set", "train.save_every=2")])
def test_settings_that_change_no_result_leave_the_run(lmcli: Lmcli, trained: Path, changed: tuple[str, str]) -> None:
    ran = lmcli("train", "--steps", STEPS, *TINY, *changed)
    assert "up to date" in ran.out
    assert not (trained / "runs" / "model.1").exists()


@pytest.mark.parametrize("steps", [0, 1])
def test_runs_of_no_step_and_of_one_are_models(lmcli: Lmcli, trained: Path, steps: int) -> None:
    line = ("train", "--steps", steps, *TINY, "--name", "short")
    assert lmcli(*line).code == 0
    assert lock(trained)["short"]["report"]["steps"] == steps
    assert lmcli("generate", "The", "--model", "short", "--max-tokens", 2).code == 0
    again = lmcli(*line)
    assert again.code == 0
    assert "up to date" in again.out


def test_a_model_is_trained_further_on_new_text(lmcli: Lmcli, trained: Path) -> None:
    base = lock(trained)["model"]
    (trained / "corpus" / "new.txt").write_text(sentences(80, seed=5), encoding="utf-8")
    assert lmcli("tokenize", "corpus/").code == 0
    ran = lmcli("train", "--continue-from", "model", "--name", "more", "--steps", 6, *SMALL)
    assert ran.code == 0, ran.err
    assert f"from model as it is now: {base['path']}" in ran.err
    entry = lock(trained)["more"]
    assert entry["overrides"]["train.continue_from"]["value"] == base["path"]
    assert entry["plan"]["model"]["width"] == 32
    assert f"Trained further from {base['path']}" in (trained / entry["path"] / "README.md").read_text()
    first = json.loads((trained / "runs" / "more" / "metrics.jsonl").read_text().splitlines()[0])
    assert first["loss"] < 5.0, "the weights are those of the base, not drawn anew"
    states = {row["name"]: row["state"] for row in lmcli("status", "--json").json["artifacts"]}
    assert states == {"tokenizer": "fresh", "tokens": "fresh", "model": "stale", "more": "fresh"}
    for seed in range(1, 4):  # more generations of the base than are kept by themselves
        assert lmcli("train", "--steps", 2, *TINY, "--seed", seed).code == 0
    assert (trained / base["path"]).is_dir()
    assert lmcli("run", "more").code == 0
    assert digests(trained)["more"] == entry["digest"]
    assert "nothing to do" in lmcli("run").out


@IN_OTHER_FORMS
def test_a_base_is_the_same_in_other_forms_than_the_flag(
    lmcli: Lmcli, trained: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    base = lock(trained)["model"]
    line = ("train", *other_form(form, "continue_from", "model", monkeypatch), "--steps", 2, *SMALL)
    own = lmcli(*line)
    assert own.code == 2
    assert "--continue-from model --name NEW" in own.err
    ran = lmcli(*line, "--name", "more")
    assert ran.code == 0, ran.err
    assert f"from model as it is now: {base['path']}" in ran.err
    assert lock(trained)["more"]["overrides"]["train.continue_from"] == {"value": base["path"], "masked": None}
    assert lock(trained)["model"] == base


def test_a_base_in_lmcli_toml_is_for_all_models_but_itself(lmcli: Lmcli, trained: Path) -> None:
    before = lock(trained)["model"]
    set_values(trained / "lmcli.toml", {"train.continue_from": "model"})
    assert states(lmcli) == {"fresh"}
    ran = lmcli("train", "--name", "more", "--steps", 2, *SMALL)
    assert ran.code == 0, ran.err
    made = lock(trained)
    assert made["model"] == before
    assert made["more"]["inputs"]["base"] == {"digest": before["digest"], "of": "model"}
    assert "train.continue_from" not in made["more"]["overrides"]
    assert "nothing to do" in lmcli("run").out
    assert lmcli("train", "--steps", 2, *TINY).code == 0
    assert "base" not in lock(trained)["model"]["inputs"]


def test_a_base_in_the_environment_is_not_recorded_for_itself(
    lmcli: Lmcli, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = lock(trained)["model"]
    shutil.rmtree(trained / "artifacts" / "model")
    monkeypatch.setenv("LMCLI_TRAIN_CONTINUE_FROM", "model")
    ran = lmcli("run")
    assert ran.code == 0, ran.err
    monkeypatch.delenv("LMCLI_TRAIN_CONTINUE_FROM")
    after = lock(trained)["model"]
    assert (after["digest"], after["overrides"]) == (before["digest"], before["overrides"])
    assert states(lmcli) == {"fresh"}


def test_a_base_in_lmcli_toml_is_not_for_what_it_is_made_from(lmcli: Lmcli, trained: Path) -> None:
    settings = trained / "lmcli.toml"
    set_values(settings, {"train.continue_from": "tuned"})
    settings.write_text(settings.read_text() + '\n[finetune.tuned]\ndata = ["pairs.jsonl"]\n')
    found = {row["name"]: row["state"] for row in lmcli("status", "--json").json["artifacts"]}
    assert found == {"tokenizer": "fresh", "tokens": "fresh", "model": "fresh", "tuned": "missing"}
    ran = lmcli("train", "--name", "more", "--steps", 2, *SMALL)
    assert ran.code == 4
    assert "more needs tuned" in ran.err
    asked = lmcli("train", "--continue-from", "tuned", "--steps", 2)
    assert asked.code == 4, "a flag is for this model, and not left out in silence"
    assert "is made from itself" in asked.err


def test_a_model_made_from_its_own_earlier_generation_keeps_it(lmcli: Lmcli, trained: Path) -> None:
    base = lock(trained)["model"]["path"]
    for seed in range(1, 4):
        ran = lmcli("train", "--continue-from", f"{base}/", "--steps", 2, "--seed", seed, *SMALL)
        assert ran.code == 0, ran.err
    assert (trained / base).is_dir()
    assert base in [item["path"] for item in lock(trained)["model"]["history"]]
    assert states(lmcli) == {"fresh"}


def test_no_steps_leave_the_weights_of_the_base(lmcli: Lmcli, trained: Path, tmp_path: Path) -> None:
    outside = shutil.copytree(trained / lock(trained)["model"]["path"], tmp_path / "outside")
    assert lmcli("train", "--continue-from", outside, "--name", "same", "--steps", 0, *SMALL).code == 0
    made = trained / lock(trained)["same"]["path"]
    assert (made / "model.safetensors").read_bytes() == (outside / "model.safetensors").read_bytes()
    assert json.loads((made / "config.json").read_text()) == json.loads((outside / "config.json").read_text())


def test_what_does_not_fit_the_base_is_refused(lmcli: Lmcli, trained: Path) -> None:
    line = ("train", "--continue-from", "model", "--steps", 2)
    own = lmcli(*line)
    assert own.code == 2
    assert "--name NEW" in own.err
    shape = lmcli(*line, "--name", "more", "--width", 64, "--depth", 2)
    assert shape.code == 3
    assert "model.width = 64, where it has 32" in shape.err
    assert "depth" not in shape.err
    missing = lmcli("train", "--continue-from", "modle", "--name", "more", "--steps", 2)
    assert missing.code == 3
    assert "did you mean model?" in missing.err
    assert lmcli("tokenize", "corpus/", "--vocab-size", 300, "--retrain").code == 0
    other = lmcli(*line, "--name", "more")
    assert other.code == 4
    assert "tokens where the project's has 300" in other.err
    assert "lmcli tokenize --from" in other.err


def test_a_changed_base_makes_what_came_from_it_stale(lmcli: Lmcli, trained: Path, tmp_path: Path) -> None:
    outside = shutil.copytree(trained / lock(trained)["model"]["path"], tmp_path / "outside")
    assert lmcli("train", "--continue-from", outside, "--name", "more", "--steps", 2, *SMALL).code == 0
    write_rows(outside / "notes.jsonl", 1)
    found = next(row for row in lmcli("status", "--json").json["artifacts"] if row["name"] == "more")
    assert found["state"] == "stale"
    assert "input base changed" in found["reasons"][0]
