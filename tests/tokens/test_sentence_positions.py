from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.corpus.splits import Piece
from lmcli.progress import Silent
from lmcli.tokens.encoding import encode
from lmcli.tokens.sentence_positions import sentences_of
from lmcli.tokens.shards import TokenStream
from lmcli.tokens.tokenizer import Tokenizer
from tests.tokens.conftest import trained

TEXT = "The first one is here. Is it 3.5 or 4? 你好。再见！Yes.\n\nA café closes.  The end\n"
SHOWN = ["The first one is here.", " Is it 3.5 or 4?", " 你好。", "再见！", "Yes.", "\n\nA café closes.", "  The end"]
PIECES = [
    Piece(TEXT, "train", True),
    Piece("One. Two. ", "train", False),
    Piece("", "train", True),
    Piece("Held out. Twice.", "validation", True),
    Piece("No end", "train", False),
]


@pytest.fixture(scope="module", params=["bpe", "unigram", "char", "word", "wordpiece"])
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, text: str) -> Tokenizer:
    out = tmp_path_factory.mktemp(request.param)
    once = {} if request.param == "char" else {"min_frequency": 1}
    return trained([text, TEXT * 3], out, kind=request.param, **once)


def test_sentences_end_before_the_space_behind_them() -> None:
    ends = sentences_of(TEXT)
    starts = [0, *ends]
    assert [TEXT[start:end] for start, end in zip(starts, ends, strict=False)] == SHOWN
    assert sentences_of(" \n ") == sentences_of("") == []


def test_each_sentence_is_whole(tokenizer: Tokenizer, tmp_path: Path) -> None:
    report = encode(PIECES, tokenizer, tmp_path / "with", workers=2, progress=Silent(), sentences=True)
    stream = TokenStream.open(tmp_path / "with", "train")
    ends = stream.sentence_ends
    assert ends is not None
    assert len(ends) == report.sides["train"].sentences == len(SHOWN) + 3
    ids = stream.take(0, len(stream)).tolist()
    reached = 0
    for position, sentence in zip(ends.tolist(), [*SHOWN, "One.", "Two.", "No end"], strict=True):
        reached += len(_squeezed(tokenizer, tokenizer.encode(sentence)))
        assert len(_squeezed(tokenizer, ids[: position - 1])) < reached <= len(_squeezed(tokenizer, ids[:position]))
    validation = TokenStream.open(tmp_path / "with", "validation").sentence_ends
    assert validation is not None
    assert len(validation) == 2
    encode(PIECES, tokenizer, tmp_path / "without", workers=1, progress=Silent())
    other = TokenStream.open(tmp_path / "without", "train")
    assert other.sentence_ends is None
    assert other.take(0, len(other)).tolist() == ids


def _squeezed(tokenizer: Tokenizer, ids: list[int]) -> str:
    """Without white space, and without the bytes of a character that is not whole."""
    return "".join(tokenizer.decode(ids).split()).rstrip("\ufffd")


@settings(deadline=None, max_examples=30)
@given(st.lists(st.text(st.sampled_from("ab. !?\n中。é"), max_size=60), max_size=4), st.booleans())
def test_ends_lie_between_the_tokens_that_reach_them(
    bpe: Tokenizer, tmp_path_factory: pytest.TempPathFactory, texts: list[str], close: bool
) -> None:
    pieces = [*(Piece(text, "train", close) for text in texts), Piece("x", "train", True)]
    out = tmp_path_factory.mktemp("tokens")
    encode(pieces, bpe, out, workers=2, progress=Silent(), sentences=True)
    stream = TokenStream.open(out, "train")
    assert stream.sentence_ends is not None
    sizes = bpe.token_bytes[stream.take(0, len(stream))]
    places = [end + start for start, piece in _starts(pieces) for end in _bytes(piece.text)]
    for position, place in zip(stream.sentence_ends.tolist(), places, strict=True):
        assert sizes[: position - 1].sum() < place <= sizes[:position].sum()


def _starts(pieces: list[Piece]) -> list[tuple[int, Piece]]:
    sizes = [len(piece.text.encode()) for piece in pieces]
    return [(sum(sizes[:number]), piece) for number, piece in enumerate(pieces)]


def _bytes(text: str) -> list[int]:
    return [len(text[:end].encode()) for end in sentences_of(text)]


def test_sentences_of_a_text_that_is_cut(bpe: Tokenizer, tmp_path: Path) -> None:
    text = "It is so. And more follows here!\n" * 9_000
    encode([Piece(text, "train", True)], bpe, tmp_path, workers=2, progress=Silent(), sentences=True)
    stream = TokenStream.open(tmp_path, "train")
    assert stream.sentence_ends is not None
    assert len(stream.sentence_ends) == 18_000
    assert stream.sentence_ends[-1] == len(stream) - 2  # a line end and the end token follow
