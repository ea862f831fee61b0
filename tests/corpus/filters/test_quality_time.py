"""Quality rules take time in proportion to the text, whatever it is made of."""

from __future__ import annotations

import time

import pytest

from lmcli.config import decode
from lmcli.corpus.filters import FILTERS

SETTINGS: dict[str, dict[str, object]] = {
    "quality.length": {"min_words": 1, "max_characters": 0},
    "quality.gopher": {
        "min_words": 0,
        "max_words": 10**9,
        "max_characters": 10**9,
        "min_word_length": 0,
        "max_word_length": 10**9,
        "max_symbols": 10,
        "max_bullets": 0.99,
        "max_ellipsis": 0.99,
        "min_alphabetic": 0,
    },
    "quality.repetition": {
        "lines": 1,
        "paragraphs": 1,
        "line_characters": 1,
        "paragraph_characters": 1,
        "top": [9, 9, 9],
        "repeated": [1, 1, 1, 1, 1, 0.99],
    },
    "quality.c4": {"end_punctuation": True},
    "quality.fineweb": {"min_ended": 0, "max_short": 1, "max_repeated": 1},
}
"""Lax enough that no early rule ends the work."""

UNITS = [
    "a", "a ", "ab, ", "a'", "a-", "-\n", "\n", "a\n\n", " \n", "...", ".", ".' ", '."', "#", "…", "[1", "[",
    "x1y2 z3 ", "中", "中。", "。」", "のは", "ก", "é ", "\u0301", "{",
]  # fmt: skip


def seconds(name: str, text: str) -> float:
    rules = decode(FILTERS.load(name), SETTINGS[name])
    times = []
    for number in range(2):
        changed = f"{text}{number}"  # or the words would be remembered
        start = time.process_time()
        rules.apply(changed)
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", SETTINGS)
def test_twice_the_text_takes_twice_the_time(name: str, unit: str) -> None:
    once, twice = (seconds(name, unit * (size // len(unit))) for size in (100_000, 200_000))
    assert twice < 2.6 * once + 0.1
    assert twice < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", SETTINGS)
def test_a_megabyte_takes_two_seconds_at_most(name: str, unit: str) -> None:
    assert seconds(name, unit * (1_000_000 // len(unit))) < 2
