from __future__ import annotations

import random
import resource
import string
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.tokens import byte_pairs
from lmcli.tokens.byte_pairs import MARK, SEPARATOR, BytePairs, ranks_of
from lmcli.tokens.patterns import PATTERNS
from lmcli.tokens.tokenizer import Tokenizer
from tests.tokens.conftest import corpus, trained

SPACES = " \t\n\r\v\f\x1c\x85\xa0\u1680\u2007\u2028\u3000"
MIXED = st.text(st.sampled_from(f"{SPACES}aZé1.,'({MARK}{SEPARATOR}中\U0001f600"), max_size=40)


@pytest.fixture(scope="module")
def by_pattern(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Tokenizer, BytePairs]]:
    text = corpus(30_000) + "\n\n中文文本，中文。" * 40 + "====----====" * 9
    found = {}
    for name in PATTERNS:
        tokenizer = trained([text], tmp_path_factory.mktemp(name), vocab_size=1000, pattern=name)
        found[name] = (tokenizer, made(tokenizer))
    return found


def made(tokenizer: Tokenizer) -> BytePairs:
    ranks = ranks_of(tokenizer)
    assert ranks is not None
    return BytePairs(tokenizer, ranks, lambda text: np.array(tokenizer.encode_part(text), dtype=np.uint32))


@settings(deadline=None, max_examples=200)
@given(texts=st.lists(MIXED, max_size=5), name=st.sampled_from(sorted(PATTERNS)))
def test_texts_together_have_the_ids_of_each_alone(
    by_pattern: dict[str, tuple[Tokenizer, BytePairs]], texts: list[str], name: str
) -> None:
    tokenizer, fast = by_pattern[name]
    ids, ends = fast.encode_all(texts)
    starts = [0, *ends.tolist()]
    alone = [ids[start:end].tolist() for start, end in zip(starts, ends, strict=False)]
    assert alone == [tokenizer.encode_part(text) for text in texts]
    assert len(ids) == starts[-1]


@settings(deadline=None, max_examples=100)
@given(text=st.one_of(MIXED, st.text(st.characters(exclude_categories=["Cs"]))), name=st.sampled_from(sorted(PATTERNS)))
def test_one_text(by_pattern: dict[str, tuple[Tokenizer, BytePairs]], text: str, name: str) -> None:
    tokenizer, fast = by_pattern[name]
    assert fast.encode(text).tolist() == tokenizer.encode_part(text)


def test_every_space_before_every_space(by_pattern: dict[str, tuple[Tokenizer, BytePairs]]) -> None:
    text = "".join(f"x{a}{b}{c}y.{a}{b}1{a}{b}({c}{b}" for a in SPACES for b in SPACES for c in SPACES)
    for tokenizer, fast in by_pattern.values():
        assert fast.encode(text).tolist() == tokenizer.encode_part(text)


def _word(kind: str, size: int) -> str:
    chance = random.Random(0)
    letters = {"lower": string.ascii_lowercase, "dna": "ACGT", "signs": "=-+*'", "han": "中文字符的一是不"}
    if kind == "names":
        return "".join(chance.choice(["Http", "server", "URL", "x"]) for _ in range(size // 4))
    return kind * size if kind not in letters else "".join(chance.choices(letters[kind], k=size))


@pytest.mark.parametrize("kind", ["a", "=", "lower", "dna", "signs", "han", "names"])
def test_words_that_are_cut_have_the_same_ids(
    by_pattern: dict[str, tuple[Tokenizer, BytePairs]], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(byte_pairs, "LONG", 5_000)
    word = _word(kind, 30_000)
    text = f"It is {word} and 'tis {word[:15_000]}"
    for name, (tokenizer, fast) in by_pattern.items():
        cut = list(fast._cut(text))
        assert np.concatenate(cut).tolist() == tokenizer.encode_part(text)
        alike = kind != "names" and not (kind == "han" and name == "zh")
        assert not alike or len(cut) >= 5


def test_a_word_of_ten_million_letters_takes_little_memory(bpe: Tokenizer) -> None:
    fast = made(bpe)
    fast.encode("the " * 100_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert len(fast.encode("abcdefghij" * 1_000_000)) > 1_000_000
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 150  # of 480 MB for all at once


def test_white_space_that_never_ends(bpe: Tokenizer) -> None:
    fast = made(bpe)
    for sign in (" ", "\n", " \n", "\t \n", "\u3000"):
        text = "x" + sign * 300_000 + "x"
        assert fast.encode(text).tolist() == bpe.encode_part(text)


def test_special_tokens_in_a_vocabulary_are_no_merges(bpe: Tokenizer, tmp_path: Path) -> None:
    document = {**bpe.document, "model": {**bpe.document["model"]}}
    vocab = document["model"]["vocab"] = dict(bpe.document["model"]["vocab"])
    vocab["<|extra|>"] = max(bpe.vocab_size, len(vocab)) + 3
    ranks = ranks_of(Tokenizer(bpe.path, document))
    assert ranks is not None
    assert ranks == ranks_of(bpe)
    assert b"<|extra|>" not in ranks
