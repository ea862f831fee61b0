"""eval: how well a model predicts text, or what it says about prompts, with the figures of the baselines beside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lmcli.config import dump
from lmcli.errors import InputError
from lmcli.evaluation.config import EvalConfig
from lmcli.project.config import ProjectConfig
from lmcli.project.digests import Listing
from lmcli.project.freshness import sources_path
from lmcli.project.lock import Entry
from lmcli.project.project import Project
from lmcli.project.stage import Artifact, Input, Made, Stage, Work
from lmcli.stages import models, text
from lmcli.stages.kind import Kind, Request, named_tables

if TYPE_CHECKING:
    from lmcli.corpus.documents import Document
    from lmcli.corpus.rows import Row
    from lmcli.evaluation.results import Results
    from lmcli.tokens.tokenizer import Tokenizer

REVISION = 1


def assemble(request: Request) -> Stage:
    config: EvalConfig = request.section(f"eval.{request.name}")
    model = models.reference(request, config.model)
    inputs: dict[str, Input] = {"model": model.input}
    if config.data:
        inputs["data"] = text.files([config.data], request.project.root, config.format)
    else:
        inputs["tokens"] = Artifact("tokens")

    def build(work: Work) -> Made:
        from lmcli.evaluation import results

        found = _measure(request, config, model, work)
        label = model.label(work, "model")
        results.write(found, work.out, {"model": label, "data": config.data or "validation", **dump(config)})
        figures = {score.name: round(score.value, 6) for score in found.scores}
        signatures = {score.name: score.signature for score in found.scores}
        return Made({"figures": figures, "signatures": signatures, "counts": dict(found.counts), "model": label})

    return Stage(
        name=request.name,
        kind="eval",
        revision=REVISION,
        requested={"eval": dump(config)},
        inputs=inputs,
        build=build,
        overrides=request.own.overrides,
        seed=config.seed,
        accepts_stale=True,
        command=f"lmcli eval --name {request.name}",
    )


def _measure(request: Request, config: EvalConfig, model: models.ModelReference, work: Work) -> Results:
    from lmcli.evaluation import measuring
    from lmcli.models.device import use_threads
    from lmcli.tokens.shards import TokenStream

    if _is_encoder(model.directory(work, "model")):
        return _measure_masks(config, model, work)
    subject = measuring.load(model.directory(work, "model"), config)
    use_threads(subject.compute)
    if not config.data:
        stream = TokenStream.open(work.inputs["tokens"], "validation")
        if _has_more_tokens(request.project, subject.tokenizer):
            documents = measuring.documents(stream, subject.tokenizer)
            return measuring.measure_documents(subject, documents, config, work.progress)
        return measuring.measure_stream(subject, stream, config, work.progress)
    rows = _rows(request, config, model, work)
    if rows is not None:
        return measuring.measure_rows(subject, rows, config, work.progress)
    return measuring.measure_documents(subject, _documents(config, work), config, work.progress)


def _documents(config: EvalConfig, work: Work) -> Iterator[Document]:
    """The data as documents; when they are read, what was left out of them is said."""
    from lmcli.corpus.reading import read
    from lmcli.corpus.tally import Tally, telling

    tally, sources = Tally(), text.resolve([config.data], work.root, config.format)
    return telling(read(sources, config, work.progress, tally), tally, work.progress, "documents")


def _is_encoder(directory: Path) -> bool:
    from lmcli.models.directory import read_shape

    return read_shape(directory)[0].kind == "encoder"


def _measure_masks(config: EvalConfig, model: models.ModelReference, work: Work) -> Results:
    from lmcli.evaluation import masks
    from lmcli.models.device import use_threads
    from lmcli.tokens.shards import TokenStream

    filler = masks.Filler.load(model.directory(work, "model"), config)
    use_threads(filler.compute)
    if not config.data:
        return masks.measure_masks(filler, TokenStream.open(work.inputs["tokens"], "validation"), config, work.progress)
    documents = masks.TextStream(_documents(config, work), filler.tokenizer)
    return masks.measure_masks(filler, documents, config, work.progress)


def _has_more_tokens(project: Project, tokenizer: Tokenizer) -> bool:
    """Whether it gives the project's tokens their ids and knows more: it then reads the corpus in other tokens."""
    from lmcli.tokens.tokenizer import Tokenizer

    manifest = project.manifest().entries
    entry, encoded = manifest.get("tokenizer"), manifest["tokens"].inputs["tokenizer"]
    if entry is None or entry.digest != encoded.digest:
        return False
    own, theirs = (
        item.backend.get_vocab(with_added_tokens=True) for item in (Tokenizer.load(project.directory(entry)), tokenizer)
    )
    return own.items() < theirs.items()


def _rows(request: Request, config: EvalConfig, model: models.ModelReference, work: Work) -> list[Row] | None:
    """The rows with a prompt, or None when the data are plain text. Those that the model was tuned on are left out."""
    from lmcli.corpus.readers import RECORDS
    from lmcli.corpus.rows import held_out, read_rows
    from lmcli.corpus.tally import Tally

    sources = text.resolve([config.data], work.root, config.format)
    if not all(source.reader in RECORDS or source.reader == "signatures" for source in sources):
        return None
    tally = Tally()
    rows = list(read_rows(sources, config, work.progress, tally))
    if not any(row.prompt for row in rows):
        return None
    if lost := tally.lost():  # said here, since rows without any prompt are read once more, as documents
        work.progress.warn(lost)
    entry = request.project.manifest().entries.get(model.name)
    if entry is None or entry.stage != "finetune" or not _tuned_on(request.project, entry, config.data):
        return rows
    share = entry.requested["finetune"]["validation"]
    unseen = [row for row in rows if held_out(row, share)]
    if not unseen:
        raise InputError(
            f"none of the {len(rows):,} rows was held out when {model.name} was fine-tuned on them",
            "evaluate on other rows, or fine-tune with a larger --validation",
        )
    work.progress.say(f"{model.name} was fine-tuned on these data: scoring the {len(unseen):,} rows held out of that")
    return unseen


def _tuned_on(project: Project, entry: Entry, data: str) -> bool:
    """Whether the model was tuned on any of the files of `data`, under whatever name, alone or with others."""
    now = text.files([data], project.root).listing(project.digests)
    try:
        then = Listing.parse(sources_path(project, entry.inputs["data"].digest).read_text())
    except OSError:
        return entry.inputs["data"].digest == now.digest
    return bool(_contents(now) & _contents(then))


def _contents(listing: Listing) -> set[str]:
    """Digests of files; data sets without files have but a name."""
    return {file.sha256 or file.name for file in listing.files}


def summary(entry: Entry, directory: Path) -> Sequence[str]:
    from lmcli.evaluation import results

    lines = [f"{entry.report['model']} on {', '.join(_counts(entry))}"]
    for score in results.read(directory).scores:
        interval = f"  [{score.interval.low:.4g}, {score.interval.high:.4g}]" if score.interval else ""
        lines.append(f"{score.name:12} {score.value:9.4f}{interval}  {score.signature}")
    return lines


def _counts(entry: Entry) -> list[str]:
    return [f"{count:,} {name.replace('_', ' ')}" for name, count in entry.report["counts"].items() if count]


EVALUATE = Kind(
    "eval",
    lambda name: {"project": ProjectConfig, f"eval.{name}": EvalConfig},
    named_tables("eval"),
    assemble,
    summary,
)
