from __future__ import annotations

import pytest
from sacrebleu.metrics.chrf import CHRF

from lmcli.evaluation.intervals import score
from lmcli.evaluation.metrics.chrf import Chrf

PAIRS = (
    ["the cat sat on the mat", "", "he went home", "我今天很高兴"],
    ["the cat sat on a mat", "nothing", "he goes home", "我今天不高兴"],
)


def chrf(predictions: list[str], references: list[str], metric: Chrf | None = None) -> float:
    (tally,) = (metric or Chrf()).tallies(predictions, references)
    return score(tally, seed=0).value


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        ("abcdefg", "abcdefg", 100.0),
        ("", "abc", 0.0),
        ("abc", "", 0.0),
        ("", "", 0.0),
        ("ab", "xy", 0.0),
        ("我", "我", 100.0),
    ],
)
def test_degenerate_and_identical_rows(prediction: str, reference: str, expected: float) -> None:
    assert chrf([prediction], [reference]) == pytest.approx(expected)


@pytest.mark.parametrize("word_order", [0, 2])
def test_equals_sacrebleu(word_order: int) -> None:
    direct = CHRF(word_order=word_order)
    assert chrf(*PAIRS, Chrf(word_order=word_order)) == pytest.approx(direct.corpus_score(PAIRS[0], [PAIRS[1]]).score)
    assert Chrf(word_order=word_order).tallies(*PAIRS)[0].signature == str(direct.get_signature())
