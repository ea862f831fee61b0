from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.corpus.splits import Piece
from lmcli.errors import InputError
from lmcli.progress import Silent, Task
from lmcli.tokens.encoding import HEAD_CHARACTERS, TokensReport, encode
from lmcli.tokens.jobs import JOB_CHARACTERS
from lmcli.tokens.shards import TokenStream
from lmcli.tokens.special import END
from lmcli.tokens.tokenizer import Tokenizer
from tests.tokens.conftest import Heard, trained

PIECES = [
    Piece("First document, ", "train", False),
    Piece("in two parts.\n", "train", True),
    Piece(f"held {END} out", "validation", True),
    Piece("", "train", True),
    Piece(END * 3, "train", True),
    Piece("no end", "train", False),
]


def run(pieces: list[Piece], tokenizer: Tokenizer, out: Path, workers: int = 2, shard_tokens: int = 7) -> TokensReport:
    return encode(pieces, tokenizer, out, workers=workers, progress=Silent(), shard_tokens=shard_tokens)


def expected(pieces: list[Piece], tokenizer: Tokenizer, side: str) -> list[int]:
    ids: list[int] = []
    for piece in pieces:
        if piece.side == side:
            ids += tokenizer.encode(piece.text) + [tokenizer.end_id] * piece.ends_document
    return ids


def whole(stream: TokenStream) -> list[int]:
    return stream.take(0, len(stream)).tolist() if len(stream) else []


def test_each_side_holds_its_pieces_and_an_end_after_each_document(either: Tokenizer, tmp_path: Path) -> None:
    report = run(PIECES, either, tmp_path)
    for side, documents in (("train", 3), ("validation", 1)):
        stream = TokenStream.open(tmp_path, side)
        ids = expected(PIECES, either, side)
        assert whole(stream) == ids
        assert ids.count(either.end_id) == documents == stream.documents == report.sides[side].documents
        assert [ids[end - 1] for end in stream.document_ends] == [either.end_id] * documents
        assert report.sides[side].tokens == len(ids) == sum(report.sides[side].shards)
        assert stream.text_bytes == sum(len(piece.text) for piece in PIECES if piece.side == side)
    assert max(report.sides["train"].shards) == 7
    assert len(report.sides["train"].shards) > 1


@settings(deadline=None, max_examples=25)
@given(
    pieces=st.lists(
        st.builds(Piece, st.text(max_size=20), st.sampled_from(["train", "validation"]), st.booleans()), max_size=12
    ),
    shard_tokens=st.integers(1, 9),
)
def test_any_pieces_come_back(
    bpe: Tokenizer, tmp_path_factory: pytest.TempPathFactory, pieces: list[Piece], shard_tokens: int
) -> None:
    pieces = [*pieces, Piece("x", "train", True)]
    out = tmp_path_factory.mktemp("tokens")
    report = run(pieces, bpe, out, shard_tokens=shard_tokens)
    for side in ("train", "validation"):
        stream = TokenStream.open(out, side)
        assert whole(stream) == expected(pieces, bpe, side)
        documents = "".join(bpe.decode(whole(stream)))
        assert documents == "".join(piece.text for piece in pieces if piece.side == side)
        assert report.sides[side].text_bytes == len(documents.encode())


def test_the_same_bytes_for_any_number_of_workers(bpe: Tokenizer, tmp_path: Path, text: str) -> None:
    pieces = [Piece(text[at : at + 900] * 7, "train" if at % 4 else "validation", at % 3 == 0) for at in range(120)]
    pieces += [Piece(text * 3, "train", True)]
    contents = []
    for workers in (1, 2, 5):
        out = tmp_path / str(workers)
        run(pieces, bpe, out, workers, shard_tokens=100_000)
        contents.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert contents[0] == contents[1] == contents[2]


class Meter(Silent):
    """Progress that counts what was advanced."""

    done = 0.0

    def task(self, label: str, total: float | None = None, unit: str = "") -> AbstractContextManager[Task]:
        return nullcontext(self)

    def describe(self, text: str) -> None: ...

    def advance(self, amount: float = 1) -> None:
        self.done += amount


def test_a_bounded_part_of_the_corpus_is_in_memory(char: Tokenizer, tmp_path: Path, text: str) -> None:
    meter, ahead = Meter(), []
    million = (text * 20)[:1_000_000]
    size = len(million.encode())

    def pieces() -> Iterator[Piece]:
        for number in range(30):
            yield Piece(million, "train", True)
            ahead.append((number + 1) * size - meter.done)

    report = encode(pieces(), char, tmp_path, workers=2, progress=meter)
    assert meter.done == 30 * size == report.sides["train"].text_bytes
    assert max(ahead) < HEAD_CHARACTERS + 20 * JOB_CHARACTERS


def test_a_corpus_without_training_text_is_an_error(bpe: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="training"):
        run([Piece("x", "validation", True)], bpe, tmp_path)
    assert not (tmp_path / "tokens.json").exists()


def test_characters_that_the_vocabulary_lacks_are_counted(char: Tokenizer, tmp_path: Path, heard: Heard) -> None:
    pieces = [Piece("a語b\ufffd語", "train", True), Piece("abc", "validation", True)]
    report = encode(pieces, char, tmp_path, workers=1, progress=heard)
    assert report.unknown == {"train": 2, "validation": 0}
    assert any(line.startswith("2 characters") for line in heard.warned)
    assert whole(TokenStream.open(tmp_path, "train")).count(char.unknown_id or -1) == 3


def test_a_large_vocabulary_takes_four_bytes_a_token(tmp_path: Path) -> None:
    text = "".join(map(chr, range(0x20000, 0x20000 + 66_000)))
    tokenizer = trained([text], tmp_path / "tokenizer", kind="char")
    report = run([Piece(text, "train", True)], tokenizer, tmp_path / "tokens", shard_tokens=1 << 20)
    stream = TokenStream.open(tmp_path / "tokens", "train")
    assert report.dtype == "uint32"
    assert (tmp_path / "tokens" / "train-00000.bin").stat().st_size == 4 * 66_001
    assert tokenizer.decode(whole(stream)) == text


def test_the_report_names_the_encoder_and_the_files_do_not(bpe: Tokenizer, tmp_path: Path) -> None:
    report = run(PIECES, bpe, tmp_path)
    assert report.encoder == "tiktoken"
    assert "tiktoken" not in (tmp_path / "tokens.json").read_text()
    assert np.dtype(report.dtype).itemsize == 2
