from __future__ import annotations

import random
from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.corpus.mixture import OTHERS, Mixture, Owed, Share, describe, parts, plan, written
from lmcli.corpus.splits import Piece
from lmcli.errors import InputError

SHARES = st.dictionaries(st.sampled_from("abcd"), st.floats(0.01, 10), min_size=1)


def planned(mixture: Mixture, tokens: dict[str, float]) -> dict[str, Share]:
    return plan(mixture, tokens, dict.fromkeys(tokens, 1))


def document(text: str, source: str = "a") -> Piece:
    return Piece(text, "train", True, source=source)


@given(SHARES, st.data(), st.floats(1, 8))
@settings(deadline=None)
def test_shares_are_reached_or_as_near_as_repeats_allow(
    shares: dict[str, float], data: st.DataObject, limit: float
) -> None:
    tokens = {name: data.draw(st.floats(1, 1e9), name) for name in shares}
    mixture = Mixture("source", shares, limit)
    found = planned(mixture, tokens)
    assert all(0 <= share.repeats <= limit * 1.000001 for share in found.values())
    assert sum(share.reached for share in found.values()) == pytest.approx(1)
    assert sum(share.wanted for share in found.values()) == pytest.approx(1)
    total = sum(share.repeats * share.tokens for share in found.values())
    unlimited = [name for name, share in found.items() if share.repeats < limit * 0.999999]
    if unlimited:
        assert total == pytest.approx(sum(tokens.values()), rel=1e-6)
    for one in unlimited:
        for other in unlimited:
            ratio = found[one].reached / found[other].reached
            assert ratio == pytest.approx(shares[one] / shares[other], rel=1e-6)
    if len(unlimited) == len(found):
        assert all(share.reached == pytest.approx(share.wanted) for share in found.values())


def test_a_scarce_part_is_repeated_as_often_as_allowed_and_the_others_fill_up() -> None:
    found = planned(Mixture("source", {"wiki": 1, "web": 1, "books": 2}, 4), {"wiki": 10, "web": 400, "books": 590})
    assert found["wiki"].repeats == 4
    assert found["web"].repeats == pytest.approx(960 / 3 / 400)
    assert found["books"].repeats == pytest.approx(2 * 960 / 3 / 590)
    lines = describe(Mixture("source", {"wiki": 1, "web": 1, "books": 2}, 4), found)
    assert lines[-1] == "there is too little of wiki: repeated at most 4 times"
    assert "source wiki: 1 documents, 10 tokens, wanted 25.0%, reached 4.0%, written 4.00 times" in lines


def test_parts_without_text_or_share() -> None:
    found = planned(Mixture("language", {"en": 1, "de": 1, "fr": 0}), {"en": 100, "de": 0, "fr": 50})
    assert (found["en"].repeats, found["de"].repeats, found["fr"].repeats) == (1.5, 0, 0)
    lines = describe(Mixture("language", {"en": 1, "de": 1, "fr": 0}), found)
    assert lines[-1] == "there is no training text of de"


@given(st.floats(0, 4), st.lists(st.integers(1, 100_000), min_size=1, max_size=60))
def test_a_part_gets_its_bytes_to_within_half_a_document(repeats: float, sizes: list[int]) -> None:
    owed = Owed(repeats)
    counts = [owed.copies(size) for size in sizes]
    assert {count - int(repeats) for count in counts} <= {0, 1}
    got = sum(count * size for count, size in zip(counts, sizes, strict=True))
    assert abs(got - repeats * sum(sizes)) <= max(sizes) + 1
    assert repeats != int(repeats) or counts == [int(repeats)] * len(sizes)


def test_each_part_is_counted_apart_and_validation_is_left_alone() -> None:
    mixture = Mixture("source", {"a": 1, "b": 1})
    shares = {"a": Share(0, 0, 0, 0, 2.5), "b": Share(0, 0, 0, 0, 0.4)}
    found = [document(f"text {number}", "ab"[number % 2]) for number in range(200)]
    found += [Piece(f"held {number}", "validation", True, source="b") for number in range(20)]
    random.Random(0).shuffle(found)
    counts = Counter(piece.text for piece in written(found, mixture, shares))
    assert all(counts[f"held {number}"] == 1 for number in range(20))
    assert {counts[f"text {number}"] for number in range(0, 200, 2)} == {2, 3}
    assert {counts[f"text {number}"] for number in range(1, 200, 2)} == {0, 1}
    assert sum(counts[f"text {number}"] for number in range(1, 200, 2)) == 40


def test_copies_of_a_document_in_blocks_are_documents_of_their_own() -> None:
    blocks = [
        Piece("one ", "train", False, "a"),
        Piece("two ", "validation", False, "a"),
        Piece("three ", "train", False, "a"),
        Piece("four", "validation", True, "a"),
    ]
    got = list(written(blocks, Mixture("source", {"a": 1}), {"a": Share(1, 1, 1, 1, 3.0)}))
    sides = defaultdict(str)
    for piece in got:
        sides[piece.side] += piece.text + "|" * piece.ends_document
    assert sides["validation"] == "two four|"
    assert sides["train"] == "one three |" * 3
    once = list(written(blocks, Mixture("source", {"a": 1}), {"a": Share(1, 1, 1, 1, 1.0)}))
    assert once == blocks
    none = list(written(blocks, Mixture("source", {"a": 1}), {"a": Share(1, 1, 1, 1, 0.0)}))
    assert [piece.text for piece in none] == ["two ", "four"]


def test_names_that_are_not_in_the_mixture() -> None:
    pieces = [document("x", "a"), document("yé", "other"), document("z" * 10, "")]
    with pytest.raises(InputError, match="says nothing about the source other"):
        parts(pieces, Mixture("source", {"a": 1}))
    with pytest.raises(InputError, match="text without a language"):
        parts(pieces, Mixture("language", {"en": 1}))
    found = parts([*pieces, Piece("held", "validation", True)], Mixture("source", {"a": 1, OTHERS: 2}))
    assert (found["a"].documents, found["a"].bytes) == (1, 1)
    assert (found[OTHERS].documents, found[OTHERS].bytes, found[OTHERS].sample) == (2, 13, ["yé", "z" * 10])


def test_the_sample_of_a_part_is_bounded() -> None:
    found = parts([document("ab" * 400_000) for _ in range(4)], Mixture("source", {"a": 1}))
    assert sum(map(len, found["a"].sample)) == 1_000_000
    assert found["a"].bytes == 3_200_000
