from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcli.corpus.documents import Document
from lmcli.corpus.drift import Figure, compare, coverage, divergence, near_duplicates, profile
from lmcli.corpus.signatures import MinHash
from tests.texts import sentences

NEAR = MinHash()
COUNTS = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 9), min_size=1)


def documents(count: int, seed: int, length: int = 30) -> list[Document]:
    rng = random.Random(seed)
    words = [f"w{number}" for number in range(200)]
    made = (" ".join(letters(word) for word in rng.choices(words, k=length)) for _ in range(count))
    return [Document(f"{seed}:{place}", text) for place, text in enumerate(made)]


def letters(word: str) -> str:
    """w12 -> wbc: digits are folded in comparisons of words."""
    return word.translate(str.maketrans("0123456789", "abcdefghij"))


def figures(corpus: Sequence[Document], text: Sequence[Document]) -> dict[str, Figure]:
    return {item.name: item for item in compare(corpus, text, NEAR, None).figures}


@given(COUNTS, COUNTS)
def test_divergence_is_a_distance(left: dict[str, int], right: dict[str, int]) -> None:
    found = divergence(left, right)
    assert 0 <= found <= 1
    assert found == pytest.approx(divergence(right, left))
    assert divergence(left, {key: 3 * count for key, count in left.items()}) == pytest.approx(0, abs=1e-6)


def test_divergence_of_what_has_nothing_in_common_is_one() -> None:
    assert divergence({"a": 3}, {"b": 5}) == pytest.approx(1)
    # by hand: p = (1, 0), q = (1/2, 1/2), m = (3/4, 1/4): (log2(4/3) + log2(2/3) / 2 + log2(2) / 2) / 2
    bits = (math.log2(4 / 3) + math.log2(2 / 3) / 2 + 1 / 2) / 2
    assert divergence({"a": 2}, {"a": 1, "b": 1}) == pytest.approx(math.sqrt(bits))
    assert math.isnan(divergence({}, {"a": 1}))


def test_coverage_counts_running_words() -> None:
    assert coverage({"a": 1}, {"a": 3, "b": 1}) == 0.75
    assert math.isnan(coverage({"a": 1}, {}))


def test_text_like_the_corpus() -> None:
    found = figures(documents(200, 1), documents(60, 2))
    assert found["median length"].verdict == "documents are about as long"
    assert found["distance of lengths"].verdict == "lengths are spread alike"
    assert found["words known"].text == found["words known"].corpus == 1
    assert found["words known"].verdict == "its words are those of the corpus"
    assert found["near duplicates"].text == found["near duplicates"].corpus == 0
    assert found["near duplicates"].verdict == "no document is nearly one of the corpus"


def test_other_lengths_are_told() -> None:
    found = figures(documents(200, 1), documents(60, 2, length=300))
    assert found["median length"].corpus == pytest.approx(130, rel=0.1)
    assert found["median length"].text == pytest.approx(1300, rel=0.1)
    assert found["90th percentile"].verdict.startswith("documents are 9.")
    assert found["distance of lengths"].text == pytest.approx(1)
    assert found["distance of lengths"].verdict == "lengths are of another order"
    shorter = figures(documents(60, 2, length=300), documents(200, 1))
    assert shorter["median length"].verdict.endswith("times shorter")


def test_few_documents_say_nothing_about_lengths() -> None:
    found = figures(documents(200, 1), documents(3, 2))["distance of lengths"]
    assert found.verdict == "too few documents to compare lengths (fewer than 30)"


@pytest.mark.parametrize(("new", "verdict"), [(1, "some words are new"), (30, "many words are new to the corpus")])
def test_new_words_are_told(new: int, verdict: str) -> None:
    text = [Document(item.id, item.text + " zebra" * new) for item in documents(40, 2)]
    found = compare(documents(200, 1), text, NEAR, None)
    words = next(item for item in found.figures if item.name == "words known")
    assert words.text == pytest.approx(30 / (30 + new))
    assert words.verdict == verdict
    assert (found.unknown_words, found.unknown_characters) == (["zebra"], ["z", "r"])


def test_near_duplicates_of_the_corpus_are_found() -> None:
    corpus = documents(50, 1, length=100)
    text = [*(Document("x", item.text + " end") for item in corpus[:3]), *documents(37, 2, length=100)]
    assert near_duplicates(corpus, text, NEAR) == pytest.approx(3 / 40)
    found = figures(corpus, text)["near duplicates"]
    assert found.verdict == "much of it is in the corpus already: no good for measuring a model"
    assert near_duplicates(corpus, [Document("short", "two words")], NEAR) == 0
    assert math.isnan(near_duplicates(corpus, [], NEAR))


def test_what_part_of_the_corpus_was_looked_at_is_said() -> None:
    found = compare(documents(50, 1), documents(3, 2), NEAR, None, seen=0.08)
    assert found.figures[-1].verdict.endswith("(looking at 8% of the corpus)")


def test_scripts_and_languages_stand_side_by_side() -> None:
    corpus = [Document(str(place), text) for place, text in enumerate(sentences(20).split("\n")) if text]
    text = [Document("zh", "今天天气很好，我们去公园散步。"), corpus[0]]
    found = compare(corpus, text, NEAR, lambda text: "en" if text.isascii() else "zh")
    scripts, languages = found.shares
    size = len(text[0].text.encode())
    share = size / (size + len(text[1].text))
    assert scripts.corpus == {"Latin": 1.0} and languages.corpus == {"en": 1.0}
    assert scripts.text == {"Han": pytest.approx(share), "Latin": pytest.approx(1 - share)}
    verdicts = (scripts.verdict, languages.verdict)
    assert verdicts == ("the corpus has next to no Han", "the corpus has next to no zh")
    assert [item.name for item in compare(corpus, text, NEAR, None).shares] == ["scripts"]


def test_the_language_that_clean_found_is_not_looked_for_again() -> None:
    found = profile([Document("a", "text", language="de")], lambda text: "en")
    assert found.languages == {"de": 4}


def test_a_small_corpus_has_no_usual_figures() -> None:
    found = figures(documents(5, 1), documents(5, 2))
    assert found["words known"].corpus is None and found["near duplicates"].corpus is None
