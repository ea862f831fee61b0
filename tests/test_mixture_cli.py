"""Mixtures, leakage and sentence ends, from clean to tokens, by commands."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from lmcli.tokens.shards import TokenStream
from tests.conftest import Lmcli
from tests.projects import lock
from tests.texts import write_corpus

MIXTURE = """
[project]
inputs = ["corpus/"]
[clean.sources.news]
inputs = ["news/"]
weight = 3
[clean.sources.books]
inputs = ["books/"]
"""


def lines(seed: int, count: int) -> list[str]:
    chance = random.Random(seed)
    words = "river stone light winter garden answer letter morning summer window".split()
    return [f"The {' '.join(chance.choices(words, k=9))} of number {seed}." for _ in range(count)]


def write(folder: Path, seeds: range) -> None:
    folder.mkdir(exist_ok=True)
    for seed in seeds:
        (folder / f"{seed:03d}.txt").write_text("\n".join(lines(seed, 12)))


@pytest.fixture
def mixed(lmcli: Lmcli, folder: Path) -> Path:
    write(folder / "news", range(100))
    write(folder / "books", range(200, 400))
    (folder / "lmcli.toml").write_text(MIXTURE)
    assert lmcli("clean").code == 0
    return folder


def test_a_mixture_is_encoded_as_wanted(lmcli: Lmcli, mixed: Path) -> None:
    answer = lmcli("tokenize", "--kind", "char")
    assert answer.code == 0
    report = lock(mixed)["tokens"]["report"]
    news, books = (report["mixture"]["shares"][name] for name in ("news", "books"))
    assert (news["wanted"], books["wanted"]) == (0.75, 0.25)
    assert news["reached"] == pytest.approx(0.75, abs=0.06)
    assert news["repeats"] == pytest.approx(2.25, abs=0.2)
    assert books["repeats"] == pytest.approx(0.375, abs=0.04)
    assert "source news: 7" in answer.out
    path = lmcli("path", "tokens").out.strip()
    whole = report["sides"]["train"]["tokens"]
    assert whole == pytest.approx(news["tokens"] + books["tokens"], rel=0.1)
    assert report["sides"]["validation"]["documents"] == len(TokenStream.open(Path(path), "validation").document_ends)
    before = lock(mixed)["tokens"]["digest"]
    assert lmcli("tokenize", "--kind", "char", "--force", "--workers", 1).code == 0
    assert lock(mixed)["tokens"]["digest"] == before


def test_other_weights_make_other_tokens_of_the_same_clean_text(lmcli: Lmcli, mixed: Path) -> None:
    assert lmcli("tokenize", "--kind", "char").code == 0
    before = lock(mixed)
    (mixed / "lmcli.toml").write_text(MIXTURE.replace("weight = 3", "weight = 1"))
    assert "mixture" in lmcli("status").out
    assert lmcli("run", "tokens").code == 0
    after = lock(mixed)
    assert after["clean"]["digest"] == before["clean"]["digest"]
    assert after["tokens"]["digest"] != before["tokens"]["digest"]


def test_leakage_is_measured_and_warned_of(lmcli: Lmcli, folder: Path) -> None:
    write(folder / "corpus", range(300))
    assert lmcli("init").code == 0
    clean = lmcli("tokenize", "corpus/", "--kind", "char")
    assert "0.0% of the validation text" in clean.out
    assert "stands in the training text" not in clean.err
    for seed in range(150):
        (folder / "corpus" / f"copy{seed:03d}.txt").write_text("\n".join([*lines(seed, 12)[:-1], "Another end here."]))
    leaking = lmcli("tokenize", "corpus/")
    assert "stands in the training text too: `lmcli clean --duplicates near" in leaking.err
    assert lock(folder)["tokens"]["report"]["leakage"] > 0.3


def test_sentence_ends_are_written_when_asked_for(lmcli: Lmcli, folder: Path) -> None:
    write_corpus(folder / "corpus", files=3, lines=60)
    assert lmcli("init").code == 0
    assert lmcli("tokenize", "corpus/").code == 0
    plain = lock(folder)["tokens"]
    assert lmcli("tokenize", "corpus/", "--sentences").code == 0
    asked = lock(folder)["tokens"]
    assert plain["requested"]["tokens"].get("sentences") is None
    assert asked["requested"]["tokens"]["sentences"] is True
    folders = [folder / entry["path"] for entry in (plain, asked)]
    assert (folders[0] / "train-00000.bin").read_bytes() == (folders[1] / "train-00000.bin").read_bytes()
    ends = TokenStream.open(folders[1], "train").sentence_ends
    assert ends is not None
    assert len(ends) == asked["report"]["sides"]["train"]["sentences"] > 10
    assert np.all(np.diff(ends.astype(np.int64)) > 0)
    assert "sentences" not in json.loads((folders[0] / "tokens.json").read_text())["sides"]["train"]
