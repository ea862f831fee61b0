"""warc and wet: pages as crawlers keep them. A page is a document with its HTML as it came, text is left as it is."""

from __future__ import annotations

import codecs
import io
import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from lmcli.corpus.charset import certain_charset
from lmcli.corpus.compression import chunks
from lmcli.corpus.documents import Document
from lmcli.corpus.encoding import Encoding, decode
from lmcli.errors import InputError, MachineError

if TYPE_CHECKING:
    from lmcli.corpus.reading import Reading
    from lmcli.corpus.sources import Source

PAGE = 32 << 20  # bytes: a larger page is left out and counted
HEADERS = 1 << 20  # bytes

_TEXTS = ("text/html", "text/plain", "application/xhtml+xml")
_META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_META_WITHIN = 4096  # bytes
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_PACKINGS = ("identity", "gzip", "x-gzip", "deflate")

# What browsers take an encoding for that is declared; and codecs that are no encoding of pages, some of them slow.
_MEANT = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949"}
_NO_CHARSETS = {"punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7"}


def read(source: Source, reading: Reading) -> Iterator[Document]:
    """A document for each HTML or plain-text answer with status 2xx, and for each text of a WET file.

    The number in its name counts all records of the file. What else there is, is counted in `tally.skipped`. Raises
    InputError, with the number of the record and its place in the unpacked file, for what is damaged or cut short.
    """
    assert source.path is not None
    loader = _loader()
    stream = _Stream(chunks(source.path, reading.advance))
    number = 0
    while stream.skip_empty_lines():
        number += 1
        place = f"{source.label}:{number}"
        try:
            page, skipped = _page(stream, loader)
        except _DamagedError as error:
            message = f"{place}: {error} (record at byte {stream.record_at} of the unpacked file)"
            raise InputError(message, "the file is damaged or was not copied completely") from None
        if page is None:
            reading.tally.skipped[f"warc.{skipped}"] += 1
        elif (text := reading.settle(_text(page, reading, place))) is not None:
            yield Document(place, text)


class _DamagedError(ValueError):
    """What is wrong with a record."""


def _loader() -> Any:
    try:
        from warcio.recordloader import ArcWarcRecordLoader
    except ImportError:
        raise MachineError("reading WARC needs warcio", 'pip install "lmcli[warc]"') from None
    logging.getLogger("warcio").addHandler(logging.NullHandler())  # it has remarks on addresses with spaces
    untyped: Any = ArcWarcRecordLoader
    return untyped(verify_http=False, arc2warc=False)


class _Stream:
    """The unpacked bytes of a file, a line or a number of bytes at a time."""

    def __init__(self, data: Iterator[bytes]) -> None:
        self._data = data
        self._ready = b""
        self._place = 0
        self._before = 0  # bytes of the file before `_ready`
        self.record_at = 0

    def skip_empty_lines(self) -> bool:
        """Go to the next record; False at the end of the file."""
        while True:
            while self._place < len(self._ready):
                if self._ready[self._place] not in b"\r\n":
                    self.record_at = self._before + self._place
                    return True
                self._place += 1
            if not self._more():
                return False

    def headers(self) -> bytes:
        """All up to and with the next empty line."""
        while True:
            end = _END_OF_HEADERS.search(self._ready, self._place)
            if end:
                return self._take(end.end() - self._place)
            if len(self._ready) - self._place > HEADERS:
                raise _DamagedError("its headers have no end")
            if not self._more():
                raise _DamagedError("it is cut short")

    def take(self, size: int) -> bytes:
        parts = []
        while size:
            if self._place == len(self._ready) and not self._more():
                raise _DamagedError("it is cut short")
            parts.append(self._take(min(size, len(self._ready) - self._place)))
            size -= len(parts[-1])
        return b"".join(parts)

    def skip(self, size: int) -> None:
        while size:
            size -= len(self.take(min(size, PAGE)))

    def _take(self, size: int) -> bytes:
        self._place += size
        return self._ready[self._place - size : self._place]

    def _more(self) -> bool:
        chunk = next(self._data, b"")
        self._before += self._place
        self._ready, self._place = self._ready[self._place :] + chunk, 0
        return bool(chunk)


class _Page(NamedTuple):
    """What a server sent: its bytes and the encoding that it says they have."""

    body: bytes
    declared: str | None


def _page(stream: _Stream, loader: Any) -> tuple[_Page | None, str]:
    """The page in the next record, or None and why there is none."""
    headers = stream.headers()
    if not headers.startswith(b"WARC/"):
        raise _DamagedError(f"it begins with {headers[:20]!r}, not with WARC/")
    fields = _fields(headers)
    kind = fields.get("warc-type", "unknown")
    length = fields.get("content-length", "")
    if not (length.isascii() and length.isdigit()):
        raise _DamagedError(f"its Content-Length is {length!r}, not a number")
    if kind not in ("response", "conversion") or int(length) > PAGE:
        stream.skip(int(length))
        return None, "too_large" if kind in ("response", "conversion") else kind
    block = stream.take(int(length))
    if kind == "conversion":
        media, charset = _media(fields.get("content-type", "text/plain"))
        return (_Page(block, charset), "") if media in _TEXTS else (None, "media")
    return _answer(headers, block, loader)


def _answer(headers: bytes, block: bytes, loader: Any) -> tuple[_Page | None, str]:
    """The body of an HTTP answer, with chunks put together and unpacked."""
    try:
        record = loader.parse_record_stream(io.BytesIO(headers + block), known_format="warc")
        http = record.http_headers
        if http is None:
            return None, "not_http"
        if not (http.get_statuscode() or "").startswith("2"):
            return None, "status"
        media, charset = _media(http.get_header("Content-Type") or "")
        if media not in _TEXTS:
            return None, "media"
        if (http.get_header("Content-Encoding") or "identity").lower() not in _PACKINGS:
            return None, "packing"
        body = _bounded(record.content_stream())
    except Exception:  # servers send all sorts of things, and what warcio raises for them has no type in common
        return None, "malformed"
    return (_Page(body, charset), "") if body is not None else (None, "too_large")


def _bounded(stream: Any) -> bytes | None:
    """All of a stream, or None if that is more than a page may have."""
    parts, size = [], 0
    while chunk := stream.read(1 << 16):
        parts.append(chunk)
        size += len(chunk)
        if size > PAGE:
            return None
    return b"".join(parts)


def _fields(headers: bytes) -> dict[str, str]:
    lines = headers.decode("utf-8", "replace").split("\n")[1:]
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _media(content_type: str) -> tuple[str, str | None]:
    media, _, parameters = content_type.partition(";")
    match = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", parameters, re.IGNORECASE)
    return media.strip().lower(), match[1] if match else None


def _text(page: _Page, reading: Reading, place: str) -> str:
    """The page decoded as it says, where that works, else as what it can only be.

    What is valid UTF-8 beyond ASCII is UTF-8, whatever a server says about all of its pages.
    """
    wanted = reading.config.encoding
    for name in [wanted] if wanted != "auto" else _candidates(page):
        codec = _codec(name) if name else None
        text = _decoded(page.body, codec) if codec else None
        if codec and text is not None:
            reading.tally.encodings[codec] += 1
            return text.removeprefix("\ufeff")
    encoding = Encoding("utf-8" if wanted == "auto" else wanted)
    reading.tally.encodings[encoding.name] += 1
    return "".join(decode(iter([page.body]), encoding, reading.config.encoding_errors == "strict", place))


def _candidates(page: _Page) -> Iterator[str | None]:
    if not page.body.isascii():
        yield "utf-8"
    yield page.declared
    yield "utf-8"
    yield _declared_inside(page.body)
    yield _certain(page.body)


def _declared_inside(body: bytes) -> str | None:
    match = _META.search(body, 0, _META_WITHIN)
    return match[1].decode("ascii") if match else None


def _codec(name: str) -> str | None:
    try:
        codec = codecs.lookup(name).name
    except LookupError:
        return None
    return None if codec in _NO_CHARSETS else _MEANT.get(codec, codec)


def _decoded(body: bytes, codec: str) -> str | None:
    """The text, or None where the page is in another encoding."""
    try:
        return body.decode(codec)
    except (LookupError, ValueError):  # a codec that is none of text is a LookupError
        return None


def _certain(body: bytes) -> str | None:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return certain_charset(body, error.start)
    return None
