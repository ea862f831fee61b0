from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.config import decode, fields
from lmcli.corpus.filters.stopwords import _LISTS, Stopwords
from lmcli.corpus.presets import PRESETS
from lmcli.errors import ConfigError
from tests.corpus.filters.test_linear_time import UNITS


@pytest.mark.parametrize(
    ("language", "text", "left"),
    [
        ("en", "The cat sat on the mat, and it was warm.", "cat sat mat, warm."),
        ("en", "a\nthe dog of\nof", "\ndog\n"),
        ("en", "Don't THE theory I'm an-other it", "Don't theory I'm an-other"),
        ("de", "Der Hund und die Katze schlafen über dem Dach.", "Hund Katze schlafen Dach."),
        ("fr", "L'homme qu'il voit n’est pas d'accord, aujourd'hui.", "homme voit accord, aujourd'hui."),
        ("es", "El perro y la gata están en el sofá.", "perro gata sofá."),
        ("zh", "我们 今天 在 北京 的 公园 里 散步 。", "今天 北京 公园 里 散步 。"),
    ],
)
def test_what_goes(language: str, text: str, left: str) -> None:
    assert decode(Stopwords, {"languages": [language]}).apply(text) == left


@pytest.mark.parametrize(
    "text", ["", "x", "Theodor andante", "not-a-word", "  cat  \n\t sat ", "我们在北京", "'", "l'"]
)
def test_what_stays(text: str) -> None:
    assert Stopwords(languages=("en", "fr", "zh")).apply(text) == text


def test_words_of_one_s_own() -> None:
    assert Stopwords(words=("Foo", "BAR")).apply("the foo bar baz Foo") == "baz"
    assert Stopwords(languages=(), words=("foo",)).apply("the foo bar") == "the bar"
    with pytest.raises(ConfigError, match="languages"):
        decode(Stopwords, {"languages": ["xx"]})


def test_it_is_off_everywhere_and_says_why() -> None:
    assert all("stopwords" not in preset.filters for preset in PRESETS.values())
    assert "harms a model that writes text" in (Stopwords.__doc__ or "")
    assert "perplexity compares with nobody's" in " ".join((Stopwords.__doc__ or "").split())
    assert all(field.help for field in fields(Stopwords).values())


def test_no_word_is_listed_twice() -> None:
    for words in _LISTS.values():
        assert len(set(words.split())) == len(words.split()) > 50


@given(st.text(alphabet=st.characters(exclude_categories=())))
@settings(deadline=None, max_examples=100)
def test_nothing_is_added_and_no_text_is_too_odd(text: str) -> None:
    left = iter(text)
    assert all(character in left for character in Stopwords(languages=("en", "fr")).apply(text))


@pytest.mark.parametrize("unit", [*UNITS.values(), "the ", "l'", "a-", "a'", " the"])
def test_a_long_text(unit: str) -> None:
    text = unit * (300_000 // len(unit))
    start = time.process_time()
    left = Stopwords(languages=("en", "fr")).apply(text)
    assert time.process_time() - start < 2
    assert len(left) <= len(text)
