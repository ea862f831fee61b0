"""Bytes to text. UTF-8 unless something else is certain; never a guess, never half a file.

A byte-order mark is the only thing that is taken away; every other character of the text stays, newlines as they are.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

from lmcli.corpus.charset import certain_charset
from lmcli.errors import InputError

HEAD = 1 << 20  # bytes that an encoding is chosen from

# Stands for one undecodable sequence until the reader replaces it or drops its document. It is a lone surrogate, which
# no decoder gives, so it can't be mistaken for text.
MARK = "\udcff"

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


# What files begin with that are no text at all, though a suffix may say so; tar has its name further back.
_PACKED = {
    b"\x1f\x8b": "gzip (.gz)",
    b"\x28\xb5\x2f\xfd": "zstd (.zst)",
    b"\xfd7zXZ\x00": "xz (.xz)",
    b"BZh": "bzip2 (.bz2)",
    b"PK\x03\x04": "a zip archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a rar archive",
    b"PAR1": "parquet (.parquet)",
    b"ARROW1\x00\x00": "arrow (.arrow)",
    b"%PDF-": "a PDF file",
}
_TAR = slice(257, 262), b"ustar"


@dataclass(frozen=True)
class Encoding:
    """How a file is decoded, and how many bytes of byte-order mark it begins with."""

    name: str
    mark_bytes: int = 0


def plain_text(data: bytes, wanted: str) -> str | None:
    """The text of a whole file without more ado, if it can be nothing but UTF-8; None where `choose` has to look."""
    if wanted not in ("auto", "utf-8") or b"\x00" in data or data.startswith(codecs.BOM_UTF8):
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def refuse_packed(head: bytes, label: str) -> None:
    """Raises InputError for a file that is an archive or the like and has the name of a text."""
    found = next((kind for magic, kind in _PACKED.items() if head.startswith(magic)), None)
    place, magic = _TAR
    if head[place] == magic:
        found = "a tar archive"
    if found and (b"\x00" in head or plain_text(head, "utf-8") is None):
        hint = "give it the suffix of its format" if "(" in found else "unpack it and name what was in it"
        raise InputError(f"{label} is no text but {found}", hint)


def choose(head: bytes, complete: bool, wanted: str, label: str) -> Encoding:
    """The encoding of a file that begins with `head` (and ends with it, if `complete`).

    With `wanted` "auto" and no certain answer this is UTF-8, and decoding will say where the file breaks it. Raises
    InputError for UTF-16 without a byte-order mark and for an unknown name.
    """
    marked = next((Encoding(name, len(mark)) for mark, name in _BYTE_ORDER_MARKS if head.startswith(mark)), None)
    if wanted != "auto":
        return _named(wanted, marked)
    if marked:
        return marked
    _refuse_unmarked_utf16(head, label)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head, final=complete)
    except UnicodeDecodeError as error:
        charset = certain_charset(head, error.start)
        return Encoding(charset or "utf-8")
    return Encoding("utf-8")


def _named(wanted: str, marked: Encoding | None) -> Encoding:
    try:
        b"a".decode(wanted, "replace")
        name = codecs.lookup(wanted).name
    except (LookupError, ValueError, UnicodeError):
        raise InputError(
            f"unknown encoding {wanted!r}", "for example utf-8, gb18030, big5, shift_jis, cp1252"
        ) from None
    if marked and marked.name.startswith(name.removesuffix("-sig")):
        return marked
    return Encoding({"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(name, name))


def _refuse_unmarked_utf16(head: bytes, label: str) -> None:
    """Half of the bytes of Latin text in UTF-16 are NUL, all at odd or all at even places."""
    for order, zeros, others in (("le", head[1::2], head[::2]), ("be", head[::2], head[1::2])):
        if len(zeros) >= 4 and zeros.count(0) > 0.5 * len(zeros) and others.count(0) < 0.1 * len(others):
            message = f"{label} looks like UTF-16 without a byte-order mark (every other byte is NUL)"
            raise InputError(message, f"say so with --encoding utf-16-{order}")


def decode(data: Iterator[bytes], encoding: Encoding, strict: bool, label: str) -> Iterator[str]:
    """The text of a file, chunk by chunk.

    A sequence that isn't text raises InputError with its byte offset and line if `strict`, and becomes MARK otherwise.
    """
    codecs.register_error("lmcli.mark", _mark)
    decoder = codecs.getincrementaldecoder(encoding.name)("strict" if strict else "lmcli.mark")
    fed, lines, skip = 0, 1, encoding.mark_bytes
    for chunk in _and_end(data):
        fed += len(chunk)
        body, skip = chunk[skip:], max(0, skip - len(chunk))
        try:
            text = decoder.decode(body, final=not chunk)
        except UnicodeDecodeError as error:
            offset = fed - len(error.object) + error.start
            before = error.object[: error.start].decode(encoding.name, "ignore").count("\n")
            raise _undecodable(label, encoding.name, offset, lines + before, error) from None
        lines += text.count("\n")
        if text:
            yield text


def _and_end(data: Iterator[bytes]) -> Iterator[bytes]:
    yield from data
    yield b""


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return MARK, error.end


def _undecodable(label: str, name: str, offset: int, line: int, error: UnicodeDecodeError) -> InputError:
    shown = error.object[error.start : error.start + 4].hex(" ")
    return InputError(
        f"{label}:{line}: not valid {name} at byte offset {offset} (bytes {shown})",
        "name the encoding with --encoding (for example cp1252, gb18030, shift_jis), "
        "or go on with --encoding-errors replace or drop",
    )
