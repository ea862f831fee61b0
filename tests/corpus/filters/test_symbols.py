from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lmcli.corpus.filters.symbols import Symbols

from .scaling import UNITS, growth

ZWSP, ZWNJ, ZWJ, SHY, LRM, RLO, BOM = "\u200b", "\u200c", "\u200d", "\u00ad", "\u200e", "\u202e", "\ufeff"
SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Title\n=====\nText", "Title\nText"),
        ("Title\n  -----  \n\nText", "Title\n\nText"),
        ("==== Title ====\nText", "Title\nText"),
        ("one ~~~~ two", "one two"),
        ("one****two", "one two"),
        ("••••••••••\nlist", "list"),
        ("a\n+-----+-----+\n|=====|\nb", "a\nb"),
        ("=-=-=-=-\nend", "end"),
        ("a\n==== ----\nb", "a\nb"),
        ("last\n----", "last\n"),
        ("＝＝＝＝＝", ""),
        ("name\n________\nnext", "name\nnext"),
        ("########\n# Title", "# Title"),
        ("………………完", "完"),
    ],
)
def test_decoration_goes(text: str, rest: str) -> None:
    assert Symbols().apply(text) == rest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "a -- b, **bold**, a === b, --- ***",
        "#### Heading of the fourth level",
        "The capital is ____, said he.",
        "a|b|c || d",
        "wait... no.... well",
        "你好……他——走了",
        "★★★★☆ four stars",
        "$$$$ !!!!!! ????",
        "    indented\n\ttext",
    ],
)
def test_near_misses_stay(text: str) -> None:
    assert Symbols().apply(text) == text


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("│ a │ b │", "a b"),
        ("├── src\n│   └── main.py", "src\nmain.py"),
        ("┌────┐\nx\n└────┘\ny", "x\ny"),
        ("██████ 50 %", "50 %"),
    ],
)
def test_boxes(text: str, rest: str) -> None:
    assert Symbols().apply(text) == rest
    assert Symbols(boxes=False).apply(text) == text


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("so 😀😀😀😀😀 good", "so 😀😀😀 good"),
        ("😀 😀 😀 😀 😀", "😀 😀 😀"),
        ("👍🏽👍🏽👍🏽👍🏽", "👍🏽👍🏽👍🏽"),
        (f"👩{ZWJ}🚀" * 6, f"👩{ZWJ}🚀" * 3),
        ("😀😀😀 and 😀😃😀😃😀😃", "😀😀😀 and 😀😃😀😃😀😃"),
        ("❤️❤️❤️❤️", "❤️❤️❤️"),
        ("😀😀😀😀🏽", "😀😀😀😀🏽"),
        ("🏽🏽🏽🏽", "🏽🏽🏽🏽"),
    ],
)
def test_the_same_emoji_again_and_again(text: str, rest: str) -> None:
    assert Symbols().apply(text) == rest
    assert Symbols(emoji=0).apply(text) == text


def test_as_many_emoji_as_the_setting_says() -> None:
    assert Symbols(emoji=1).apply("a 😀😀 b 😀") == "a 😀 b 😀"
    assert Symbols(emoji=5).apply("😀" * 9) == "😀" * 5


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (f"in{SHY}vis{ZWSP}ible{BOM}", "invisible"),
        (f"a{ZWJ}b{ZWNJ}c", "abc"),
        (f"left{LRM} right{RLO}x", "left rightx"),
        (f"עברית{LRM} (a){RLO}", f"עברית{LRM} (a)"),
        (f"می{ZWNJ}خواهم", f"می{ZWNJ}خواهم"),
        (f"می{ZWNJ}{ZWNJ}خواهم {ZWNJ}", f"می{ZWNJ}خواهم "),
        (f"क्{ZWJ}ष", f"क्{ZWJ}ष"),
        (f"ภาษา{ZWSP}ไทย{ZWSP}x", f"ภาษา{ZWSP}ไทยx"),
        (f"👨{ZWJ}👩{ZWJ}👧{ZWJ}", f"👨{ZWJ}👩{ZWJ}👧"),
        (f"❤️{ZWJ}🔥", f"❤️{ZWJ}🔥"),
        (f"{SCOTLAND}!", f"{SCOTLAND}!"),
        ("hidden\U000e0068\U000e0069 text", "hidden text"),
    ],
)
def test_invisible_characters_stay_where_a_script_needs_them(text: str, rest: str) -> None:
    assert Symbols().apply(text) == rest
    assert Symbols(invisible=False).apply(text) == text


def test_private_use() -> None:
    assert Symbols().apply("icon \ue001 and \U000f1234 text\U0010fffd") == "icon  and  text"
    assert Symbols(private=False).apply("icon \ue001") == "icon \ue001"


def test_settings_of_decoration() -> None:
    assert Symbols(decoration=0).apply("=====") == "====="
    assert Symbols(decoration=6).apply("=====\n======\n") == "=====\n"


SIGNS = st.sampled_from(
    [*"ab =-_#|•\n\t│─★😀👍🏽א", ZWSP, ZWNJ, ZWJ, SHY, LRM, RLO, "\ue000", "ก", "م", "क", "\U000e0061"]
)


@given(
    st.text(SIGNS, max_size=60) | st.text(st.characters(exclude_categories=())),
    st.fixed_dictionaries({"decoration": st.integers(0, 5), "emoji": st.integers(0, 3), "boxes": st.booleans()}),
)
@example("😀====😀😀😀", {"decoration": 4, "emoji": 3, "boxes": True})
@example(f"क{ZWNJ}\u180e", {"decoration": 4, "emoji": 3, "boxes": True})
@example("== ____ ====\n____ x", {"decoration": 4, "emoji": 3, "boxes": True})
def test_twice_is_once(text: str, settings: dict[str, Any]) -> None:
    once = Symbols(**settings).apply(text)
    assert Symbols(**settings).apply(once) == once
    assert [c for c in once if c.isalnum()] == [c for c in text if c.isalnum()]


@pytest.mark.parametrize("unit", [*UNITS, "____ ", "____ x ", "==== x", "    \t", "│ ", "😀 ", f"👨{ZWJ}", "م\u200c"])
def test_time_is_linear(unit: str) -> None:
    assert growth(Symbols().apply, unit) < 2.6
