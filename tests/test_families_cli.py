"""Families and presets as a person chooses them by command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Lmcli
from tests.projects import TINY, lock

FAMILIES = {
    "gpt2": ("--set", "model.positions=sinusoidal"),
    "llama": ("--set", "model.heads=4", "--set", "model.kv_heads=2"),
    "nanochat": (),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_trains_goes_on_is_tuned_and_writes(lmcli: Lmcli, trained: Path, family: str) -> None:
    ran = lmcli("train", "--name", "base", "--family", family, "--steps", 6, *TINY, *FAMILIES[family])
    assert ran.code == 0, ran.err
    made = lock(trained)["base"]
    config = json.loads((trained / made["path"] / "config.json").read_text())
    assert config["model_type"] == family
    further = lmcli("train", "--name", "more", "--continue-from", "base", "--steps", 4, *TINY[6:])
    assert further.code == 0, further.err
    tuned = lmcli("finetune", "pairs.jsonl", "--base", "base", "--name", "tuned", "--steps", 4)
    assert tuned.code == 0, tuned.err
    for name in ("more", "tuned"):
        found = json.loads((trained / lock(trained)[name]["path"] / "config.json").read_text())
        assert {**found, "dtype": 0, "torch_dtype": 0} == {**config, "dtype": 0, "torch_dtype": 0}
    wrote = lmcli("generate", "The cat", "--model", "base", "--max-tokens", 5, "--greedy")
    assert wrote.code == 0 and wrote.out.startswith("The cat"), wrote.err


def test_a_preset_by_flag_with_keys_that_win(lmcli: Lmcli, trained: Path) -> None:
    line = ("--preset", "llama-mini", "--width", 32, "--depth", 1, "--context", 32, "--set", "train.batch_tokens=256")
    command = ("train", "--name", "small", *line, "--set", "model.ffn=48", "--steps", 2)
    ran = lmcli(*command)
    assert ran.code == 0, ran.err
    made = lock(trained)["small"]
    model = made["plan"]["model"]
    assert (model["family"], model["preset"], model["heads"], model["kv_heads"]) == ("llama", "llama-mini", 4, 2)
    assert (model["width"], model["depth"], model["ffn"]) == (32, 1, 48)
    assert "up to date" in lmcli(*command).out


def test_the_plan_of_a_published_size(folder: Path, lmcli: Lmcli) -> None:
    corpus = ("--tokens", 50_000_000, "--vocab", 50257, "--speed", 400)
    found = lmcli("plan", "--preset", "gpt2-124m", *corpus, "--json").json
    assert found["parameters"] == 124_439_808


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("--preset", "gpt2-124"), "did you mean gpt2-124m?"),
        (("--preset", "gpt2-124m", "--family", "llama"), "is of the family gpt2, and model.family is llama"),
        (("--family", "gpt2", "--set", "model.kv_heads=1"), "model.kv_heads means nothing to the family gpt2"),
        (("--family", "gpt"), "did you mean gpt2?"),
    ],
)
def test_what_cannot_be_is_said(lmcli: Lmcli, trained: Path, line: tuple[str, ...], message: str) -> None:
    ran = lmcli("train", "--name", "wrong", *line, "--steps", 2)
    assert ran.code == 3
    assert message in ran.err
