"""Sources to documents."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lmcli.corpus.compression import Advance, chunks
from lmcli.corpus.config import ReadingConfig
from lmcli.corpus.documents import Document
from lmcli.corpus.encoding import HEAD, MARK, choose, decode, plain_text, refuse_packed
from lmcli.corpus.readers import READERS, RECORDS
from lmcli.corpus.records import documents
from lmcli.corpus.sources import Source
from lmcli.corpus.tally import Tally
from lmcli.errors import UsageError
from lmcli.progress import Progress

_SURROGATE = re.compile("[\ud800-\udfff]")


def read(sources: Sequence[Source], config: ReadingConfig, progress: Progress, tally: Tally) -> Iterator[Document]:
    """Every document of the sources, in their order, with no character of its text altered; fills `tally` on the way.

    Texts without a character that can be seen are left out and counted. Raises InputError, naming file and line, for
    what can't be read.
    """
    with progress.task("reading", total=total_bytes(sources), unit="B") as task:
        reading = Reading(config, tally, task.advance)
        for source in sources:
            task.describe(source.label)
            whole = True  # a blank part of a long file belongs to its text
            for document in _documents(source, reading):
                if not document.text or (whole and document.ends and document.text.isspace()):
                    tally.dropped["empty"] += 1
                    continue
                whole = document.ends
                tally.documents += document.ends
                yield dataclasses.replace(document, source=source.mixture) if source.mixture else document


def total_bytes(sources: Sequence[Source]) -> int | None:
    """Bytes on the disk, or None when a source isn't on the disk."""
    paths = [source.path for source in sources]
    return sum(path.stat().st_size for path in paths if path) if all(paths) else None


def _documents(source: Source, reading: Reading) -> Iterator[Document]:
    if source.reader in RECORDS:
        return documents(source, reading)
    if source.reader not in READERS:
        raise UsageError(f"{source.label} gives rows, not documents", "it is meant for fine-tuning")
    found: Iterator[Document] = READERS.load(source.reader)(source, reading)
    return found


@dataclass(frozen=True)
class Reading:
    """What every reader needs: the settings, the counts, and the progress (told of bytes read from the disk)."""

    config: ReadingConfig
    tally: Tally
    advance: Advance

    def text(self, source: Source) -> Iterator[str]:
        """The decoded text of a file in chunks; undecodable bytes are an InputError or, if the user says so, MARKs."""
        assert source.path is not None
        data = chunks(source.path, self.advance)
        head: list[bytes] = []
        while sum(map(len, head)) < HEAD and (chunk := next(data, b"")):
            head.append(chunk)
        start = b"".join(head)
        if not start:
            return
        if len(start) < HEAD and (text := plain_text(start, self.config.encoding)) is not None:
            self.tally.encodings["utf-8"] += 1
            yield text
            return
        refuse_packed(start, source.label)
        encoding = choose(start, len(start) < HEAD, self.config.encoding, source.label)
        self.tally.encodings[encoding.name] += 1
        strict = self.config.encoding_errors == "strict"
        yield from decode(itertools.chain(head, data), encoding, strict, source.label)

    def settle(self, text: str) -> str | None:
        """The text with U+FFFD for each MARK and lone surrogate, or None if its document is to be dropped."""
        if text.isascii():
            return text
        if self.config.encoding_errors != "strict" and MARK in text:
            if self.config.encoding_errors == "drop":
                self.tally.dropped["encoding"] += 1
                return None
            self.tally.replaced += text.count(MARK)
            text = text.replace(MARK, "\ufffd")
        try:
            text.encode()  # ten times as fast as looking for surrogates, which are rare
        except UnicodeEncodeError:
            text, count = _SURROGATE.subn("\ufffd", text)
            self.tally.surrogates += count
        return text
