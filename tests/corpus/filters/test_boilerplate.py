from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lmcli.corpus.documents import Drop
from lmcli.corpus.filters import boilerplate
from lmcli.corpus.filters.boilerplate import Boilerplate

from .scaling import UNITS, growth


@pytest.mark.parametrize(
    "line",
    [
        "All rights reserved.",
        "© 2024 Example Ltd. All Rights Reserved",
        "Copyright (c) 2019 by nobody",
        "Copyright 2001-2004, Somebody",
        "© Copyright 2020 X",
        "(c) 2011 X",
        "We use cookies to improve your experience.",
        "This site uses cookies.",
        "By continuing to use this site you agree",
        "Accept all cookies",
        "Cookie settings",
        "Please enable JavaScript to view this page",
        "Share on Facebook",
        "Share this article",
        "Share via e-mail",
        "Tweet",
        "Follow us on Twitter",
        "Like us on Facebook!",
        "Read more",
        "» Read more…",
        "Read more: The other story",
        "[Continue reading]",
        "Continue reading the main story",
        "Click here to subscribe",
        "Subscribe to our newsletter",
        "SUBSCRIBE TO OUR WEEKLY NEWSLETTER!",
        "Subscribe to my YouTube channel",
        "Sign up for our daily news and offers",
        "* Privacy Policy",
        "| Terms of Service |",
        "Skip to main content",
        "← Previous post",
        "Page 3",
        "Page 3 of 10",
        "Seite 3 von 10",
        "- 12 -",
        "— 7 —",
        "Posted in: News",
        "Filed under: Science",
        "Powered by WordPress",
        "Your email address will not be published.",
        "Impressum",
        "Tous droits réservés",
        "版权所有 © 某某公司",
        "京ICP备12345678号-1",
        "责任编辑：张三",
        "（责任编辑：李四）",
        "点击查看更多",
        "点击这里下载",
        "上一篇：旧文章",
        "下一篇: 无",
        "下一页",
        "第 3 页",
        "第3页 共10页",
        "共 12 页",
        "分享到：微博 微信",
        "扫描二维码关注我们",
        "关注微信公众号",
        "转载请注明出处",
        "未经授权，不得转载",
        "来源：新华网",
        "返回顶部",
        "相关阅读：",
    ],
)
def test_furniture_goes(line: str) -> None:
    assert Boilerplate().apply(f"First.\n{line}\nLast.") == "First.\nLast."
    assert Boilerplate().apply(f"\n {line}\t\n") == Drop("boilerplate.only")


@pytest.mark.parametrize(
    "line",
    [
        "She copied the page and reserved all her rights.",
        "Browsers use cookies to keep sessions.",
        "Copyright law is older than the press.",
        "Copyright 1709 was the year of the Statute",
        "Read more books, he said.",
        "They subscribe to the theory that rooms have doors.",
        "Share prices on the exchange fell.",
        "Page turners are what he writes",
        "Page 3 says more about it",
        "Powered by a small engine, the boat left.",
        "Sign up to fight was what they did.",
        "Click here and there were heard all night.",
        "12",
        "3 / 4",
        "-12",
        "- 123456 -",
        "- one -",
        "第 3 页上写着他的名字",
        "他点击鼠标查看内容",
        "上一篇文章讲了很多道理",
        "这本书的来源：一家古老的书店。",
        "编辑部的故事",
        "他们分享了一个苹果",
        "(c) the third point of the list",
        "---",
        "###",
    ],
)
def test_near_misses_stay(line: str) -> None:
    assert Boilerplate().apply(f"First.\n{line}\nLast.") == f"First.\n{line}\nLast."


@pytest.mark.parametrize("line", ["All rights reserved. ", "Read more: ", "Subscribe to our newsletter. "])
def test_longer_lines_stay(line: str) -> None:
    filled = line + "x" * (120 - len(line))
    assert Boilerplate().apply(f"a\n{filled}") == "a"
    assert Boilerplate().apply(f"a\n{filled}x") == f"a\n{filled}x"
    assert Boilerplate(max_characters=121).apply(f"a\n{filled}x") == "a"


def test_own_phrases() -> None:
    assert Boilerplate(phrases=("Brought to you",)).apply("a\nBROUGHT to you by x\nb") == "a\nb"


def test_blank_lines_around_what_is_removed_become_one() -> None:
    assert Boilerplate().apply("a\n\nShare\n\nTweet\n\nb\n\n\nc") == "a\n\nb\n\n\nc"
    assert Boilerplate().apply("Share\n\n\na") == "a"


@pytest.mark.parametrize("text", ["", " ", "\n\n", "x", "\x00", "İ\nİ"])
def test_nothing_to_remove(text: str) -> None:
    assert Boilerplate().apply(text) == text


def test_each_pattern_begins_with_a_plain_character() -> None:
    special = set(r"\.^$*+?{}[]|()")
    assert not [pattern for pattern in boilerplate._STARTS if pattern[0] in special or pattern[1] in "?*{+"]


LINES = st.sampled_from(
    ["", " ", "Share", "- 1 -", "© 2020", "text", "İ", "第3页", "all rights reserved", "\x0b", "\x85"]
)


@given(st.lists(LINES | st.text(max_size=5)).map("\n".join))
@example("\n\nShare\n")
def test_twice_is_once_and_nothing_is_added(text: str) -> None:
    once = Boilerplate().apply(text)
    if isinstance(once, Drop):
        assert once.reason == "boilerplate.only" and text.strip()
        return
    assert Boilerplate().apply(once) == once
    rest = iter(text.split("\n"))
    assert all(line in rest for line in once.split("\n"))  # in this order


@pytest.mark.parametrize("unit", [*UNITS, "share\n", "x\n", "read more", "第1页\n", "c) "])
def test_time_is_linear(unit: str) -> None:
    assert growth(Boilerplate(max_characters=10**6).apply, unit) < 2.6
