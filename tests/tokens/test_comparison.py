"""The figures of the doctor for tokenizers, on texts where they can be counted by hand."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import models, pre_tokenizers

from lmcli.cli.comparing import lines
from lmcli.tokens.comparison import Candidate, compare, load, paragraphs, sample
from lmcli.tokens.tokenizer import Tokenizer
from tests.tokens.conftest import corpus
from tests.tokens.test_patterns import CHINESE


def test_figures_of_bytes_and_of_characters(bpe: Tokenizer, char: Tokenizer) -> None:
    texts = ["the a a\n", "中 语"]
    found, other = compare([Candidate("b", bpe, bpe.vocab_size), Candidate("c", char, char.vocab_size)], texts)
    assert (found.name, found.kind, found.vocab_size) == ("b", "BPE", bpe.vocab_size)
    assert found.text_bytes == 8 + 7
    assert found.words == 5
    assert found.bytes_per_token_by_script == {"Latin": 8 / 4, "Han": 1.0}
    assert found.tokens == 4 + 7
    assert (found.failures, found.first_failure, found.unknown) == (0, None, 0)
    assert found.fertility == 11 / 5
    # "the", " a", "\n" and the seven bytes of the other
    assert found.unused == pytest.approx(1 - (3 + len(set(bpe.encode(texts[1])))) / (bpe.vocab_size - 2))
    assert (other.unknown, other.failures, other.paragraphs) == (1, 1, 2)
    assert other.first_failure == ("中 语", "中 \ufffd")
    assert other.tokens == 8 + 3
    assert len(found.longest) == 5
    assert len(found.longest[0]) >= len(found.longest[-1]) > 5


def test_a_tokenizer_without_an_end_token_can_be_looked_at(tmp_path: Path) -> None:
    backend = tokenizers.Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    path = tmp_path / "mine.json"
    backend.save(str(path))
    candidate = load("mine", path)
    assert (candidate.name, candidate.vocab_size) == ("mine", 2)
    (figures,) = compare([candidate], ["a b a", "a"])
    assert (figures.unknown, figures.unused, figures.failures) == (1, 0.0, 1)
    assert list(tmp_path.iterdir()) == [path]


def test_the_table(bpe: Tokenizer, char: Tokenizer) -> None:
    found = compare([Candidate("one", bpe, 300), Candidate("the other", char, 7)], ["the a a\n", "中 语"])
    shown = lines(found)
    assert shown[0] == "on 15 B of text, 5 words"
    assert shown[1].split() == ["one", "the", "other"]
    assert [row.split() for row in shown if row.startswith("  Han")] == [["Han", "1.000", "2.333"]]
    assert [row.split() for row in shown if row.startswith("texts changed")] == [
        ["texts", "changed", "0", "of", "2", "1", "of", "2"]
    ]
    assert shown[-1] == "the other: '中 语' comes back as '中 \ufffd'"


@given(st.text(alphabet="ab\n 中"))
def test_paragraphs_join_to_the_text(text: str) -> None:
    assert "".join(paragraphs(text)) == text


def test_paragraphs_are_bounded() -> None:
    assert [len(part) for part in paragraphs("x" * 10_000)] == [4096, 4096, 1808]
    assert len(list(paragraphs("line\n" * 1000))) == 31
    assert list(paragraphs("a\nb\n\n\nc\n")) == ["a\nb\n\n\n", "c\n"]


def test_a_sample_is_bounded_and_the_same_each_time() -> None:
    text = corpus(400_000)
    taken = sample([text], len(text), 50_000)
    assert 30_000 < sum(len(part) for part in taken) <= 50_000
    assert taken == sample([text], len(text), 50_000)
    assert "".join(sample([text, CHINESE], len(text))) == text + CHINESE
    places = [text.index(part) for part in taken]
    assert max(places) > 300_000


def test_time_grows_with_the_text() -> None:
    for unit in ("\n", "a\n", " \n", "a", "\n\na"):
        start = time.process_time()
        assert sum(map(len, paragraphs(unit * 500_000))) == 500_000 * len(unit)
        assert time.process_time() - start < 2


def test_figures_are_json(bpe: Tokenizer) -> None:
    from dataclasses import asdict

    (figures,) = compare([Candidate("b", bpe, bpe.vocab_size)], [corpus(5_000)])
    assert json.loads(json.dumps(asdict(figures)))["bytes_per_token"] == figures.bytes_per_token
