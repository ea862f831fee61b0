"""Takes a Hugging Face directory in: read as data, checked, written as the project's own models are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal, cast

import torch

from lmcli.errors import ArtifactError, InputError
from lmcli.interchange.hub import PATTERNS
from lmcli.models.directory import load_model, read_shape
from lmcli.models.model import Model
from lmcli.models.stored import Stored, hf_tensors
from lmcli.progress import Progress
from lmcli.project import durable
from lmcli.tokens.adopting import adopt
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.tokenizer import Tokenizer

_LICENCE = re.compile(r"^license:[ \t]*([\w.+-]{1,60})[ \t]*$", re.MULTILINE)
_FRONT_BYTES = 1 << 16
"""Of a model card: what is further down is no front matter."""

Dtype = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class Imported:
    """`dtype` is that of the stored weights, `drawn` names tensors that weren't there and are as in a new model,
    `licence` is what the card states, "" for nothing."""

    model: Model
    dtype: Dtype
    drawn: tuple[str, ...]
    licence: str


def files_of(source: Path) -> list[Path]:
    """The files of a model directory that are taken in. InputError when it is none."""
    if not (source / "config.json").is_file():
        what = "it has no config.json" if source.is_dir() else "there is no such folder"
        raise InputError(f"no model at {source}: {what}", "name a Hugging Face directory, or hf:OWNER/NAME")
    found = [path for path in sorted(source.rglob("*")) if path.is_file() and len(path.relative_to(source).parts) <= 2]
    return [path for path in found if any(fnmatch(path.name, pattern) for pattern in PATTERNS)]


def take_in(source: Path, label: str, out: Path, progress: Progress) -> Imported:
    """Read a model directory and write its tokenizer and its licence files below `out`.

    Nothing in it is executed. Raises ArtifactError for whatever is damaged, unknown, or would be computed in another
    way here than there.
    """
    model = load_model(source)
    stored = _stored(source)
    adopt(source, label, TokenizerConfig(), out, progress, complete=False)
    words = Tokenizer.load(out).vocab_size
    if words > model.shape.vocab_size:
        message = f"{source}: {words} tokens in the tokenizer, {model.shape.vocab_size} in the model"
        raise ArtifactError(message, "copy the whole directory again")
    for path in sorted(source.glob("LICENSE*")):
        durable.write(out / path.name, path.read_bytes())
    drawn = sorted(hf_tensors(model).keys() - stored.entries.keys())
    if drawn:
        progress.say(f"{len(drawn)} tensors are not in it and begin as in a new model: {', '.join(drawn[:3])}")
    return Imported(model, _dtype(stored), tuple(drawn), licence_of(source))


def _stored(source: Path) -> Stored:
    family, shape = read_shape(source)
    with torch.device("meta"):
        plan = family(shape)
    return Stored.of(plan, source)


def _dtype(stored: Stored) -> Dtype:
    """The precision of all weights; float32 where they differ."""
    found = {str(entry.dtype).removeprefix("torch.") for _, entry in stored.entries.values()}
    return cast(Dtype, found.pop()) if len(found) == 1 else "float32"


def licence_of(source: Path) -> str:
    """What the front matter of the model card says; "" where it says nothing."""
    try:
        with (source / "README.md").open("rb") as file:
            front = file.read(_FRONT_BYTES).decode(errors="replace")
    except OSError:
        return ""
    found = _LICENCE.search(front) if front.startswith("---") else None
    return found[1] if found else ""
