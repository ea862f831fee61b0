from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.objectives.batch import IGNORED
from lmcli.objectives.masking import Draws, Masking
from lmcli.tokens.tokenizer import Tokenizer
from lmcli.tokens.word_pieces import WordPieces
from tests.tokens.conftest import trained

VOCAB, MASK = 100, 99
ORDINARY = np.arange(VOCAB) < 97


def masking(rate: float = 0.15, mask: float = 0.8, random: float = 0.1, words: WordPieces | None = None) -> Masking:
    return Masking(rate, mask, random, MASK, ORDINARY, words)


@settings(deadline=None, max_examples=100)
@given(
    ids=st.lists(st.integers(0, VOCAB - 2), min_size=1, max_size=60),
    seed=st.integers(0, 1000),
    rate=st.floats(0.01, 0.99),
    exact=st.booleans(),
)
def test_nothing_is_lost_and_only_chosen_tokens_change(ids: list[int], seed: int, rate: float, exact: bool) -> None:
    text = np.array(ids)
    draws = Draws.of(np.random.default_rng(seed), len(text))
    inputs, targets = masking(rate)(text, draws, exact=exact)
    chosen = targets != IGNORED
    assert np.array_equal(np.where(chosen, targets, inputs), text)
    assert ORDINARY[text[chosen]].all()
    assert (ORDINARY[inputs[chosen]] | (inputs[chosen] == MASK)).all()
    if exact and ORDINARY[text].any():
        assert chosen.sum() == max(1, round(rate * ORDINARY[text].sum()))


@pytest.mark.parametrize("exact", [True, False])
def test_the_shares_are_those_of_bert(exact: bool) -> None:
    text = np.random.default_rng(0).integers(0, 97, 200_000)
    inputs, targets = masking()(text, Draws.of(np.random.default_rng(1), len(text)), exact=exact)
    chosen = targets != IGNORED
    assert chosen.mean() == pytest.approx(0.15, abs=0.003)
    hidden, same = inputs[chosen] == MASK, inputs[chosen] == text[chosen]
    assert hidden.mean() == pytest.approx(0.8, abs=0.01)
    assert same.mean() == pytest.approx(0.1 + 0.1 / 97, abs=0.01)
    others = inputs[chosen & (inputs != MASK) & (inputs != text)]
    assert np.bincount(others, minlength=97)[:97].min() > 0.5 * len(others) / 97


def test_the_same_places_are_hidden_whenever_they_come_by() -> None:
    text = np.random.default_rng(0).integers(0, 97, 100_000)
    places = np.arange(len(text))
    whole = masking()(text, Draws.at(places, seed=3), exact=False)
    part = masking()(text[777:9000], Draws.at(places[777:9000], seed=3), exact=False)
    assert all(np.array_equal(found[777:9000], again) for found, again in zip(whole, part, strict=True))
    assert (whole[1] != IGNORED).mean() == pytest.approx(0.15, abs=0.004)
    assert not np.array_equal(whole[1], masking()(text, Draws.at(places, seed=4), exact=False)[1])
    numbers = Draws.at(places, seed=0)
    assert all(abs(np.corrcoef(one, other)[0, 1]) < 0.02 for one, other in [numbers[:2], numbers[1:], numbers[::2]])


@pytest.mark.parametrize("exact", [True, False])
def test_words_are_hidden_as_a_whole(exact: bool) -> None:
    rng = np.random.default_rng(2)
    inside = rng.random(VOCAB) < 0.4
    words = WordPieces(np.zeros(VOCAB, dtype=bool), np.zeros(VOCAB, dtype=bool), inside)
    text = rng.integers(0, 97, 50_000)
    _, targets = masking(words=words)(text, Draws.of(rng, len(text)), exact=exact)
    chosen, number = targets != IGNORED, words.numbers(text)
    shares = np.bincount(number, weights=chosen) / np.bincount(number)
    assert set(shares) == {0.0, 1.0}
    assert chosen.mean() == pytest.approx(0.15, abs=0.005)


@pytest.mark.parametrize("kind", ["bpe", "wordpiece", "unigram", "char", "word"])
def test_words_of_each_kind_of_tokenizer(kind: str, text: str, tmp_path: Path) -> None:
    tokenizer = trained([text], tmp_path, kind=kind, vocab_size="auto" if kind in ("char", "word") else 600)
    if kind != "word":
        assert words_of(tokenizer, "unbelievably so") == ["unbelievably", "so"]
    assert "".join(words_of(tokenizer, "statements, expressions")).replace(" ", "") == "statements,expressions"


def words_of(tokenizer: Tokenizer, text: str) -> list[str]:
    ids = np.array(tokenizer.encode(text))
    numbers = WordPieces.of(tokenizer).numbers(ids)
    words = (tokenizer.decode(ids[numbers == number].tolist()).strip() for number in range(numbers[-1] + 1))
    return [word for word in words if word]


def test_scripts_without_spaces_are_hidden_sign_by_sign(bpe: Tokenizer) -> None:
    ids = np.array(bpe.encode("你好 world"))
    assert WordPieces.of(bpe).numbers(ids).max() >= 2
    assert words_of(bpe, "你好")[0] in ("你", "你好")


def test_a_word_that_is_too_long_for_the_share_is_hidden_where_it_is_all_there_is() -> None:
    inside = np.ones(VOCAB, dtype=bool)
    words = WordPieces(np.zeros(VOCAB, dtype=bool), np.zeros(VOCAB, dtype=bool), inside)
    _, targets = masking(words=words)(np.arange(5), Draws.of(np.random.default_rng(0), 5), exact=True)
    assert targets.tolist() == [0, 1, 2, 3, 4]
