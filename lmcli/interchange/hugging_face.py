"""hf: the model directory itself, in any precision, loaded again by transformers."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lmcli.errors import ArtifactError
from lmcli.interchange.checking import Check, compare
from lmcli.interchange.config import ExportConfig
from lmcli.interchange.formats import Format
from lmcli.interchange.packages import needed, version
from lmcli.interchange.source import Source, as_choices, targets
from lmcli.models.directory import save_model


def write(source: Source, config: ExportConfig, out: Path) -> None:
    save_model(source.model, source.directory, out, dtype=config.dtype, card=source.card)


def check(source: Source, config: ExportConfig, out: Path) -> Sequence[Check]:
    theirs = logits_of(out, source)
    found = compare(
        source.logits_rtv,
        theirs,
        library="transformers",
        version=version("transformers"),
        precision=config.dtype,
    )
    return [found]


@torch.inference_mode()
def logits_of(directory: Path, source: Source) -> Tensor:
    """What transformers says to the ids of `source`, (r, t, v), computed in float32."""
    transformers = needed("transformers", "hf")
    with _quiet(transformers):
        model = _class(transformers, directory, source.name).from_pretrained(
            directory, dtype=torch.float32, trust_remote_code=False, local_files_only=True
        )
        model.eval()
        if source.model.kind == "encoder-decoder":
            given = model(input_ids=source.ids_rt, decoder_input_ids=targets(source.ids_rt))
        else:
            given = model(input_ids=source.ids_rt)
    return as_choices(given["logits"] if "logits" in given else given["prediction_logits"])


@contextlib.contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Without its bars and its warnings of what it is about to change."""
    bars = transformers.utils.logging
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if shown:
            bars.enable_progress_bar()


def has_class(directory: Path) -> bool:
    """Whether transformers, which is installed, computes what the model in a directory computes."""
    named = _architecture(directory)
    return bool(named) and hasattr(needed("transformers", "hf"), named)


def _architecture(directory: Path) -> str:
    named = json.loads((directory / "config.json").read_bytes()).get("architectures") or [""]
    return str(named[0])


def _class(transformers: Any, directory: Path, name: str) -> Any:
    """The class that config.json names, which has the heads that the weights are for."""
    named = _architecture(directory)
    found = getattr(transformers, named, None) if named else None
    if found is None:
        what = f"transformers has no {named}" if named else "transformers has no class for this family"
        raise ArtifactError(f"{name} has no counterpart there: {what}", "`lmcli export dir` takes any model")
    return found


HUGGING_FACE = Format(write, check, {"transformers": "hf"})
