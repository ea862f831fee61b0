"""Text made to be slow is no slower than other text, filter by filter."""

from __future__ import annotations

import time

import pytest

from lmcli.config import decode
from lmcli.corpus.filters import FILTERS

UNITS = {
    "letters": "a",
    "parentheses": "(",
    "blank lines": " \n",
    "spaces": " ",
    "angles": "<",
    "open tags": "<a ",
    "comments": "<!--",
    "scripts": "<script>",
    "quotes": '<a href="',
    "drawings": "<svg></svg>",
    "unknown tags": "<foo>",
    "paragraphs": "<p>",
    "entities": "&#",
    "mojibake": "Ãƒ",
    "combining": "\u0301",
    "escapes": "é\x1b[",
    "controls": "\x80",
    "ats": "@",
    "addresses": "http://",
    "parts": "1.1.",
    "Chinese": "我们1。",
}


def seconds(name: str, text: str) -> float:
    entry = decode(FILTERS.load(name), {})
    entry.apply("我们 first")  # a dictionary may have to be loaded
    start = time.process_time()
    entry.apply(text)
    return time.process_time() - start


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS.keys())
@pytest.mark.parametrize("name", FILTERS)
def test_a_hundred_kilobytes_take_no_time(name: str, unit: str) -> None:
    # Quadratic work on 100 kB is 10^10 steps: minutes, where linear work is a fraction of a second.
    text = "<html>" + unit * (100_000 // len(unit)) + "é x"
    assert seconds(name, text) < 1


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS.keys())
@pytest.mark.parametrize("name", FILTERS)
def test_a_megabyte_takes_two_seconds_at_most(name: str, unit: str) -> None:
    assert seconds(name, "<html>" + unit * (1_000_000 // len(unit)) + "é x") < 2.5
