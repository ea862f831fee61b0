from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.corpus.documents import Drop
from lmcli.corpus.filters import html
from lmcli.corpus.filters.html import Html, is_html
from lmcli.errors import MachineError

PAGE = """<!DOCTYPE html>
<html><head><title>Rooms &amp; doors</title><style>p { color: red }</style>
<script type="text/javascript">if (a < b) document.write("<p>no</p>");</script></head>
<body><!-- a comment -- with <b>tags</b> --><h1 class="x">All
 rooms</h1><p>A <b>room</b> has&nbsp;<a href="x>y">walls</a>.<br>And&#x20;a door.</p>
<ul><li>one<li>two</ul><pre>def f():
    return List&lt;int&gt;
</pre><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table></body></html>"""


def test_a_page_becomes_what_its_reader_sees() -> None:
    assert Html().apply(PAGE) == (
        "Rooms & doors\n\nAll rooms\n\nA room has\xa0walls.\nAnd a door.\n\none\ntwo\n\n"
        "def f():\n    return List<int>\n\na\tb\n1\t2"
    ).replace("\xa0", " ")


@pytest.mark.parametrize(
    ("fragment", "text"),
    [
        ("<p>Hello</p>", "Hello"),
        ("<p>one<p>two", "one\n\ntwo"),
        ("<div>keep <module> and List&lt;T&gt;</div>", "keep <module> and List<T>"),
        ("<P ALIGN=left>loud</P>", "loud"),
        ("  <?xml version='1.0'?><html><p>x<script>never closed", "x"),
        ("<html><p>x<!-- never closed <p>y", "x"),
        ("<html>a<svg><text>no</text></svg>b<br/>c", "ab\nc"),
    ],
)
def test_fragments_and_broken_pages(fragment: str, text: str) -> None:
    assert Html().apply(fragment) == text


@pytest.mark.parametrize(
    "text",
    [
        "<module 'x' from 'y'>",
        "class List<int> { if (a < b && c > d) }",
        "a < b and b > c; x <- 3; &amp; stays",
        "# Title\n\n<p align='center'><img src='x.png'></p>\n\n" + "Text with `<div>` here.\n" * 30,
        "The <b> tag makes text bold; close it with </b>.",
        "<stdin>:1: SyntaxError\n<stdin>:2: again",
        "<" * 50,
    ],
)
def test_text_with_angle_brackets_stays(text: str) -> None:
    assert not is_html(text)
    assert Html().apply(text) == text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<html><details><summary>More</summary>hidden text</details>end", "More\nhidden text\n\nend"),
        ("<html>a<dialog open>b</dialog>c", "a\n\nb\n\nc"),
        ("<html><hgroup><h1>One</h1><p>two</p></hgroup>", "One\n\ntwo"),
        ("<html><search><input name=q></search>found", "found"),
        ("<html>see <picture><source srcset=x><img src=y></picture>it", "see it"),
        ("<html><video src=v><track src=t></video><audio controls>no sound</audio>", "no sound"),
        ("<html><base href='/'><map name=m><area shape=rect></map><embed src=e>x<slot>y</slot>", "xy"),
        ("<html><optgroup label=l><option>one<option>two</optgroup>", "one\ntwo"),
        ("<html><rustdoc-topbar><h2>Crate</h2></rustdoc-topbar>std", "Crate\n\nstd"),
        ("<!doctype html><my-card.big_1 data-x='a>b'>in</my-card.big_1> <X-Y/>out", "in out"),
        ("<html>keep <module> and <foo.bar>", "keep <module> and <foo.bar>"),
    ],
)
def test_newer_elements_and_custom_ones(page: str, text: str) -> None:
    assert Html().apply(page) == text


def test_a_name_with_a_hyphen_stays_outside_a_page() -> None:
    assert Html().apply("<p>run <file-name></p><p>now</p>") == "run <file-name>\n\nnow"
    assert Html().apply("<head-count> is <body-count>") == "<head-count> is <body-count>"


@pytest.mark.parametrize("text", ["<map>\n<area>\n<map>", "<search> <output>", "<my-x><my-y></my-y></my-x>"])
def test_names_that_others_use_too_are_no_sign_of_html(text: str) -> None:
    assert Html().apply(text) == text


SENTENCE = "A room has walls, a floor and a door, as every child knows. "
NEWS = (
    "<!DOCTYPE html><html><head><title>Rooms</title></head><body><nav><a href=x>Home</a> <a href=y>Sports</a></nav>"
    f"<article><h1>All rooms</h1><p>{SENTENCE * 5}</p><p>{SENTENCE * 3}</p></article>"
    "<div class=comments><p>First!</p></div><footer>© 2020 Rooms Ltd</footer></body></html>"
)


@pytest.fixture
def no_extractor() -> Iterator[None]:
    html._extractor.cache_clear()
    yield
    html._extractor.cache_clear()


def test_an_article_is_the_main_text_of_a_page() -> None:
    once = Html(mode="article").apply(NEWS)
    assert once == f"All rooms\n{(SENTENCE * 5).strip()}\n{(SENTENCE * 3).strip()}"
    assert Html(mode="article").apply(once) == once
    assert "Sports" in str(Html().apply(NEWS))


def test_a_page_without_an_article_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for page in ("<html></html>", "<html><body><script>x()</script></body></html>", "<html>" + " \n" * 50_000):
            assert Html(mode="article").apply(page) == Drop("html.no_article")
    assert not [record for record in caplog.records if record.name.startswith("trafilatura")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("<p>Hello</p>", "Hello"), ("plain", "plain"), ("", ""), ("<", "<"), ("a < b and b > c", "a < b and b > c")],
)
def test_articles_are_looked_for_in_pages_only(text: str, expected: str) -> None:
    assert Html(mode="article").apply(text) == expected


def test_what_to_install_for_articles(no_extractor: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    with pytest.raises(MachineError, match="the package trafilatura is not installed") as raised:
        Html(mode="article").apply(NEWS)
    assert raised.value.hint == 'pip install "lmcli[html]"'
    assert Html(mode="article").apply("<p>Hello</p>") == "Hello"


@given(
    st.lists(st.sampled_from(["<p>", "</p>", "<a-b>", "<div ", "<!--", "&#x", "&amp;", "\x00", "\ud800", "词", "x "]))
)
@settings(deadline=None, max_examples=60)
def test_no_page_is_an_error(parts: list[str]) -> None:
    page = "<html>" + "".join(parts)
    assert isinstance(Html().apply(page), str)
    result = Html(mode="article").apply(page)
    assert result == Drop("html.no_article") or (isinstance(result, str) and result.strip())
