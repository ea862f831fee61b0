from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lmcli.config import decode
from lmcli.corpus.filters.unicode import Unicode
from lmcli.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("donâ€™t", "don’t"),
        ("ÃƒÂ©", "é"),
        ("cafe\u0301", "café"),
        ("a\x00b\x08c\x7f", "abc"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\ufefftext", "text"),
    ],
)
def test_what_is_repaired(text: str, expected: str) -> None:
    assert Unicode().apply(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "你好，世界！①　全角：ＡＢＣ、１２３。“引号”《书》\n",
        "彼は「部屋」に入ると、ｶﾀｶﾅとカタカナ。",
        "“curly” ‘quotes’ — ﬁnd, Straße, naïve, El Niño, l’été, «guillemets»",
        "if a < b && c:\n\tx = '\\u00e9'  # é\r\n",
        "&lt;p&gt; &amp;c.",
        "Привет, мир! Γειά σου. שלום. สวัสดี 👩\u200d💻",
        "line\u2028separator\x0cform feed",
    ],
)
def test_what_stays(text: str) -> None:
    assert Unicode().apply(text) == text


def test_forms_and_mojibake_are_settings() -> None:
    assert Unicode(form="NFKC").apply("①ＡＢＣ") == "1ABC"
    assert Unicode(form="none").apply("cafe\u0301") == "cafe\u0301"
    assert Unicode(mojibake=False).apply("donâ€™t") == "donâ€™t"
    with pytest.raises(ConfigError, match=r"clean\.filters\.form"):
        decode(Unicode, {"form": "NFX"}, "clean.filters")


@example("a\x1b\u0301")
@given(st.text(st.sampled_from("aé\u0301\x00\x1b[ \n’“你ａ")))
@settings(deadline=None, max_examples=50)
def test_twice_is_once(text: str) -> None:
    once = Unicode(mojibake=False).apply(text)
    assert Unicode(mojibake=False).apply(once) == once
