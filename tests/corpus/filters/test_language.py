from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.config import decode
from lmcli.corpus.documents import Drop
from lmcli.corpus.filters.language import Language
from lmcli.errors import ConfigError
from tests.corpus.test_language import TEXTS


@pytest.mark.parametrize(("code", "text"), TEXTS.items(), ids=TEXTS.keys())
def test_named_languages_stay_and_others_go(code: str, text: str) -> None:
    others = tuple(other for other in TEXTS if other != code)
    assert Language(keep=(code,)).apply(text) == text
    assert Language(keep=others).apply(text) == Drop("language.other")
    assert Language().apply(text) == text


def test_a_score_decides_what_is_unsure() -> None:
    text = "a b c"
    assert Language(keep=("en", "zh", "es", "ca", "fr"), min_score=0.99).apply(text) == Drop("language.unsure")
    assert Language(keep=("en",), min_score=0).apply(TEXTS["en"]) == TEXTS["en"]
    assert Language(keep=("en",), min_score=1).apply(TEXTS["en"][:20]) == Drop("language.unsure")
    assert Language(min_score=1).apply(text) == text


@pytest.mark.parametrize("text", ["", "7", "。", "42\n" * 100_000])
def test_text_without_a_language_is_unsure(text: str) -> None:
    assert Language(keep=("en",)).apply(text) == Drop("language.unsure")
    assert Language().apply(text) == text


def test_settings_are_checked() -> None:
    assert decode(Language, {"keep": ["en", "zh"]}) == Language(keep=("en", "zh"))
    with pytest.raises(ConfigError, match="min_score"):
        decode(Language, {"min_score": 1.5})


@given(st.text(alphabet=st.characters(exclude_categories=())))
@settings(deadline=None, max_examples=50)
def test_no_text_is_too_odd(text: str) -> None:
    assert Language(keep=("en",)).apply(text) in (text, Drop("language.unsure"), Drop("language.other"))
