from __future__ import annotations

import pytest

from lmcli.corpus.documents import Drop
from lmcli.corpus.filters.quality_length import Length

SHORT, LONG = "quality.too_short", "quality.too_long"


@pytest.mark.parametrize(
    ("text", "rules", "expected"),
    [
        ("x" * 49, Length(), SHORT),
        ("x" * 50, Length(), ""),
        ("中" * 50, Length(), ""),
        ("x" * 1_000_000, Length(), ""),
        ("x" * 1_000_001, Length(), LONG),
        ("x" * 1_000_001, Length(max_characters=0), ""),
        ("", Length(min_characters=0), ""),
        ("", Length(min_characters=0, min_words=1), SHORT),
        ("don't stop, now", Length(min_characters=0, min_words=3), ""),
        ("don't stop, now", Length(min_characters=0, min_words=4), SHORT),
        ("don't stop, now", Length(min_characters=0, max_words=3), ""),
        ("don't stop, now", Length(min_characters=0, max_words=2), LONG),
        ("我有3只猫。", Length(min_characters=0, min_words=5, max_words=5), ""),
        ("我有3只猫。", Length(min_characters=0, max_words=4), LONG),
        ("ไปไหน", Length(min_characters=0, min_words=6), SHORT),
        ("word " * 500_000, Length(max_characters=0, max_words=499_999), LONG),
    ],
)
def test_bounds(text: str, rules: Length, expected: str) -> None:
    assert rules.apply(text) == (Drop(expected) if expected else text)
