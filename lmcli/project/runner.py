"""Makes artifacts: checks what a stage reads, lets it fill a temporary directory, publishes that, commits the lock."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from lmcli import __version__
from lmcli.errors import ArtifactError, InputError
from lmcli.progress import Progress, Silent
from lmcli.project import durable, freshness, lock
from lmcli.project.digests import Listing
from lmcli.project.freshness import Verdict
from lmcli.project.lock import Entry, InputRecord, Manifest
from lmcli.project.project import Project
from lmcli.project.stage import Artifact, Files, Graph, Made, Stage, Work, downstream_order


@dataclass(frozen=True)
class Outcome:
    """What happened to one artifact: `reasons` say why it was made; they are empty when it was fresh."""

    entry: Entry
    made: bool
    reasons: tuple[str, ...] = ()


class Runner:
    """Makes stages of one graph in one project. The caller holds `project.writing()`."""

    def __init__(self, project: Project, graph: Graph, progress: Progress | None = None, workers: int = 1) -> None:
        self.project = project
        self.graph = graph
        self.progress = progress or Silent()
        self.workers = workers

    def verdicts(self) -> dict[str, Verdict]:
        return freshness.verdicts(self.project, self.graph, self.project.manifest())

    def pending(self, targets: Sequence[str]) -> list[Verdict]:
        """What `run` would make for the targets, in order, each with its reasons."""
        found = self.verdicts()
        return [found[name] for name in downstream_order(self.graph, targets) if not found[name].fresh]

    def run(self, targets: Sequence[str]) -> list[Outcome]:
        """Make whatever the targets need that is not fresh; inputs first."""
        outcomes = []
        for name in downstream_order(self.graph, targets):
            outcome = self.make(name)
            outcomes.append(outcome)
        return outcomes

    def make(self, name: str, *, force: bool = False, started: float | None = None) -> Outcome:
        """Make one artifact from inputs that are there; nothing is done when it is fresh (unless `force`).

        Raises ArtifactError (exit 4) when an input is missing, damaged or stale, with the reasons.
        """
        stage = self.graph[name]
        found = self.verdicts()
        manifest = self.project.manifest()
        if found[name].fresh and not force:
            entry = manifest.entries[name]
            if dict(entry.overrides) != dict(stage.overrides):
                self._check_pinned(stage)
                entry = self._commit(manifest, replace(entry, overrides=dict(stage.overrides)))
            return Outcome(entry, made=False)
        self._check_upstream(stage, found)
        entry = self._build(stage, manifest, started or time.monotonic(), force)
        return Outcome(entry, made=True, reasons=found[name].reasons)

    def check_inputs(self, name: str) -> None:
        """Raises ArtifactError when an input of `name` is missing, damaged or stale, as `make` would."""
        self._check_upstream(self.graph[name], self.verdicts())

    def _check_pinned(self, stage: Stage) -> None:
        """Input that leaves the artifact fresh must be there all the same before it is recorded as an override."""
        for name in stage.pinned:
            item = stage.inputs.get(name)
            if isinstance(item, Files):
                item.find()

    def _check_upstream(self, stage: Stage, found: dict[str, Verdict]) -> None:
        for item in stage.inputs.values():
            if not isinstance(item, Artifact) or found[item.name].fresh:
                continue
            verdict = found[item.name]
            if stage.accepts_stale and verdict.state == "stale":
                self.progress.warn(f"{verdict}; using it as it is (`lmcli run {item.name}` makes it anew)")
                continue
            command = self.graph[item.name].command
            hint = f"`lmcli run {stage.name}` makes all that it needs"
            if verdict.state == "missing" and command:
                hint = f"run `{command}` first; {hint}"
            raise ArtifactError(f"{stage.name} needs {item.name}, but {verdict}", hint)

    def _build(self, stage: Stage, manifest: Manifest, started: float, force: bool) -> Entry:
        records, listings = self._records(stage, manifest)
        if not self.project.lock_path.exists():
            self._commit_manifest(manifest)
        home = self.project.artifacts / stage.name
        durable.mkdir(home)
        out = durable.temporary_name(home / "new")
        durable.mkdir(out)
        try:
            made = stage.build(replace(self._work(stage, records, manifest, out), started=started, force=force))
            self._check_unchanged(stage, listings)
            return self._publish(stage, manifest, out, records, listings, made)
        finally:
            durable.remove_tree(out)

    def _work(self, stage: Stage, records: dict[str, InputRecord], manifest: Manifest, out: Path) -> Work:
        inputs = {
            name: self.project.directory(manifest.entries[record.of]) for name, record in records.items() if record.of
        }
        key = freshness.key_of(stage, records)
        return Work(stage.name, key, out, self.project.root, inputs, records, self.progress, workers=self.workers)

    def _records(self, stage: Stage, manifest: Manifest) -> tuple[dict[str, InputRecord], dict[str, Listing]]:
        records: dict[str, InputRecord] = {}
        listings: dict[str, Listing] = {}
        for name, item in stage.inputs.items():
            if isinstance(item, Artifact):
                records[name] = InputRecord(manifest.entries[item.name].digest, item.name)
            else:
                listings[name] = item.listing(self.project.digests)
                records[name] = InputRecord(listings[name].digest)
        return records, listings

    def _check_unchanged(self, stage: Stage, listings: dict[str, Listing]) -> None:
        """What was read must be what the key says; a file that changed meanwhile makes the result worthless."""
        for name, before in listings.items():
            item = stage.inputs[name]
            if not isinstance(item, Files):
                continue
            changes = before.changes(item.listing(self.project.digests))
            if changes:
                raise InputError(f"{changes[0]} changed while it was read", "run the command again")

    def _publish(
        self,
        stage: Stage,
        manifest: Manifest,
        out: Path,
        records: dict[str, InputRecord],
        listings: dict[str, Listing],
        made: Made,
    ) -> Entry:
        durable.fsync_tree(out)
        listing = self.project.digests.tree(out)
        path = f"artifacts/{stage.name}/{listing.digest[:8]}"
        self._place(out, self.project.root / path, listing.digest)
        for sources in listings.values():
            self._keep_sources(sources)
        entry = Entry(
            name=stage.name,
            kind=stage.kind,
            path=path,
            digest=listing.digest,
            bytes=listing.size,
            stage=stage.kind,
            revision=stage.revision,
            requested=dict(stage.requested),
            inputs=records,
            overrides=dict(stage.overrides),
            seed=stage.seed,
            versions=versions(),
            plan=dict(made.plan),
            report=dict(made.report),
        )
        return self._commit(manifest, entry)

    def _place(self, out: Path, target: Path, digest: str) -> None:
        """Give the finished directory its name. Identical content that is there already is left as it is."""
        if target.is_dir():
            if self.project.digests.holds(target, digest):
                return
            durable.remove_tree(target)
        durable.replace(out, target)

    def _keep_sources(self, listing: Listing) -> None:
        path: Path = freshness.sources_path(self.project, listing.digest)
        if not path.exists():
            durable.mkdir(path.parent)
            durable.write(path, listing.text)
            durable.fsync_directory(path.parent.parent)

    def _commit(self, manifest: Manifest, entry: Entry) -> Entry:
        after = manifest.with_entry(entry)
        self._commit_manifest(after)
        kept = after.paths()
        for item in manifest.entries[entry.name].history if entry.name in manifest.entries else ():
            if item.path not in kept:
                durable.remove_tree(self.project.root / item.path)
        return after.entries[entry.name]

    def _commit_manifest(self, manifest: Manifest) -> None:
        lock.save(self.project.lock_path, manifest)


@cache
def versions() -> dict[str, str]:
    """Versions of what decides the bytes of an artifact."""
    found = {name: importlib.metadata.version(name) for name in ("torch", "tokenizers")}
    return {"lmcli": __version__, **found}
