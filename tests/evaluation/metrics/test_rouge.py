from __future__ import annotations

import pytest
from rouge_score.rouge_scorer import RougeScorer

from lmcli.evaluation.intervals import score
from lmcli.evaluation.metrics.rouge import Rouge

TYPES = ["rouge1", "rouge2", "rougeL"]


def rouge(predictions: list[str], references: list[str], metric: Rouge | None = None) -> dict[str, float]:
    tallies = (metric or Rouge()).tallies(predictions, references)
    return {tally.name: score(tally, seed=0).value for tally in tallies}


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        ("the cat sat", "the cat sat", (1, 1, 1)),
        ("", "the cat", (0, 0, 0)),
        ("the cat", "", (0, 0, 0)),
        ("", "", (0, 0, 0)),
        ("cat the", "the cat", (1, 0, 0.5)),
        ("今天很好", "今天很好", (1, 1, 1)),
        ("今天", "昨夜", (0, 0, 0)),
        ("Доброе утро", "доброе утро!", (1, 1, 1)),
        ("नमस्ते दुनिया", "नमस्ते दुनिया", (1, 1, 1)),
    ],
)
def test_known_values(prediction: str, reference: str, expected: tuple[float, float, float]) -> None:
    assert rouge([prediction], [reference]) == pytest.approx(dict(zip(TYPES, expected, strict=True)))


@pytest.mark.parametrize("stemmer", [False, True])
def test_equals_rouge_score_on_english(stemmer: bool) -> None:
    predictions = ["the cats were sitting on mats", "he goes home", ""]
    references = ["a cat sat on the mat", "he went home early", "nothing"]
    scorer = RougeScorer(TYPES, use_stemmer=stemmer)
    direct = [scorer.score(wanted, given) for given, wanted in zip(predictions, references, strict=True)]
    means = {name: sum(row[name].fmeasure for row in direct) / 3 for name in TYPES}
    assert rouge(predictions, references, Rouge(stemmer=stemmer)) == pytest.approx(means)


def test_characters_of_chinese_are_tokens() -> None:
    assert rouge(["我今天去公园"], ["我昨天去公园"])["rouge1"] == pytest.approx(5 / 6)
    assert rouge(["我今天去公园"], ["我昨天去公园"], Rouge(tokenizer="latin"))["rouge1"] == 0.0


def test_the_signature_names_the_tokenizer_and_the_version() -> None:
    assert Rouge().tallies(["a"], ["a"])[0].signature.startswith("f1|tok:latin|stem:no|rouge-score:0.1.")
    assert "tok:unicode" in Rouge().tallies(["好"], ["好"])[0].signature
