from __future__ import annotations

import pytest

from lmcli.corpus.filters.html import Html, is_html

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
