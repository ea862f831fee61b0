from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.corpus import spans as module
from lmcli.corpus.spans import Spans, hash_of, spans
from lmcli.corpus.words import is_spaceless, tokens, words
from tests.processes import printed_with_hash_seeds

SIGNS = "ab1 \n'’-_.,。中あไั๑〇½“”\U00020000\U000323b0\U0010ffff\x00\x1c\x85\u3000\ud800"
TEXTS = st.text(st.sampled_from(SIGNS), max_size=80) | st.text(max_size=80) | st.text(st.sampled_from("ab'- ."))


def strings(text: str, found: Spans) -> list[str]:
    rows = zip(found.starts.tolist(), found.lengths.tolist(), strict=True)
    return [text[start : start + length] for start, length in rows]


@given(TEXTS)
@settings(max_examples=300)
def test_spans_are_the_tokens(text: str) -> None:
    found = spans(text)
    assert strings(text, found) == tokens(text)
    assert [token for token, is_word in zip(tokens(text), found.is_word, strict=True) if is_word] == words(text)
    assert found.words == len(words(text))
    assert found.is_spaceless is is_spaceless(text)


@given(TEXTS)
def test_equal_tokens_have_equal_hashes(text: str) -> None:
    pairs = set(zip(tokens(text), spans(text).hashes.tolist(), strict=True))
    assert len(pairs) == len({token for token, _ in pairs}) == len({value for _, value in pairs})


def test_a_token_has_one_hash_in_any_text() -> None:
    alone = hash_of("don't")
    assert alone is not None
    for text in ("I don't.", "我 don't 知道", "x" * 5000 + " don't"):
        assert alone in spans(text).hashes.tolist()
    assert hash_of("two words") is None
    assert hash_of(" padded") is None
    assert hash_of("") is None


@given(st.text(st.sampled_from("ab1é½中อั๑、."), max_size=20))
def test_letters(text: str) -> None:
    expected = [any(character.isalpha() or character == "ั" for character in token) for token in tokens(text)]
    assert spans(text).has_letter.tolist() == expected


def test_characters_of_scripts_without_spaces() -> None:
    assert spans("中文 and ไทย.").is_character.tolist() == [True, True, False, True, True, True, False]


@pytest.mark.parametrize("fill", ["word, ", "слово 中文。", "don't "])
def test_blocks_make_no_difference(fill: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = fill * 40 + "x" * 300 + " " + "x" * 299 + " " + "x" * 300 + "." + fill * 40
    whole = spans.__wrapped__(text)
    monkeypatch.setattr(module, "_BLOCK", 64)
    monkeypatch.setattr(module, "_LONG", 16)
    module._powers.cache_clear()
    parts = spans.__wrapped__(text)
    module._powers.cache_clear()
    assert strings(text, parts) == strings(text, whole) == tokens(text)
    groups = [np.unique(found.hashes, return_inverse=True)[1] for found in (whole, parts)]
    assert len({*zip(groups[0].tolist(), groups[1].tolist(), strict=True)}) == len(set(groups[0].tolist()))


def test_a_token_longer_than_a_block() -> None:
    first, second = "a" * 100_000, "a" * 99_999
    found = spans(f"{first} {second} {first}").hashes.tolist()
    assert found[0] == found[2] != found[1]


def test_hashes_are_the_same_in_every_process() -> None:
    script = "from lmcli.corpus.spans import spans; print(spans('one two, 三四 one').hashes.tolist())"
    printed = printed_with_hash_seeds(script)
    assert len(printed) == 1
