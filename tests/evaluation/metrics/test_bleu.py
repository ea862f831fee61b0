from __future__ import annotations

import pytest
from sacrebleu.metrics.bleu import BLEU

from lmcli.evaluation.intervals import score
from lmcli.evaluation.metrics.bleu import Bleu

ENGLISH = "the cat sat on the mat, and the dog looked at it"


def bleu(predictions: list[str], references: list[str], metric: Bleu | None = None) -> float:
    (tally,) = (metric or Bleu()).tallies(predictions, references)
    return score(tally, seed=0).value


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        (ENGLISH, ENGLISH, 100.0),
        ("", ENGLISH, 0.0),
        (ENGLISH, "", 0.0),
        ("", "", 0.0),
        ("yes", "yes", 0.0),  # no 4-gram anywhere: BLEU is no metric for labels
        ("completely different words here", ENGLISH, 0.0),
        ("我今天很高兴去公园玩", "我今天很高兴去公园玩", 100.0),
    ],
)
def test_degenerate_and_identical_rows(prediction: str, reference: str, expected: float) -> None:
    assert bleu([prediction], [reference]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("reference", "tokenizer"),
    [
        (ENGLISH, "13a"),
        ("Вчера было очень жарко", "13a"),
        ("我今天很高兴去公园玩,我们看了电影", "zh"),
        ("我买了 iPhone 手机,今天很高兴去公园玩", "zh"),
        ("きのうはとても暑い日でした。", "char"),
        ("เมื่อวานอากาศร้อนมาก", "char"),
    ],
)
def test_the_tokenizer_follows_the_references_and_is_in_the_signature(reference: str, tokenizer: str) -> None:
    (tally,) = Bleu().tallies([reference], [reference])
    assert f"|tok:{tokenizer}|" in tally.signature


def test_equals_sacrebleu() -> None:
    predictions = [ENGLISH, "a dog barked loudly at the cat today", "he went home", ""]
    references = [ENGLISH.replace("mat", "rug"), "the dog barked loudly at a cat", "he goes home", "nothing"]
    direct = BLEU()
    assert bleu(predictions, references) == pytest.approx(direct.corpus_score(predictions, [references]).score)
    assert Bleu().tallies(predictions, references)[0].signature == str(direct.get_signature())


def test_one_wrong_character_in_a_chinese_sentence_is_not_a_score_of_zero() -> None:
    prediction, reference = ["我今天很高兴去公园玩"], ["我今天很高兴去公园跑"]
    assert bleu(prediction, reference, Bleu(tokenizer="13a")) == 0.0
    assert bleu(prediction, reference) == pytest.approx(BLEU(tokenize="zh").corpus_score(prediction, [reference]).score)
    assert bleu(prediction, reference) > 80
