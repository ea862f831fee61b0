"""`lmcli sweep`, as a person calls it in a project."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lmcli.errors import DivergedError, Stopped
from lmcli.stages.trials import Result, together
from lmcli.tokens.shards import TokenStream
from lmcli.training import pretrain as pretraining
from lmcli.training import shortage
from lmcli.training.shortage import Demand, ShortageError
from tests.conftest import Lmcli
from tests.projects import command, digests, lock, tree

LINE = (
    *("sweep", "--steps", 48, "--set", "train.optimizer.lr=1e-5,0.01", "--set", "model.depth=1,2"),
    *("--set", "model.width=32", "--set", "model.context=32", "--set", "train.batch_tokens=256"),
    *("--set", "train.eval_every=3"),
)


def test_values_may_be_lists_and_the_rate_has_a_short_key(lmcli: Lmcli, trained: Path) -> None:
    points = "[[0, 1], [1, 0]],[[0, 1], [0.5, 1], [1, 0]]"
    line = (*LINE[:3], "--set", "train.schedule=piecewise", "--set", f"train.schedule.points={points}")
    ran = lmcli(*line, "--set", "train.lr=0.01,0.02", *LINE[7:], "--dry-run", "--json")
    assert ran.code == 0, ran.err
    assert len(ran.json["trials"]) == 4
    assert {trial["settings"]["train.optimizer.lr"] for trial in ran.json["trials"]} == {"0.01", "0.02"}


def figures(document: Any) -> list[Any]:
    """What a sweep came to, without the time that it took."""
    found = []
    for trial in document["trials"]:
        results = [{key: value for key, value in result.items() if key != "seconds"} for result in trial["results"]]
        found.append((trial["settings"], results))
    return found


def calls_of_pretrain(monkeypatch: pytest.MonkeyPatch, stop_at: int = 0) -> list[Path]:
    """The run directories that are trained in; the call with this number is stopped by a signal."""
    called: list[Path] = []
    real = pretraining.pretrain

    def pretrain(tokens: Path, model: Any, config: Any, directory: Path, *rest: Any, **more: Any) -> Any:
        called.append(directory)
        if len(called) == stop_at:
            raise Stopped(signal.SIGTERM)
        return real(tokens, model, config, directory, *rest, **more)

    monkeypatch.setattr(pretraining, "pretrain", pretrain)
    return called


def test_the_better_half_goes_on_and_artifacts_stay(lmcli: Lmcli, trained: Path) -> None:
    before = lock(trained)
    ran = lmcli(*LINE, "--json")
    assert ran.code == 0, ran.err
    found = ran.json
    assert [round_["trials"] for round_ in found["rounds"]] == [4, 2]
    assert [len(trial["results"]) for trial in found["trials"]] == [1, 1, 2, 2]
    first, second = found["trials"][2]["results"]
    assert (first["steps"], second["steps"]) == (6, 14)
    assert second["bits_per_byte"] < first["bits_per_byte"]
    best = min(found["trials"][2:], key=lambda trial: trial["results"][-1]["bits_per_byte"])
    assert found["winner"]["number"] == best["number"]
    assert found["winner"]["settings"]["train.optimizer.lr"] == 0.01
    assert (trained / found["directory"] / "trial-03" / "metrics.jsonl").exists()
    assert lock(trained) == before
    assert "nothing to do" in lmcli("run").out


def test_the_table_shows_what_differs_best_first(lmcli: Lmcli, trained: Path) -> None:
    out = lmcli(*LINE).out.splitlines()
    assert out[0].split()[:6] == ["trial", "train.optimizer.lr", "model.depth", "rounds", "steps", "seconds"]
    assert [line.split()[1] for line in out[1:5]] == ["0.01", "0.01", "1e-5", "1e-5"]
    assert out[-1].startswith("train with it: lmcli train --set model.depth=")
    assert out[-1].endswith(" --set train.optimizer.lr=0.01")


def test_the_last_line_trains_with_the_winner(lmcli: Lmcli, trained: Path) -> None:
    points = "train.schedule.points=[[0, 1], [1, 0]]"
    keys_first = ("--set", "train.lr=1e-3,2e-3", "--set", points, "--set", "train.optimizer=adamw")
    ran = lmcli("sweep", "--steps", 12, *keys_first, "--set", "train.schedule=piecewise", *LINE[7:])
    assert ran.code == 0, ran.err
    last = ran.out.splitlines()[-1]
    assert f"--set '{points}'" in last
    program, *line = shlex.split(last.removeprefix("train with it: "))
    assert program == "lmcli"
    assert line.index("train.optimizer=adamw") < line.index("train.schedule.points=[[0, 1], [1, 0]]")
    assert lmcli(*line, "--steps", 12).code == 0
    made = lock(trained)["model"]["requested"]["train"]
    assert made["optimizer"]["name"] == "adamw"
    rate = {0.001: "1e-3", 0.002: "2e-3"}[made["optimizer"]["lr"]]
    assert f"--set train.optimizer.lr={rate} " in last
    assert made["schedule"] == {"name": "piecewise", "points": [[0, 1], [1, 0]]}
    states = {row["name"]: row["state"] for row in lmcli("status", "--json").json["artifacts"]}
    assert states["model"] == "fresh"


def test_a_sweep_that_was_stopped_goes_on_and_repeats_nothing(
    lmcli: Lmcli, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = shutil.copytree(trained, tmp_path / "other")
    assert command(other, *LINE) == 0
    with monkeypatch.context() as patch:
        calls_of_pretrain(patch, stop_at=6)
        assert lmcli(*LINE).code == 143
    with monkeypatch.context() as patch:
        called = calls_of_pretrain(patch)
        ran = lmcli(*LINE, "--json")
        assert ran.code == 0, ran.err
        assert [path.name for path in called] == ["trial-04"]
        assert lmcli(*LINE, "--json").json == ran.json
        assert len(called) == 1, "a finished sweep is only shown"
    (whole,) = (json.loads(path.read_text()) for path in other.glob("runs/sweep-*/sweep.json"))
    assert figures(ran.json) == figures(whole)
    (directory,) = trained.glob("runs/sweep-*")
    assert lmcli(*LINE, "--force").code == 0
    assert {path.name for path in trained.glob("runs/sweep-*")} == {directory.name, f"{directory.name}.1"}


def test_the_winner_is_written_into_lmcli_toml(lmcli: Lmcli, trained: Path) -> None:
    ran = lmcli(*LINE, "--json", "--write")
    assert ran.code == 0, ran.err
    text = (trained / "lmcli.toml").read_text()
    assert "# An empty project for your own text." in text
    assert lmcli("train", "--dry-run").code == 0
    shown = {row["table"] + "." + row["key"]: row for row in lmcli("config", "show", "--json").json["settings"]}
    assert shown["model.depth"]["value"] == ran.json["winner"]["settings"]["model.depth"]
    assert shown["train.optimizer"]["value"]["lr"] == 0.01
    assert shown["model.width"]["origin"].startswith("lmcli.toml:")


def test_settings_of_any_form_can_win_and_be_written(lmcli: Lmcli, trained: Path) -> None:
    line = ("sweep", "--steps", 12, "--set", "train.optimizer.options.lr=1e-3,2e-3", *LINE[7:])
    ran = lmcli(
        *line,
        *("--set", "train.optimizer=torch.optim:RAdam", "--set", "train.objective=causal", "--json", "--write"),
    )
    assert ran.code == 0, ran.err
    won = ran.json["winner"]["settings"]
    assert (won["train.optimizer"], won["train.objective"]) == ("torch.optim:RAdam", ["causal"])
    assert won["train.optimizer.options.lr"] in (1e-3, 2e-3)
    assert lmcli("train", "--dry-run").code == 0
    shown = {
        row["table"] + "." + row["key"]: row["value"] for row in lmcli("config", "show", "--json").json["settings"]
    }
    assert shown["train.optimizer"]["options"] == {"lr": won["train.optimizer.options.lr"]}
    assert [item["name"] for item in shown["train.objective"]] == ["causal"]


def test_other_word_vectors_begin_another_sweep(lmcli: Lmcli, trained: Path) -> None:
    line = ("sweep", "--steps", 8, "--set", "model.vectors=words.txt", *LINE[7:])
    assert "no file words.txt" in lmcli(*line).err
    (trained / "words.txt").write_text("the " + "0.1 " * 32 + "\n")
    for number in (1, 2):
        assert lmcli(*line, "--json").code == 0
        assert len(list(trained.glob("runs/sweep-*"))) == number
        (trained / "words.txt").write_text("the " + "0.2 " * 32 + "\n")


def test_a_trial_that_diverges_is_the_last(lmcli: Lmcli, trained: Path) -> None:
    line = [str(item).replace("lr=1e-5,0.01", "lr=0.01,1e30") for item in LINE]
    ran = lmcli(*line, "--json", "--set", "train.optimizer=adamw")
    assert ran.code == 0, ran.err
    assert "diverged" in ran.err
    assert ran.json["winner"]["settings"]["train.optimizer.lr"] == 0.01
    assert [trial["results"][0]["bits_per_byte"] is None for trial in ran.json["trials"]] == [False, False, True, True]


def diverging(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Every run diverges once it has come through so many rounds."""
    called: list[str] = []
    real = pretraining.pretrain

    def pretrain(tokens: Path, model: Any, config: Any, directory: Path, *rest: Any, **more: Any) -> Any:
        called.append(directory.name)
        if called.count(directory.name) > after:
            raise DivergedError("the loss is not finite", "try a lower learning rate")
        return real(tokens, model, config, directory, *rest, **more)

    monkeypatch.setattr(pretraining, "pretrain", pretrain)


def test_where_all_that_went_further_diverge_the_best_of_the_others_wins(
    lmcli: Lmcli, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        diverging(patch, after=1)
        ran = lmcli(*LINE, "--json")
    assert ran.code == 0, ran.err
    best = min(ran.json["trials"][:2], key=lambda trial: trial["results"][0]["bits_per_byte"])
    assert ran.json["winner"]["number"] == best["number"]
    said = f"trial-03 diverged, trial-04 diverged in a later round: trial-0{best['number']} is the best of the others"
    assert f"{said}, after round 1 of 2" in ran.err
    shown = lmcli(*LINE)
    assert said in shown.err
    assert "trial-03: " not in shown.err, "a finished sweep is only shown"
    rows = [line.split() for line in shown.out.splitlines()[1:5]]
    assert rows[0][0] == f"trial-0{best['number']}"
    assert {row[0] for row in rows[:2]} == {"trial-01", "trial-02"}
    assert rows[2] == ["trial-03", "0.01", "1", "2", "-", "-", "diverged"]
    assert rows[3] == ["trial-04", "0.01", "2", "2", "-", "-", "diverged"]
    assert "--set train.optimizer.lr=1e-5" in shown.out.splitlines()[-1]


def test_where_every_trial_diverges_the_table_comes_before_the_error(
    lmcli: Lmcli, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    diverging(monkeypatch, after=0)
    ran = lmcli(*LINE)
    assert ran.code == 7
    assert "every trial diverged" in ran.err
    assert [line.split()[0] for line in ran.out.splitlines()[1:5]] == [f"trial-0{number}" for number in (1, 2, 3, 4)]
    assert "trial-04 diverged: the loss is not finite" in ran.out
    assert lmcli(*LINE, "--json").json["error"]["code"] == 7


def test_damaged_results_are_not_read_with_force(lmcli: Lmcli, trained: Path) -> None:
    line = ("sweep", "--steps", 12, "--set", "train.lr=1e-3,2e-3", "--set", "model.depth=1", *LINE[7:])
    first = lmcli(*line, "--json")
    assert first.code == 0, first.err
    (results,) = trained.glob("runs/sweep-*/sweep.json")
    results.write_text("{")
    ran = lmcli(*line)
    assert ran.code == 4
    assert "is damaged" in ran.err
    assert "--force" in ran.err
    assert lmcli(*line, "--force", "--dry-run").code == 0
    assert results.read_text() == "{"
    again = lmcli(*line, "--force", "--json")
    assert again.code == 0, again.err
    assert figures(again.json) == figures(first.json)
    assert (results.parent.parent / f"{results.parent.name}.1" / "sweep.json").read_text() == "{"


def test_a_trial_that_can_not_run_is_the_last_with_its_reason(
    lmcli: Lmcli, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shortage.Demand.check
    short = ShortageError("training needs about 99 GiB of memory", "take a smaller model")

    def check(demand: Demand, *given: Any) -> None:
        if demand.shape.depth == 2:
            raise short
        real(demand, *given)

    monkeypatch.setattr(Demand, "check", check)
    line = ("sweep", "--steps", 120, *LINE[3:], "--set", "model.heads=1,3")
    ran = lmcli(*line, "--json")
    assert ran.code == 0, ran.err
    assert "trial-03: training needs about 99 GiB of memory" in ran.err
    failed = {trial["number"]: trial["results"][0]["reason"] for trial in ran.json["trials"]}
    assert [number for number, reason in failed.items() if not reason] == [1, 5]
    assert "99 GiB" in failed[3]
    assert "heads" in failed[2]
    assert ran.json["winner"]["number"] == 5
    monkeypatch.setattr(Demand, "check", real)
    shown = lmcli(*line)
    assert "trial-03 failed: training needs about 99 GiB of memory" in shown.out
    assert "round" not in shown.err, "a finished sweep is only shown"


def test_without_any_trial_that_can_run_a_sweep_says_why(lmcli: Lmcli, trained: Path) -> None:
    ran = lmcli("sweep", "--steps", 10, "--set", "model.width=32", "--set", "model.heads=3,5")
    assert ran.code == 3
    assert "no trial came through; trial-01: " in ran.err


def test_tokens_without_validation_text_are_refused_before_training(
    lmcli: Lmcli, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TokenStream, "__len__", lambda stream: 0)
    called = calls_of_pretrain(monkeypatch)
    ran = lmcli(*LINE)
    assert ran.code == 3
    assert "compares by validation text" in ran.err
    assert not called


def test_a_run_that_can_not_be_made_longer_is_trained_anew(
    lmcli: Lmcli, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        calls_of_pretrain(patch, stop_at=5)
        assert lmcli(*LINE).code == 143
    (pointer,) = trained.glob("runs/sweep-*/trial-03/checkpoints.json")
    pointer.write_text(json.dumps({**json.loads(pointer.read_text()), "stable": None}))
    ran = lmcli(*LINE, "--json")
    assert ran.code == 0, ran.err
    assert [result["steps"] for result in ran.json["trials"][2]["results"]] == [6, 14]
    assert (trained / ran.json["directory"] / "trial-03.1").is_dir()
    assert not (trained / ran.json["directory"] / "trial-04.1").exists()


def test_a_schedule_without_a_cooldown_trains_anew_in_each_round(lmcli: Lmcli, trained: Path) -> None:
    ran = lmcli(*LINE, "--json", "--set", "train.schedule=cosine")
    assert ran.code == 0, ran.err
    assert [result["steps"] for result in ran.json["trials"][2]["results"]] == [6, 12]


@pytest.mark.slow
def test_with_several_seeds_the_mean_counts(
    lmcli: Lmcli, trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    line = [96 if item == 48 else item for item in LINE]
    other = shutil.copytree(trained, tmp_path / "other")
    with monkeypatch.context() as patch:
        called = calls_of_pretrain(patch, stop_at=4)
        assert lmcli(*line, "--seeds", "3,5", "--json").code == 143
    assert [path.name for path in called] == [f"trial-0{n}-seed-{seed}" for n in (1, 2) for seed in (3, 5)]
    with monkeypatch.context() as patch:
        called = calls_of_pretrain(patch)
        ran = lmcli(*line, "--seeds", "3,5", "--json")
        assert ran.code == 0, ran.err
        assert [path.name for path in called][:2] == ["trial-02-seed-5", "trial-03-seed-3"]
        assert len(called) == 12 - 3
    for trial in ran.json["trials"]:
        for place, result in enumerate(trial["results"]):
            own = [trial["seeds"][seed][place]["bits_per_byte"] for seed in ("3", "5")]
            assert own[0] != own[1]
            assert result["bits_per_byte"] == pytest.approx(sum(own) / 2)
            assert result["steps"] == (6, 14)[place]
    assert "the mean of 2 seeds" in ran.err
    best = min(ran.json["trials"][2:], key=lambda trial: trial["results"][-1]["bits_per_byte"])
    assert ran.json["winner"]["number"] == best["number"]
    assert "train.seed" not in ran.json["winner"]["settings"]
    assert command(other, *line, "--set", "train.seed=5") == 0
    (alone,) = (json.loads(path.read_text()) for path in other.glob("runs/sweep-*/sweep.json"))
    assert alone["trials"][2]["results"][0]["steps"] == 12
    table = lmcli(*line, "--seeds", "3,5").out.splitlines()
    assert table[0].split()[-4:] == ["bits", "per", "byte", "apart"]


def test_one_seed_of_several_that_diverges_is_enough() -> None:
    good = Result(steps=4, seconds=1.0, loss=2.0, bits_per_byte=1.0, ending="steps")
    bad = Result(steps=0, seconds=0.0, loss=None, bits_per_byte=None, ending="diverged")
    assert together([good, bad]).score == (float("inf"), float("inf"))
    assert (together([good, bad]).steps, together([bad, bad]).steps) == (4, 0), "a 0 is no figure"
    assert together([good, Result.without_figures("failed", "too large")]).ending == "failed"
    assert together([good, replace(good, loss=3.0, bits_per_byte=1.5)]).score == (1.25, 2.5)
    assert together([good]) == good


def test_dry_run_says_what_would_be_done(lmcli: Lmcli, trained: Path) -> None:
    before = tree(trained)
    ran = lmcli(*LINE, "--dry-run")
    assert ran.code == 0
    assert "round 1: 4 trials, 6 steps each" in ran.out
    assert "trial-03: train.optimizer.lr = 0.01, model.depth = 1" in ran.out
    assert tree(trained) == before


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (("sweep", "--steps", 10), 2, "needs settings and a budget"),
        (("sweep", "--set", "train.seed=1,2"), 2, "needs settings and a budget"),
        (("sweep", "--steps", 10, "--set", "train.sed=1,2"), 3, "did you mean seed?"),
        (("sweep", "--steps", 10, "--set", "train.seed=1,x"), 3, "train.seed"),
        (("sweep", "--steps", 10, "--set", "train.seed="), 3, "no value"),
        (("sweep", "--steps", 10, "--set", "train.seed=1", "--set", "train.seed=2"), 3, "given twice"),
        (("sweep", "--steps", 10, "--set", "model.depth=1,2", "--seeds", "1,1"), 2, "no list of different numbers"),
        (("sweep", "--steps", 10, "--set", "model.depth=1,2", "--seeds", "a"), 2, "no list of different numbers"),
        (("sweep", "--steps", 10, "--set", "train.seed=1,2", "--seeds", "1,2"), 3, "are both given"),
        (("sweep", "--steps", 10, "--set", "train.extend=2x,3x"), 3, "a sweep trains new models"),
        (("sweep", "--steps", 10, "--set", "train.length=1m,2m"), 3, "--budget 20m"),
        (("sweep", "--steps", 29, "--set", "train.seed=1,2,3"), 3, "--steps 30 is enough"),
        (("sweep", "--budget", "9s", "--set", "model.depth=1,2", "--seeds", "1,2"), 3, "--budget 20s is enough"),
    ],
)
def test_what_can_not_be_swept_is_refused(
    lmcli: Lmcli, trained: Path, line: tuple[object, ...], code: int, said: str
) -> None:
    ran = lmcli(*line)
    assert ran.code == code, ran.err
    assert said in ran.err
    assert not list(trained.glob("runs/sweep-*"))


def test_stale_tokens_stop_a_sweep(lmcli: Lmcli, trained: Path) -> None:
    (trained / "corpus" / "0.txt").write_text("other text\n" * 100)
    before = digests(trained)
    ran = lmcli(*LINE)
    assert ran.code == 4
    assert "tokens is stale" in ran.err
    assert digests(trained) == before
