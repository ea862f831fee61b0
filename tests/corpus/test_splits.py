from __future__ import annotations

import random
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.corpus import smallest
from lmcli.corpus.documents import Document
from lmcli.corpus.splits import Kind, Piece, census, pieces
from lmcli.errors import InputError

TEXTS = st.lists(st.text(st.sampled_from("abc \n"), min_size=1, max_size=400), min_size=1, max_size=12)


def documents(*texts: str) -> list[Document]:
    return [Document(str(number), text) for number, text in enumerate(texts)]


def split(found: list[Document], kind: Kind = "auto") -> list[Piece]:
    return list(pieces(found, census(found), kind))


def side(cut: list[Piece], wanted: str) -> str:
    return "".join(piece.text for piece in cut if piece.side == wanted)


def prose(characters: int, seed: int = 0) -> str:
    filler = "words that follow each other " * 8
    return "".join(f"{seed}.{number} {filler}\n\n" for number in range(characters // 200 + 1))[:characters]


@given(TEXTS, st.sampled_from(["auto", "tail"]), st.booleans())
@settings(deadline=None, max_examples=50)
def test_pieces_join_to_their_documents_and_no_side_is_empty(texts: list[str], kind: Kind, parts: bool) -> None:
    found = documents(*texts)
    if parts:  # the same text as one document that arrives in parts
        found = [Document("long", document.text, document is found[-1]) for document in found]
    if sum(map(len, texts)) < 2:
        with pytest.raises(InputError):
            split(found, kind)
        return
    cut = split(found, kind)
    assert side(cut, "train")
    assert side(cut, "validation")
    joined, current = [], ""
    for piece in cut:
        assert piece.text
        current += piece.text
        if piece.ends_document:
            joined.append(current)
            current = ""
    assert current == ""
    assert joined == (["".join(texts)] if parts else texts)


@pytest.mark.parametrize("characters", [2, 9, 10, 11, 300, 20_000, 400_000])
def test_tail_is_exactly_the_last_tenth_of_the_characters(characters: int) -> None:
    text = prose(characters)
    cut = split(documents(text), "tail")
    at = max(1, int(characters * 0.9))
    assert (side(cut, "train"), side(cut, "validation")) == (text[:at], text[at:])
    many = split(documents(*(text[start : start + 7] for start in range(0, characters, 7))), "tail")
    assert (side(many, "train"), side(many, "validation")) == (text[:at], text[at:])
    assert [piece.ends_document for piece in cut] == [False, True]


def test_one_file_of_a_megabyte_is_cut_into_blocks_at_paragraph_ends() -> None:
    text = prose(1_100_000)
    counted = census(documents(text))
    cut = list(pieces(documents(text), counted, "auto"))
    share = len(side(cut, "validation")) / len(text)
    assert 0.09 < share < 0.11
    assert all(8_000 <= len(piece.text) <= 24_000 for piece in cut)
    assert all(piece.text.endswith("\n\n") for piece in cut[:-1])
    assert "blocks of about 16,000 characters" in counted.plan("auto").describe()
    assert f"{100 * share:.1f} %" in counted.plan("auto").describe()


def test_a_small_file_is_cut_into_smaller_blocks_and_says_so() -> None:
    text = prose(20_000)
    counted = census(documents(text))
    cut = list(pieces(documents(text), counted, "auto"))
    assert 0.03 < len(side(cut, "validation")) / len(text) < 0.17
    assert counted.plan("auto").block == 1_000
    assert "because the corpus is small" in counted.plan("auto").describe()


def test_many_documents_stay_whole() -> None:
    found = documents(*(prose(500, seed) for seed in range(300)))
    cut = split(found)
    assert [piece.text for piece in cut] == [document.text for document in found]
    assert all(piece.ends_document for piece in cut)
    assert 0.08 < len(side(cut, "validation")) / 150_000 < 0.12
    assert "whole documents" in census(found).plan("auto").describe()


def test_one_large_document_among_many_brings_blocks() -> None:
    found = documents(*(prose(500, seed) for seed in range(300)), prose(20_000, 999))
    assert census(found).plan("auto").unit == "block"
    assert census(found[:-1]).plan("auto").unit == "document"
    assert census(found[:199]).plan("auto").unit == "block"
    assert census(found).plan("hash").unit == "document"


def test_the_side_depends_on_the_text_only() -> None:
    texts = [prose(500, seed) for seed in range(300)]
    texts[10] = texts[200]
    found = documents(*texts)
    shuffled = [Document(f"other/{document.id}", document.text) for document in found]
    random.Random(1).shuffle(shuffled)
    sides: dict[str, set[str]] = defaultdict(set)
    for piece in [*split(found), *split(shuffled)]:
        sides[piece.text].add(piece.side)
    assert all(len(found_sides) == 1 for found_sides in sides.values())


def test_parts_of_a_long_document_stay_together() -> None:
    numbers = [(number, part) for number in range(250) for part in range(3)]
    found = [Document(str(number), prose(400, 3 * number + part), part == 2) for number, part in numbers]
    cut = split(found)
    assert census(found).plan("auto").unit == "document"
    assert census(found).documents == 250
    for start in range(0, len(cut), 3):
        assert len({piece.side for piece in cut[start : start + 3]}) == 1
        assert [piece.ends_document for piece in cut[start : start + 3]] == [False, False, True]
    assert len({piece.side for piece in cut}) == 2


def test_a_large_corpus_is_measured_on_a_megabyte() -> None:
    found = documents(*(prose(50_000, seed) for seed in range(300)))
    plan = census(found).plan("auto")
    assert 900_000 < plan.validation_characters < 1_100_000
    assert "enough to measure with" in plan.describe()
    assert len(side(split(found), "validation")) == plan.validation_characters


@pytest.mark.parametrize("text", ["x" * 1_000_000, "ab" * 100, "你" * 50_000, "\n" * 90_000])
def test_text_that_is_all_alike_still_has_two_sides(text: str) -> None:
    cut = split(documents(text))
    assert side(cut, "train")
    assert side(cut, "validation")
    assert "".join(piece.text for piece in cut) == text


def test_a_split_by_document_needs_two() -> None:
    with pytest.raises(InputError, match="two different documents"):
        split(documents(prose(1_000)), "hash")
    assert {piece.side for piece in split(documents(prose(90, 1), prose(90, 2)), "hash")} == {"train", "validation"}


def test_another_corpus_in_the_second_pass_is_noticed() -> None:
    counted = census(documents("some text here"))
    with pytest.raises(InputError, match="changed while it was read"):
        list(pieces(documents("some text here and more"), counted, "auto"))


def test_no_text_is_an_error() -> None:
    for texts in ((), ("x",)):
        with pytest.raises(InputError, match="nothing to learn from"):
            split(documents(*texts))


def test_the_census_remembers_a_bounded_number_of_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = documents(*(prose(300, seed) for seed in range(2_000)))
    whole = census(found).plan("auto")
    monkeypatch.setattr(smallest, "HASHES", 300)
    assert census(found).plan("auto").threshold == whole.threshold
    monkeypatch.setattr(smallest, "HASHES", 50)
    counted = census(found)
    assert counted.plan("auto").validation_characters == 50 * 300
    assert len(side(list(pieces(found, counted, "auto")), "validation")) == 50 * 300


def test_near_duplicates_are_never_on_both_sides() -> None:
    found = []
    for seed in range(300):
        text = prose(500, seed)
        found += [Document(f"{seed}.{copy}", f"{text} {copy}", group=seed * 7919 << 40) for copy in range(3)]
    random.Random(3).shuffle(found)
    cut = split(found, "hash")
    sides: dict[str, set[str]] = defaultdict(set)
    for document, piece in zip(found, cut, strict=True):
        sides[document.id.partition(".")[0]].add(piece.side)
    assert all(len(found_sides) == 1 for found_sides in sides.values())
    assert {piece.side for piece in cut} == {"train", "validation"}
    alone = [Document(document.id, document.text) for document in found]
    assert any(one.side != other.side for one, other in zip(split(alone, "hash"), cut, strict=True)), (
        "groups decide nothing"
    )


def test_pieces_know_where_they_come_from() -> None:
    found = [Document(str(number), prose(40_000, number), source="a", language="en") for number in range(3)]
    for kind in ("auto", "hash", "tail"):
        assert {(piece.source, piece.language) for piece in split(found, kind)} == {("a", "en")}


@pytest.mark.parametrize("characters", [3_000, 400_000])
def test_the_census_keeps_the_texts_that_are_held_out(characters: int) -> None:
    for found in (documents(prose(characters)), documents(*(prose(characters // 250, seed) for seed in range(250)))):
        counted = census(found)
        plan = counted.plan("auto")
        cut = [piece.text for piece in pieces(found, counted, "auto") if piece.side == "validation"]
        assert sorted(counted.held_out(plan)) == sorted(set(cut))
        assert counted.bytes == sum(len(document.text.encode()) for document in found)
    assert counted.held_out(counted.plan("tail")) == []


def test_of_a_large_corpus_the_census_keeps_a_million_characters() -> None:
    found = documents(*(prose(30_000, seed) for seed in range(400)))
    counted = census(found)
    plan = counted.plan("auto")
    cut = [piece.text for piece in pieces(found, counted, "auto") if piece.side == "validation"]
    assert sorted(counted.held_out(plan)) == sorted(cut)
    assert sum(map(len, counted.by_document.texts(1 << 64))) <= 1_000_000 + 30_000
