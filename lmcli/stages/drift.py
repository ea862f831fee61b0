"""How a new text differs from the cleaned corpus of a project, for its tokenizer and its model too."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lmcli.config import decode
from lmcli.corpus.config import CleanConfig
from lmcli.corpus.drift import Drift, Figure, compare, detector, number, times
from lmcli.corpus.sampling import Sample, sample, sample_clean
from lmcli.corpus.signatures import MinHash
from lmcli.errors import InputError
from lmcli.progress import Progress
from lmcli.project.config import ProjectConfig
from lmcli.project.lock import Entry
from lmcli.project.project import Project
from lmcli.project.settings import resolve
from lmcli.stages import models, text

if TYPE_CHECKING:
    from lmcli.corpus.documents import Document
    from lmcli.evaluation.measuring import Subject
    from lmcli.evaluation.windows import Window
    from lmcli.tokens.tokenizer import Tokenizer

SAMPLED = 8_000_000  # bytes of text on each side
ENCODED = 1_000_000  # bytes that the tokenizer gets of each
SCORED = 200_000  # bytes that the model gets of each
BATCH = 8  # windows

_READING = ("encoding", "encoding_errors", "text_key", "max_bad_rows", "render")
_NEAR = ("near_ngram", "near_buckets", "near_hashes")


@dataclass(frozen=True)
class Compared:
    """What was found, and how much of both sides was looked at (bytes of text)."""

    drift: Drift
    corpus_documents: int
    corpus_bytes: int
    corpus_bytes_in_all: int
    text: Sample


def compare_with(project: Project, entry: Entry, files: Sequence[str], progress: Progress) -> Compared:
    """`files` beside the cleaned corpus `entry`; raises InputError where there is no text in them."""
    requested = entry.requested["clean"]
    config = decode(CleanConfig, {key: requested[key] for key in (*_READING, *_NEAR) if key in requested})
    corpus = sample_clean(project.directory(entry), SAMPLED)
    new = sample(text.resolve(files, project.root), config, progress, limit=SAMPLED, of_file=SAMPLED)
    if not new.documents:
        raise InputError(f"there is no text in {', '.join(files)}", "name files that hold some")
    near = MinHash(config.near_ngram, config.near_buckets, config.near_hashes)
    size, total = _size(corpus), entry.report["bytes_out"]
    found = compare(corpus, new.documents, near, detector(), size / total)
    found.figures.extend(_tokens(project, corpus, new.documents))
    found.figures.extend(_bits(project, corpus, new.documents, progress))
    return Compared(found, len(corpus), size, total, new)


def _some(documents: Sequence[Document], limit: int) -> list[Document]:
    """Documents from all over, `limit` bytes of text together; the last one may be cut."""
    import dataclasses

    from lmcli.corpus.sampling import rank

    taken, left = [], limit
    for document in sorted(documents, key=lambda document: rank(document.id)):
        part = document.text.encode()[:left].decode("utf-8", "ignore")
        if part:
            taken.append(dataclasses.replace(document, text=part, ends=True))
        left -= len(part.encode())
        if left <= 0 or not part:
            break
    return taken


def _tokens(project: Project, corpus: Sequence[Document], new: Sequence[Document]) -> Iterator[Figure]:
    """Bytes per token under the project's tokenizer, if it has one."""
    entry = project.manifest().entries.get("tokenizer")
    if entry is None:
        return
    from lmcli.tokens.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(project.directory(entry))
    before, now = (_bytes_per_token(tokenizer, _some(part, ENCODED)) for part in (corpus, new))
    if math.isnan(before) or math.isnan(now):
        verdict = "there are no tokens to compare"
    elif now >= 0.95 * before:
        verdict = "the tokenizer fits it as well"
    else:
        verdict = f"it takes {before / now - 1:.0%} more tokens than text of the corpus"
    yield Figure("bytes per token", "bytes", number(before), number(now), verdict)


def _bytes_per_token(tokenizer: Tokenizer, documents: Sequence[Document]) -> float:
    tokens = sum(len(tokenizer.encode(document.text)) for document in documents)
    return _size(documents) / tokens if tokens else math.nan


def _size(documents: Sequence[Document]) -> int:
    return sum(len(document.text.encode()) for document in documents)


def _bits(
    project: Project, corpus: Sequence[Document], new: Sequence[Document], progress: Progress
) -> Iterator[Figure]:
    """Bits per byte under the project's default model, if it was made."""
    entry = _model(project)
    if entry is None:
        return
    from lmcli.evaluation.measuring import load
    from lmcli.models.config import ComputeConfig
    from lmcli.models.device import use_threads

    subject = load(project.directory(entry), ComputeConfig())
    use_threads(subject.compute)
    held_out = _validation(project, subject)
    if held_out:
        before = _bits_per_byte(subject, held_out, None, progress)
    else:
        before = _of_documents(subject, _some(corpus, SCORED), progress)
    now = _of_documents(subject, _some(new, SCORED), progress)
    name = "bits per byte" if held_out else "bits per byte (corpus: text that it may have learned from)"
    yield Figure(name, "bits", number(before), number(now), _verdict(entry.name, before, now))


def _verdict(model: str, before: float, now: float) -> str:
    if not (before > 0 and now > 0):
        return "there is nothing to compare"
    if now < 0.8 * before:
        return f"{model} predicts it better than text of the corpus: simple text, or text that it was trained on"
    if now <= 1.1 * before:
        return f"{model} predicts it as well as text of the corpus"
    return f"{model} predicts it worse: {times(now / before)} the bits"


def _model(project: Project) -> Entry | None:
    name = resolve({"project": ProjectConfig}, project.document).sections["project"].default_model
    entry = project.manifest().entries.get(name)
    return entry if entry and entry.stage in models.MODEL_KINDS else None


def _validation(project: Project, subject: Subject) -> list[Window] | None:
    """The beginning of the validation side, if it was encoded for this model."""
    entry = project.manifest().entries.get("tokens")
    if entry is None:
        return None
    from lmcli.tokens.shards import TokenStream
    from lmcli.tokens.windows import evaluation_windows

    stream = TokenStream.open(project.directory(entry), "validation")
    if not len(stream) or (stream.vocab_size, stream.end_id) != (
        subject.tokenizer.vocab_size,
        subject.tokenizer.end_id,
    ):
        return None
    size = max(1.0, stream.text_bytes / len(stream))
    batches = math.ceil(SCORED / (size * subject.context * BATCH))
    return list(itertools.islice(evaluation_windows(stream, subject.context, BATCH), batches))


def _of_documents(subject: Subject, documents: Sequence[Document], progress: Progress) -> float:
    from lmcli.evaluation.windows import document_windows

    encoded = ((subject.tokenizer.encode(document.text), True) for document in documents)
    windows = document_windows(encoded, subject.tokenizer.end_id, subject.context, BATCH)
    return _bits_per_byte(subject, windows, _size(documents), progress)


def _bits_per_byte(subject: Subject, windows: Iterable[Window], size: int | None, progress: Progress) -> float:
    """`size` is that of the text, where it is known: a tokenizer may have no token for a part of it."""
    from lmcli.evaluation.likelihood import likelihood
    from lmcli.evaluation.token_nats import token_nats

    tokenizer = subject.tokenizer
    found = likelihood(
        token_nats(subject.decoder, windows, subject.compute, progress),
        token_bytes=tokenizer.token_bytes,
        end_id=tokenizer.end_id,
        context=subject.context,
        text_bytes=None if size is None else lambda: size,
    )
    return found.text_nats / math.log(2) / found.text_bytes if found.text_bytes else math.nan
