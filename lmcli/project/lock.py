"""lmcli.lock, the manifest: which artifacts exist and what each was made from.

JSON with sorted keys and no clock times, so that it can be committed. It is replaced atomically, which makes it the
only commit point: what it does not name does not exist. A checksum over the rest makes a flipped bit visible.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from lmcli import __version__
from lmcli.errors import ArtifactError, from_os_error
from lmcli.project import durable

SCHEMA = 1
GENERATIONS = 3  # how many results of one name are kept, the current one included


@dataclass(frozen=True)
class Override:
    """A setting given by flag or environment, and the value in lmcli.toml (None = not there) that it masks."""

    value: Any
    masked: Any


@dataclass(frozen=True)
class InputRecord:
    """What a stage read: `of` names the artifact, or is None for files; `digest` is that of its content then."""

    digest: str
    of: str | None = None


@dataclass(frozen=True)
class Generation:
    """An earlier result of the same name."""

    path: str
    digest: str


@dataclass(frozen=True)
class Entry:
    """One artifact: where it is, what it holds, and everything it was made from."""

    name: str
    kind: str
    path: str
    digest: str
    bytes: int
    stage: str
    revision: int
    requested: dict[str, Any]
    inputs: dict[str, InputRecord]
    overrides: dict[str, Override] = field(default_factory=dict)
    seed: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    history: tuple[Generation, ...] = ()


@dataclass(frozen=True)
class Manifest:
    entries: Mapping[str, Entry] = field(default_factory=dict)

    def with_entry(self, entry: Entry) -> Manifest:
        """The manifest with `entry` as the current result of its name; the result before it joins the history.

        Earlier results that the settings of an artifact name, its own included, are kept for as long as they do.
        """
        old = self.entries.get(entry.name)
        history: tuple[Generation, ...] = ()
        if old:
            past = [item for item in (Generation(old.path, old.digest), *old.history) if item.path != entry.path]
            current = {**self.entries, entry.name: entry}
            named = json.dumps([item.requested for item in current.values()])
            named = named.replace('/"', '"')  # a shell that completes a folder's name ends it so
            history = tuple(item for n, item in enumerate(past) if n < GENERATIONS - 1 or f'"{item.path}"' in named)
        return Manifest({**self.entries, entry.name: replace(entry, history=history)})

    def paths(self) -> dict[str, str]:
        """Path -> digest of every artifact that must be kept, earlier generations included."""
        kept = {}
        for entry in self.entries.values():
            kept[entry.path] = entry.digest
            kept.update({item.path: item.digest for item in entry.history})
        return kept


def load(path: Path) -> Manifest:
    """The manifest at `path`; an empty one when there is none. Raises ArtifactError (exit 4) when it is damaged."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return _nothing_yet(path)
    except OSError as error:
        raise from_os_error(error) from None
    try:
        document = json.loads(data)
        body, checksum, schema = document["artifacts"], document["checksum"], document["schema"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _damaged(path) from None
    if isinstance(schema, int) and schema > SCHEMA:
        raise ArtifactError(
            f"{path} needs lmcli >= {document.get('lmcli', '?')}; this is lmcli {__version__}",
            "upgrade lmcli, or use the version that wrote the project",
        )
    if _checksum(document) != checksum:
        raise _damaged(path)
    try:
        return Manifest({name: _entry(name, item) for name, item in body.items()})
    except (KeyError, TypeError, AttributeError):
        raise _damaged(path) from None


def save(path: Path, manifest: Manifest) -> None:
    """Replace the manifest, atomically and durably. The one before is kept as `.lmcli/lmcli.lock.bak`."""
    document: dict[str, Any] = {
        "artifacts": {name: asdict(entry) for name, entry in manifest.entries.items()},
        "lmcli": __version__,
        "schema": SCHEMA,
    }
    document = json.loads(json.dumps(document))  # keys become text, so that what is read again has the same checksum
    document["checksum"] = _checksum(document)
    if path.exists():
        durable.mkdir(backup_of(path).parent)
        durable.write(backup_of(path), path.read_bytes())
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    durable.write(path, text.encode(errors="backslashreplace"))  # file names in any bytes: \udcff is a JSON escape too


def backup_of(path: Path) -> Path:
    return path.parent / ".lmcli" / f"{path.name}.bak"


def _checksum(document: Mapping[str, Any]) -> str:
    body = {key: value for key, value in document.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _entry(name: str, item: Mapping[str, Any]) -> Entry:
    values = dict(item)
    values["inputs"] = {key: InputRecord(**record) for key, record in values["inputs"].items()}
    values["overrides"] = {key: Override(**record) for key, record in values["overrides"].items()}
    values["history"] = tuple(Generation(**record) for record in values["history"])
    entry = Entry(**values)
    for place in (entry.path, *(item.path for item in entry.history)):
        _check_inside(name, place)
    return entry


def _check_inside(name: str, place: str) -> None:
    path = PurePosixPath(place)
    if ".." in path.parts or path.parts[:1] != ("artifacts",) or len(path.parts) != 3:
        raise ArtifactError(
            f"lmcli.lock places {name} at {place}, which is no place in the project's artifacts/",
            "restore lmcli.lock from version control or from .lmcli/lmcli.lock.bak",
        )


def _nothing_yet(path: Path) -> Manifest:
    if any((path.parent / "artifacts").glob("*/*")):
        raise ArtifactError(
            f"{path} is missing although artifacts/ holds results",
            f"restore it from version control or from {backup_of(path)}; remove artifacts/ to start over",
        )
    return Manifest()


def _damaged(path: Path) -> ArtifactError:
    return ArtifactError(
        f"{path} is damaged (its checksum or structure is wrong)",
        f"restore it from version control or copy {backup_of(path)} over it",
    )
