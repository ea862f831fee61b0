"""The library calls behind `clean`, whole or in shards."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmcli import __version__
from lmcli.config import dump
from lmcli.corpus.config import CleanConfig
from lmcli.errors import ConfigError, UsageError
from lmcli.progress import Progress
from lmcli.project.config import ProjectConfig
from lmcli.project.project import Project
from lmcli.project.settings import Given, resolve
from lmcli.project.stage import Work
from lmcli.stages import judging

if TYPE_CHECKING:
    from lmcli.corpus.audit import Audit
    from lmcli.corpus.chain import Chain
    from lmcli.corpus.sampling import Sample
    from lmcli.corpus.shards import Job
    from lmcli.corpus.sources import Source


def inputs_of(config: CleanConfig, project: Sequence[str], overrides: Mapping[str, Any]) -> tuple[str, ...]:
    """What is read: the named sources of a mixture, else the inputs of the project."""
    if not config.sources:
        return tuple(project)
    if "project.inputs" in overrides:
        raise UsageError("[clean.sources] names what is read, so the command takes no input", "edit lmcli.toml")
    return tuple(item for source in config.sources.values() for item in source.inputs)


def mixture_of(config: CleanConfig) -> dict[str, Any]:
    """The wanted parts of the training tokens, for those who encode the corpus; nothing where none are wanted."""
    if config.sources and config.languages:
        raise ConfigError("clean.sources and clean.languages can't both decide the mixture", "keep one of them")
    if config.sources:
        by, shares = "source", {name: source.weight for name, source in config.sources.items()}
    elif config.languages:
        by, shares = "language", dict(config.languages)
    else:
        return {}
    return {"mixture": {"by": by, "shares": shares, "max_repeats": config.max_repeats}}


def build(config: CleanConfig, inputs: Sequence[str], work: Work) -> Audit:
    """Clean what the stage reads into its directory; shards that are complete already are merged instead."""
    from lmcli.corpus.cleaning import clean, merge

    sources = sources_of(config, inputs, work.root)
    model = judging.directory(config, work)
    chain = chain_of(config, work.root, model)
    if job := _complete(config, sources, chain, _folder(config, sources, work.root, model)):
        work.progress.say(f"merging {job.count} shards")
        return merge(job.shards(), config, work.out, work.progress, job.edges())
    return clean(sources, config, chain, work.out, workers=work.workers, progress=work.progress)


def chain_of(config: CleanConfig, root: Path, model: Path | None) -> Chain:
    """What documents go through; `model` is the directory of the model that a filter judges by, if one does."""
    from lmcli.corpus import recipe

    return recipe.chain_of(config, root, judging.tools(model))


def sources_of(config: CleanConfig, inputs: Sequence[str], root: Path) -> tuple[Source, ...]:
    """The sources, in order, each with the name of its part of the mixture. A file can't be in two parts."""
    from lmcli.corpus.sources import resolve as find

    if not config.sources:
        return find(inputs, root, config.format)
    found: dict[str, Source] = {}
    for name, source in config.sources.items():
        for item in find(source.inputs, root, config.format):
            if item.label in found:
                both = f"clean.sources.{found[item.label].mixture} and clean.sources.{name}"
                raise ConfigError(f"{item.label} is in {both}", "name each file in one source")
            found[item.label] = replace(item, mixture=name)
    return tuple(found[label] for label in sorted(found))


def job(project: Project, given: Given, count: int) -> Job:
    """The cleaning that the command line and lmcli.toml ask for, in `count` shards."""
    from lmcli.corpus.shards import Job

    tables = {"project": ProjectConfig, "clean": CleanConfig}
    resolved = resolve(tables, project.document, given.only(tables))
    config: CleanConfig = resolved.sections["clean"]
    inputs = inputs_of(config, resolved.sections["project"].inputs, resolved.overrides)
    sources = sources_of(config, inputs, project.root)
    model = judging.find(config, project)
    chain = chain_of(config, project.root, model)
    return Job(sources, config, chain, _folder(config, sources, project.root, model), count)


def shards_found(project: Project, given: Given) -> int | None:
    """Into how many shards this corpus was cut, judging by those that are there."""
    from lmcli.corpus.shards import count_in

    return count_in(job(project, given, 1).folder)


def trial(project: Project, given: Given, progress: Progress, workers: int) -> tuple[Audit, Sample]:
    """What cleaning makes of a sample of the sources, in a temporary folder outside of the project."""
    from lmcli.corpus.sampling import clean_sample, sample

    wanted = job(project, given, 1)
    found = sample(wanted.sources, wanted.config, progress)
    with tempfile.TemporaryDirectory(prefix="lmcli-") as folder:
        return clean_sample(found, wanted.config, wanted.chain, Path(folder), workers), found


def merged_shards(project: Project, given: Given) -> Path | None:
    """The folder of the shards that `clean` merges, which nobody needs afterwards; None where they aren't complete."""
    whole = job(project, given, 1)
    found = _complete(whole.config, whole.sources, whole.chain, whole.folder)
    return found.folder if found else None


def _complete(config: CleanConfig, sources: tuple[Source, ...], chain: Chain, folder: Path) -> Job | None:
    from lmcli.corpus.shards import Job, count_in

    count = count_in(folder)
    found = Job(sources, config, chain, folder, count) if count else None
    return found if found and not found.missing() else None


def _folder(config: CleanConfig, sources: Sequence[Source], root: Path, model: Path | None) -> Path:
    """runs/clean/KEY: another folder for other settings, another lmcli, and for files that were written to since."""
    from lmcli.corpus.recipe import filter_files
    from lmcli.corpus.sources import files_behind
    from lmcli.corpus.sources import resolve as find

    behind = [(source.mixture, *named) for source in sources for named in files_behind(source)]
    beside = find(files, root) if (files := filter_files(config)) else ()
    behind += [("filters", source.label, source.path) for source in beside]
    behind += [("model", path.name, path) for path in sorted(model.iterdir()) if path.is_file()] if model else []
    state = [(mixture, label, *_state(path)) for mixture, label, path in behind]
    key = hashlib.sha256(json.dumps([__version__, dump(config), state]).encode()).hexdigest()
    return root / "runs" / "clean" / key[:16]


def _state(path: Path | None) -> tuple[int, int]:
    if path is None:
        return 0, 0
    status = path.stat()
    return status.st_size, status.st_mtime_ns
