"""Web pages to the text that a reader of them sees."""

from __future__ import annotations

import functools
import html
import logging
import re
from collections.abc import Callable, Iterator
from typing import Annotated, Literal

from lmcli.config import section
from lmcli.corpus.documents import Drop
from lmcli.errors import MachineError

_PARAGRAPHS = {
    "address", "article", "aside", "blockquote", "body", "center", "details", "dialog", "dl", "fieldset", "figure",
    "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hgroup", "hr", "html", "main", "nav", "ol",
    "p", "pre", "section", "table", "title", "ul",
}  # fmt: skip
_LINES = {
    "br", "caption", "dd", "div", "dt", "figcaption", "legend", "li", "optgroup", "option", "summary", "tbody", "tfoot",
    "thead", "tr",
}  # fmt: skip
_INLINE = {
    "a", "abbr", "acronym", "audio", "b", "bdi", "bdo", "big", "button", "cite", "code", "col", "colgroup", "data",
    "del", "dfn", "em", "font", "i", "img", "input", "ins", "kbd", "label", "link", "mark", "meta", "nobr", "picture",
    "q", "rp", "rt", "ruby", "s", "samp", "select", "small", "source", "span", "strike", "strong", "sub", "sup",
    "textarea", "time", "tt", "u", "var", "video", "wbr",
}  # fmt: skip
_CELLS = {"td", "th"}
_HIDDEN = ("script", "style", "template", "noscript", "svg", "iframe", "object", "canvas", "math")
_SIGNS = _PARAGRAPHS | _LINES | _INLINE | _CELLS | set(_HIDDEN)
# Tags too, but no sign that a text is HTML, for XML and C++ have the same names: #include <map>.
_PARAGRAPHS |= {"dir", "frameset", "menu", "search"}
_INLINE |= {
    "area", "base", "basefont", "blink", "datalist", "embed", "frame", "map", "marquee", "meter", "noframes", "output",
    "param", "progress", "rb", "rtc", "slot", "track",
}  # fmt: skip
_KNOWN = _SIGNS | _PARAGRAPHS | _INLINE

# A tag ends before the next "<" at the latest, and no part of the pattern gives back what it took: on any text the
# work is linear, which the tokenizer of the standard library doesn't promise.
_TAG = re.compile(
    r"<(?P<close>/?)(?P<name>[a-zA-Z][a-zA-Z0-9]*+(?:-[a-zA-Z0-9._-]*+)?)(?=[\s/>])"
    r"""(?:[^<>"']|"[^"<]*+"|'[^'<]*+')*+>"""
    r"|(?P<comment><!--)|<[!?][^<>]*+>"
)
_PAGE = re.compile(r"\s*+(?:<\?xml[^<>]*+>\s*+)?<(?:!doctype\s++html|html|head|body)(?=[\s/>])", re.IGNORECASE)
_SPACES = re.compile(r"\s++")

_FRAGMENT_DENSITY = 200  # characters for each tag, at most, in a text that is taken for a piece of HTML


@section
class Html:
    """Turns HTML into text: no tags, scripts or styles, entities decoded, a line for each block.

    Text which merely has angle brackets (`<module>`, `List<int>`, `a < b`), and Markdown with a tag here and there,
    stays as it is. With mode "article" whole pages give their main text only, and are dropped where there is none;
    pieces of HTML are treated as with "tags".
    """

    mode: Annotated[
        Literal["tags", "article"],
        "tags keeps all the text of a page; article extracts its main text with trafilatura (extra html), much slower",
    ] = "tags"

    def apply(self, text: str) -> str | Drop:
        if "<" not in text:
            return text
        if self.mode == "article" and is_page(text):
            return _extractor()(text) or Drop("html.no_article")
        return _Page(text).text() if is_html(text) else text


def is_page(text: str) -> bool:
    """Whether the text begins as a whole page does."""
    return _PAGE.match(text) is not None


def is_html(text: str) -> bool:
    """Whether the text is a page (it begins like one) or a fragment: it begins with a tag, and tags are all over it."""
    if is_page(text):
        return True
    first = _TAG.match(text.lstrip()[:2000])
    if not first or first["comment"] or (first["name"] or "").lower() not in _SIGNS:
        return False
    tags = sum((match["name"] or "").lower() in _SIGNS for match in _TAG.finditer(text))
    return tags >= 2 and tags * _FRAGMENT_DENSITY >= len(text)


@functools.cache
def _extractor() -> Callable[[str], str]:
    """Raises MachineError where trafilatura isn't installed."""
    try:
        import trafilatura
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise MachineError(f"the package {package} is not installed", 'pip install "lmcli[html]"') from None
    # It logs each page that has no text; that is what the report of drops is for.
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL + 1)

    def extract(page: str) -> str:
        return (trafilatura.extract(page, include_comments=False) or "").strip()

    return extract


class _Page:
    """One pass over a page, writing its text."""

    def __init__(self, source: str) -> None:
        self._source = source
        # In a page these are custom elements; in a piece of one <file-name> may be what its writer typed.
        self._custom = is_page(source)
        self._written: list[str] = []
        self._preformatted = 0

    def text(self) -> str:
        for token in self._tokens():
            if isinstance(token, re.Match):
                self._tag(token["name"].lower(), closing=bool(token["close"]), source=token[0])
            else:
                self._data(token)
        lines = (line.rstrip() for line in "".join(self._written).split("\n"))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")

    def _tokens(self) -> Iterator[str | re.Match[str]]:
        """The text between tags, and the tags that have a name."""
        place = 0
        while match := _TAG.search(self._source, place):
            if match.start() > place:
                yield self._source[place : match.start()]
            place = match.end()
            if match["comment"]:
                place = self._after("-->", place)
            elif name := match["name"]:
                if name.lower() in _HIDDEN and not match["close"] and not match[0].endswith("/>"):
                    place = self._after(f"</{name}", place)
                yield match
        yield self._source[place:]

    def _after(self, end: str, place: int) -> int:
        """Behind the next `end`; what is never closed hides the rest of the page, so the search is made only once."""
        found = re.compile(re.escape(end) + (r"[^<>]*+>?" if end != "-->" else ""), re.IGNORECASE)
        match = found.search(self._source, place)
        return match.end() if match else len(self._source)

    def _tag(self, name: str, closing: bool, source: str) -> None:
        if name not in _KNOWN:
            if "-" not in name or not self._custom:
                self._write(source)
        elif name == "pre":
            self._preformatted = max(0, self._preformatted + (-1 if closing else 1))
            self._write("\n\n")
        elif name in _PARAGRAPHS:
            self._write("\n\n")
        elif name == "br" or (name in _LINES and not self._at_line_start()):
            self._write("\n")
        elif name in _CELLS and closing:
            self._write("\t")

    def _data(self, raw: str) -> None:
        text = html.unescape(raw)
        if self._preformatted:
            self._write(text)
            return
        text = _SPACES.sub(" ", text)
        at_line_start = not self._written or self._written[-1].endswith(("\n", " ", "\t"))
        self._write(text.lstrip(" ") if at_line_start else text)

    def _at_line_start(self) -> bool:
        return not self._written or self._written[-1].endswith("\n")

    def _write(self, text: str) -> None:
        if text:
            self._written.append(text)
