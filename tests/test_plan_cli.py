"""`lmcli plan` says what `lmcli train` does, without doing it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmcli.cli import planning as showing
from lmcli.models.families import FAMILIES
from lmcli.project.editing import set_values
from lmcli.stages import planning
from lmcli.training import shortage
from tests.conftest import Lmcli
from tests.projects import lock, tree

ELSEWHERE = ("--tokens", 2_000_000, "--vocab", 4096, "--speed", 100)


def test_it_shows_the_plan_that_train_makes_and_writes_nothing(trained: Path, lmcli: Lmcli) -> None:
    line = ("--steps", 20, "--width", 32, "--context", 32, "--set", "train.batch_tokens=256")
    before = tree(trained)
    found = lmcli("plan", *line, "--json").json
    assert tree(trained) == before
    assert lmcli("train", *line, "--name", "second").code == 0
    made = lock(trained)["second"]
    assert {**found["plan"], "replans": []} == made["plan"]
    assert found["parameters"] == made["report"]["parameters"]
    assert found["tokens"] == made["report"]["tokens"]
    assert found["fits"] is True
    assert found["tokens_per_second"] > 0


def test_the_table_names_every_figure_and_the_reasons(trained: Path, lmcli: Lmcli) -> None:
    out = lmcli("plan", "--steps", 20, "--speed", 50, "--width", 64, "--depth", 2).out
    rows = {line.partition(" ")[0]: line for line in out.splitlines()}
    for name in ("model", "tokens", "steps", "operations", "speed", "time", "peak", "expected", "context", "batch"):
        assert name in rows, out
    assert "shape         2 blocks of width 64: as set" in out
    assert "bits per byte" in rows["expected"]


def test_a_model_that_is_trained_further_has_set_its_shape_and_is_not_foreseen(trained: Path, lmcli: Lmcli) -> None:
    found = lmcli("plan", "--set", "train.continue_from=model", "--steps", 20, "--json").json
    whys = {reason["what"]: reason["why"] for reason in found["reasons"]}
    assert (whys["shape"], whys["context"]) == ("as set", "as set")
    assert found["bits_per_byte"] is None
    made = lmcli("train", "--continue-from", "model", "--name", "more", "--steps", 2, "-v")
    assert "shape 2 blocks of width 32: as set" in made.err


def test_another_machine_and_corpus_need_no_project(folder: Path, lmcli: Lmcli) -> None:
    slow = lmcli("plan", *ELSEWHERE, "--budget", "10m", "--json").json
    fast = lmcli("plan", "--tokens", 2_000_000, "--vocab", 4096, "--speed", 1000, "--budget", "10m", "--json").json
    again = lmcli("plan", *ELSEWHERE, "--budget", "10m", "--json").json
    now = {"free_memory": again["free_memory"]}  # other programs come and go
    assert {**slow, **now} == again
    for found in (slow, fast):
        assert 0.9 * 600 <= found["seconds"] <= 600
        assert found["flops"] == pytest.approx(found["flops_per_second"] * 600, rel=0.2)
    assert fast["parameters"] > slow["parameters"]
    assert fast["bits_per_byte"]["middle"] < slow["bits_per_byte"]["middle"]
    assert not list(folder.iterdir())


def test_time_is_operations_by_speed(folder: Path, lmcli: Lmcli) -> None:
    line = ("plan", *ELSEWHERE, "--steps", 500, "--width", 128, "--depth", 4)
    found = lmcli(*line, "--json").json
    assert found["seconds"] == pytest.approx(found["flops"] / 100e9, rel=0.5)  # validations come on top
    assert found["seconds"] > found["flops"] / 100e9


def test_too_little_memory_is_said_with_what_would_fit(folder: Path, lmcli: Lmcli) -> None:
    line = ("plan", *ELSEWHERE, "--steps", 100, "--width", 768, "--depth", 12, "--batch-tokens", 8192)
    assert lmcli(*line, "--memory", 64, "--json").json["fits"] is True
    done = lmcli(*line, "--memory", 3)
    assert done.code == 0
    assert "TOO MUCH: close other programs, or set micro_batch to" in done.out


def test_without_a_given_speed_too_little_memory_is_said_as_well(
    folder: Path, lmcli: Lmcli, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ("plan", "--tokens", 10**6, "--vocab", 256, "--context", 64)
    shape = ("--steps", 10, "--width", 384, "--depth", 4, "--set", "train.batch_tokens=128")
    done = lmcli(*line, *shape, "--memory", 0.01)
    assert (done.code, "TOO MUCH" in done.out) == (0, True), done.err
    timed = ("plan", *ELSEWHERE[:4], "--speed", 1000, "--budget", "10m", "--json")
    small = lmcli(*timed, "--memory", 0.25).json
    assert (small["fits"], small["parameters"] < lmcli(*timed).json["parameters"]) == (True, True)
    enough = lmcli(*line, *shape, "--json").json
    for module in (shortage, planning, showing):
        monkeypatch.setattr(module, "free_bytes", lambda device, processes=1: 130_000_000)
    told = lmcli(*line, *shape, "--json")
    assert told.code == 0, told.err
    assert told.json["fits"] is False
    assert told.json["plan"] == enough["plan"]


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_is_measured_by_what_it_is_trained_for(family: str, folder: Path, lmcli: Lmcli) -> None:
    line = ("plan", "--tokens", 10**5, "--vocab", 256, "--steps", 4, "--width", 32, "--depth", 1, "--context", 32)
    done = lmcli(*line, "--family", family, "--set", "train.batch_tokens=64", "--json")
    assert done.code == 0, done.err
    assert done.json["tokens_per_second"] > 0


@pytest.mark.parametrize("objective", ["fim", "pairs", "mixed"])
def test_the_objective_that_is_set_is_measured(objective: str, folder: Path, lmcli: Lmcli) -> None:
    (folder / "lmcli.toml").write_text(f"[train]\nobjective = {OBJECTIVES[objective]}\n")
    line = ("plan", "--tokens", 10**5, "--vocab", 256, "--steps", 4, "--width", 32, "--depth", 1, "--context", 32)
    family = "bert" if objective == "pairs" else "gpt2"
    done = lmcli(*line, "--family", family, "--set", "train.batch_tokens=64")
    assert done.code == 0, done.err


OBJECTIVES = {
    "fim": '[{name = "causal", fim = 0.5}]',
    "pairs": '[{name = "masked", pairs = "nsp", whole_words = true}]',
    "mixed": '["causal", "denoise"]',
}


def test_a_model_that_is_trained_further_keeps_its_shape(trained: Path, lmcli: Lmcli) -> None:
    set_values(trained / "lmcli.toml", {"train.extend": "2x"})
    found = lmcli("plan", "--set", "train.continue_from=model", "--steps", 4, "--json")
    assert found.code == 0, found.err
    made = lock(trained)["model"]["plan"]["model"]
    assert [found.json["plan"]["model"][key] for key in ("width", "depth", "context")] == [32, 2, 32]
    assert found.json["plan"]["model"]["heads"] == made["heads"]


def test_a_base_in_lmcli_toml_is_not_for_the_model_that_it_names(trained: Path, lmcli: Lmcli) -> None:
    """As `lmcli train` has it: `model` is trained from scratch, and other models from it."""
    set_values(trained / "lmcli.toml", {"train.continue_from": "model"})
    found = lmcli("plan", "--steps", 4, "--width", 64, "--depth", 1, "--json")
    assert found.code == 0, found.err
    assert (found.json["plan"]["model"]["width"], found.json["plan"]["model"]["depth"]) == (64, 1)
    swept = lmcli("sweep", "--set", "train.lr=0.01,0.02", "--steps", 20, "--dry-run")
    assert swept.code == 0, swept.err


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ((), 4, "there are no tokens to plan for"),
        (("--tokens", 100), 2, "--tokens and --vocab go together"),
        (("--tokens", 100, "--vocab", 50, "--budget", "soon"), 2, "'soon' is no length of training"),
        (("--tokens", 100, "--vocab", 50, "--context", 100), 3, "fewer than one window"),
        (("--tokens", 100, "--vocab", 50, "--set", "trian.lr=1"), 3, "no such setting"),
    ],
)
def test_what_can_not_be_planned_is_refused(
    line: tuple[object, ...], code: int, message: str, folder: Path, lmcli: Lmcli
) -> None:
    done = lmcli("plan", *line)
    assert done.code == code
    assert message in done.err


def test_train_says_its_reasons_when_asked(trained: Path, lmcli: Lmcli) -> None:
    line = ("train", "--steps", 2, "--width", 32, "--depth", 1)
    assert "context 32 tokens:" not in lmcli(*line, "--name", "quiet").err
    said = lmcli(*line, "--name", "verbose", "-v").err
    assert "shape 1 blocks of width 32: as set" in said
    assert "steps 2: as set" in said


def words_of_python() -> str:
    """English that every Python has with it: the topics of its help."""
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))


def check_expectation(folder: Path, lmcli: Lmcli, kind: str, size: int, *line: object) -> None:
    (folder / "corpus").mkdir()
    (folder / "corpus" / "topics.txt").write_text(words_of_python()[:size], encoding="utf-8")
    assert lmcli("init").code == 0
    assert lmcli("tokenize", "--kind", kind, "--workers", 1).code == 0
    expected = lmcli("plan", *line, "--speed", 1, "--json").json["bits_per_byte"]
    made = lmcli("train", *line, "--json").json["artifacts"][0]["report"]["best"]
    assert expected["low"] <= made["val_bpb"] <= expected["high"], made


def test_a_small_run_ends_within_the_expected_band(folder: Path, lmcli: Lmcli) -> None:
    check_expectation(folder, lmcli, "char", 200_000, "--steps", 150, "--width", 64, "--depth", 2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["char", "bpe"])
def test_a_longer_run_ends_within_the_expected_band(kind: str, folder: Path, lmcli: Lmcli) -> None:
    check_expectation(folder, lmcli, kind, 400_000, "--steps", 200, "--width", 128, "--depth", 3)


def test_bits_per_byte_are_expected_of_running_text_alone(folder: Path, lmcli: Lmcli) -> None:
    line = ("plan", "--tokens", 10**6, "--vocab", 2000, "--steps", 100, "--speed", 100, "--json")
    assert lmcli(*line).json["bits_per_byte"]["low"] > 0
    assert lmcli(*line, "--family", "bert").json["bits_per_byte"] is None
