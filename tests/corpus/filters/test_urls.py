from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lmcli.corpus.documents import Drop
from lmcli.corpus.filters.urls import Urls

from .scaling import UNITS, growth


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("See https://example.org/a?b=c#d.", "See <url>."),
        ("HTTP://EXAMPLE.ORG, www.example.org!", "<url>, <url>!"),
        ("(https://en.org/wiki/Rust_(film)) and (http://a.b)", "(<url>) and (<url>)"),
        ("(http://a.b/c)http://d.e/f)(www.g.h)", "(<url>)<url>)(<url>)"),
        ("[text](https://a.org/x)**bold**", "[text](<url>)**bold**"),
        ('<a href="http://a.b/c">x</a>', '<a href="<url>">x</a>'),
        ("请看https://a.org/路径。然后www.b.cn？", "请看<url>路径。然后<url>？"),
        ("http://пример.рф/страница да", "<url> да"),
        ("ftp://a.b/c;type=i; x", "<url>; x"),
        ("http://10.0.0.1:8080/x", "<url>"),
        ("git+https://a.b/c.git@main", "git+<url>"),
    ],
)
def test_masked(text: str, rest: str) -> None:
    assert Urls().apply(text) == rest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "h",
        "http:// and https://",
        "www. is short",
        "wwww.x",
        "a.www.b",
        "example.org/a",
        "mailto:a@b.org",
        "s3://b/k",
    ],
)
def test_near_misses_stay(text: str) -> None:
    for mode in ("mask", "remove", "drop"):
        assert Urls(mode=mode).apply(text) == text


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("see http://a.b now", "see now"),
        ("http://a.b now", "now"),
        ("see (http://a.b).", "see ()."),
        ("x http://a.b\nhttp://c.d y", "x \ny"),
    ],
)
def test_removed(text: str, rest: str) -> None:
    assert Urls(mode="remove").apply(text) == rest


def test_own_placeholder() -> None:
    assert Urls(placeholder="URL").apply("http://a.b") == "URL"


def test_dropped_from_more_than_a_share() -> None:
    url = "http://a.b/c"  # 12 characters
    assert Urls(mode="drop").apply(url + " " * 47) == Drop("urls.too_many")
    assert Urls(mode="drop").apply(url + " " * 48) == url + " " * 48
    assert Urls(mode="drop", max_share=1).apply(url) == url


PARTS = st.lists(st.sampled_from([*"htpws:/.() \n<,见", "http://", "www.", "a.b"]), max_size=20).map("".join)


@given(PARTS | st.text(st.characters(exclude_categories=())), st.sampled_from(["mask", "remove", "drop"]))
@example("httphttp://a://b", "remove")
def test_masking_twice_is_masking_once(text: str, mode: Literal["mask", "remove", "drop"]) -> None:
    once = Urls(mode=mode).apply(text)
    if mode == "mask":
        assert isinstance(once, str) and Urls().apply(once) == once
    assert mode != "drop" or once in (text, Drop("urls.too_many"))


@pytest.mark.parametrize(
    "unit",
    [*UNITS, "http://a ", "http://a(", "http://a)", "http://a.(b))", "http://)", "http", "www.", "wwww", "http://a,"],
)
def test_time_is_linear(unit: str) -> None:
    assert growth(Urls().apply, unit) < 2.6
    assert growth(Urls(mode="remove").apply, "http://" + unit) < 2.6


def test_many_addresses_in_one_match_take_linear_time() -> None:
    # Text in front, for a match of a whole string is no copy of it.
    assert growth(lambda text: Urls().apply("見 " + text), "http://a)", length=200_000) < 2.6
