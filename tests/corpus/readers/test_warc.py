from __future__ import annotations

import gzip
import sys
import zlib
from typing import Any

import pytest
import zstandard

from lmcli.corpus.readers import warc
from lmcli.errors import InputError, MachineError

from ..conftest import Read, WriteFile

pytest.importorskip("warcio")

CHINESE = "第二章。他走进房间，看见桌子上放着一封信。信是他母亲写的，字迹已经有些模糊了。" * 20


def page(
    body: bytes, media: str | None = "text/html; charset=utf-8", status: str = "200 OK", **headers: str
) -> dict[str, Any]:
    """A response of a server, as arguments for `archive`."""
    fields = [*([("Content-Type", media)] if media else []), *((k.replace("_", "-"), v) for k, v in headers.items())]
    return {"kind": "response", "body": body, "status": status, "headers": fields}


def archive(*records: dict[str, Any], packed: bool = False) -> bytes:
    """The records as a file; a packed one has a gzip member for each."""
    made = []
    for record in records:
        body = record["body"]
        if "status" in record:
            fields = "".join(f"{name}: {value}\r\n" for name, value in record["headers"])
            body = f"HTTP/1.1 {record['status']}\r\n{fields}\r\n".encode() + body
        head = f"WARC/1.0\r\nWARC-Type: {record['kind']}\r\nWARC-Target-URI: http://a.example/\r\n"
        head += f"Content-Type: {record.get('type', 'application/http')}\r\nContent-Length: {len(body)}\r\n\r\n"
        made.append(head.encode() + body + b"\r\n\r\n")
    return b"".join(gzip.compress(item, mtime=0) if packed else item for item in made)


MIXED = (
    {"kind": "warcinfo", "body": b"software: x\r\n", "type": "application/warc-fields"},
    {"kind": "request", "body": b"GET / HTTP/1.1\r\n\r\n", "type": "application/http; msgtype=request"},
    page("<p>naïve</p>".encode()),
    page(b"\x89PNG", "image/png"),
    page(b"<p>not here</p>", status="404 Not Found"),
    page(b"plain text", "text/plain"),
    page(b""),
    {"kind": "conversion", "body": "第一章".encode(), "type": "text/plain"},
)


@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz", "a.warc.zst"])
def test_pages_and_texts_are_documents_and_the_rest_is_counted(
    write_file: WriteFile, read_all: Read, name: str
) -> None:
    data = archive(*MIXED, packed=name.endswith(".gz"))
    write_file(name, zstandard.compress(data) if name.endswith(".zst") else data)
    documents, tally = read_all(".")
    assert [(document.id, document.text) for document in documents] == [
        (f"{name}:3", "<p>naïve</p>"),
        (f"{name}:6", "plain text"),
        (f"{name}:8", "第一章"),
    ]
    assert tally.skipped == {"warc.warcinfo": 1, "warc.request": 1, "warc.media": 1, "warc.status": 1}
    assert tally.dropped == {"empty": 1}
    assert tally.report()["skipped"] == dict(sorted(tally.skipped.items()))


def test_a_wet_file_of_a_crawl(write_file: WriteFile, read_all: Read) -> None:
    wet = {"kind": "conversion", "body": b"One.\nTwo.", "type": "text/plain"}
    write_file("CC-MAIN-1.warc.wet.gz", archive(wet, wet, packed=True))
    documents, _ = read_all(".")
    assert [document.text for document in documents] == ["One.\nTwo."] * 2


@pytest.mark.parametrize(
    ("body", "media", "text", "encoding"),
    [
        (CHINESE.encode("gbk"), "text/html; charset=gb2312", CHINESE, "gb18030"),
        (CHINESE.encode(), "text/html; charset=iso-8859-1", CHINESE, "utf-8"),
        ("it’s".encode("cp1252"), "text/html; charset=ISO-8859-1", "it’s", "cp1252"),
        (b"\xef\xbb\xbfx", "text/html", "x", "utf-8"),
        (CHINESE.encode("gbk"), "text/html", CHINESE, "gb18030"),
        (
            b'<meta charset="big5">' + "他走進房間".encode("big5"),
            "text/html",
            '<meta charset="big5">他走進房間',
            "big5",
        ),
        ("é".encode(), "text/html; charset=nonsense", "é", "utf-8"),
        (b"plain", "text/html; charset=punycode", "plain", "utf-8"),
        ("日本".encode("iso2022_jp"), "text/html; charset=iso-2022-jp", "日本", "iso2022_jp"),
    ],
)
def test_the_encoding_of_a_page(
    write_file: WriteFile, read_all: Read, body: bytes, media: str, text: str, encoding: str
) -> None:
    write_file("a.warc", archive(page(body, media)))
    documents, tally = read_all("a.warc")
    assert [document.text for document in documents] == [text]
    assert tally.encodings == {encoding: 1}


def test_bytes_that_are_no_text_are_an_error_or_counted(write_file: WriteFile, read_all: Read) -> None:
    write_file("a.warc", archive(page(b"good"), page(b"b\xffad", "text/html")))
    with pytest.raises(InputError, match=r"a\.warc:2:1: not valid utf-8 at byte offset 1"):
        read_all("a.warc")
    documents, tally = read_all("a.warc", encoding_errors="drop")
    assert ([document.text for document in documents], tally.dropped) == (["good"], {"encoding": 1})
    documents, tally = read_all("a.warc", encoding_errors="replace")
    assert (documents[1].text, tally.replaced) == ("b\ufffdad", 1)


def test_what_servers_do_to_a_page_is_undone(write_file: WriteFile, read_all: Read) -> None:
    chunked = b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
    write_file(
        "a.warc",
        archive(
            page(chunked, Transfer_Encoding="chunked"),
            page(gzip.compress(b"packed"), Content_Encoding="gzip"),
            page(zlib.compress(b"deflated"), Content_Encoding="deflate"),
            page(b"\x01\x02", Content_Encoding="br"),
        ),
    )
    documents, tally = read_all("a.warc")
    assert [document.text for document in documents] == ["abcdefg", "packed", "deflated"]
    assert tally.skipped == {"warc.packing": 1}


def test_a_large_page_is_left_out(write_file: WriteFile, read_all: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warc, "PAGE", 100_000)
    bomb = page(gzip.compress(bytes(10_000_000)), Content_Encoding="gzip")
    write_file("a.warc", archive(page(b"x" * 200_000), page(b"small"), bomb))
    documents, tally = read_all("a.warc")
    assert [(document.id, document.text) for document in documents] == [("a.warc:2", "small")]
    assert tally.skipped == {"warc.too_large": 2}


@pytest.mark.parametrize("packed", [False, True])
def test_a_truncated_archive_is_never_taken_for_a_short_one(
    write_file: WriteFile, read_all: Read, packed: bool
) -> None:
    name = "a.warc.gz" if packed else "a.warc"
    whole = archive(*MIXED, packed=packed)
    starts = [len(archive(*MIXED[:count], packed=packed)) for count in range(len(MIXED))]
    for sixteenths in range(1, 16):
        cut = len(whole) * sixteenths // 16
        if any(start - 4 <= cut <= start for start in starts):  # between two records nothing is missing
            continue
        write_file(name, whole[:cut])
        with pytest.raises(InputError, match=name) as caught:
            read_all(name)
        if not packed:
            number = sum(start < cut for start in starts)
            assert f"a.warc:{number}: it is cut short (record at byte {starts[number - 1]} " in caught.value.message


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"nonsense\r\n\r\n", "a.warc:1: it begins with b'nonsense"),
        (b"WARC/1.0\r\nWARC-Type: response\r\n\r\n", "a.warc:1: its Content-Length is '', not a number"),
        (b"WARC/1.0\r\nContent-Length: -1\r\n\r\n", "its Content-Length is '-1'"),
        (b"WARC/1.0\r\n" + b"x" * 3_000_000, "its headers have no end"),
        (archive(page(b"good")).replace(b"good", b"good, better"), "a.warc:2: it begins with b', better"),
    ],
)
def test_damage_is_named_with_the_record(write_file: WriteFile, read_all: Read, data: bytes, reason: str) -> None:
    write_file("a.warc", data)
    with pytest.raises(InputError) as caught:
        read_all("a.warc")
    assert reason in caught.value.message
    assert "record at byte" in caught.value.message


def test_what_a_server_got_wrong_is_counted(write_file: WriteFile, read_all: Read) -> None:
    head = b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a b/\r\nContent-Length: "
    for body in (b"", b"\x00\x01\x02", b"HTTP/1.1 nonsense\r\n", b"HTTP/1.1 200 OK\r\nContent-Type text/html"):
        write_file("a.warc", head + str(len(body)).encode() + b"\r\n\r\n" + body + b"\r\n\r\n" + archive(page(b"x")))
        documents, tally = read_all("a.warc")
        assert [document.id for document in documents] == ["a.warc:2"]
        assert tally.skipped.total() == 1


def test_without_warcio_the_extra_is_named(
    write_file: WriteFile, read_all: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "warcio.recordloader", None)
    write_file("a.warc", "x")
    with pytest.raises(MachineError, match="needs warcio") as caught:
        read_all("a.warc")
    assert caught.value.hint == 'pip install "lmcli[warc]"'
