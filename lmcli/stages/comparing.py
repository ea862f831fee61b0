"""Tokenizers compared on a project's own text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lmcli.errors import ArtifactError, InputError
from lmcli.progress import Progress
from lmcli.project.lock import InputRecord
from lmcli.project.project import Project
from lmcli.project.settings import Given
from lmcli.project.stage import Artifact, Work
from lmcli.stages import text
from lmcli.stages.graph import requests
from lmcli.tokens.comparison import Figures, compare, load, sample


def compare_tokenizers(
    project: Project, names: Sequence[str], given: Given, progress: Progress, workers: int = 1
) -> list[Figures]:
    """The figures of the named tokenizers, the project's own first, on its validation text or on a sample of it.

    A name is an artifact that holds a tokenizer, a Hugging Face directory or a tokenizer.json. Raises InputError for
    one that is none and when there is no text.
    """
    entries = project.manifest().entries
    own = ["tokenizer"] if "tokenizer" in entries and "tokenizer" not in names else []
    candidates = [load(name, _source(project, name)) for name in [*own, *names]]
    if not candidates:
        raise InputError("there is no tokenizer to look at", "name a directory, or run `lmcli tokenize` first")
    return compare(candidates, _texts(project, given, progress, workers))


def _source(project: Project, name: str) -> Path:
    entry = project.manifest().entries.get(name)
    return project.directory(entry) if entry else project.root / name


def _texts(project: Project, given: Given, progress: Progress, workers: int) -> list[str]:
    """The validation side as paragraphs; the training side where there is none."""
    from lmcli.stages.splitting import split

    request = requests(project, given, {"tokens": "tokens"})["tokens"]
    inputs: dict[str, Path] = {}
    records: dict[str, InputRecord] = {}
    for key, item in text.text_input(request).items():
        if isinstance(item, Artifact):
            entry = project.manifest().entries.get(item.name)
            if entry is None:
                raise ArtifactError(f"{item.name} was never made", f"run `lmcli {item.name}` first")
            inputs[key], records[key] = project.directory(entry), InputRecord(entry.digest, item.name)
    work = Work("tokens", "", project.root, project.root, inputs, records, progress, workers=workers)
    divided = split(request, work)
    validation = divided.bytes - divided.training_bytes(both_sides=False)
    held_out = sample((piece.text for piece in divided.pieces() if piece.side == "validation"), validation)
    found = held_out or sample(divided.texts(both_sides=True), divided.bytes)
    if not found:
        raise InputError("there is no text to compare tokenizers on", "is the corpus empty?")
    return found
