"""The weights of a model directory: which file holds each tensor, checked against the model before any is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lmcli.errors import ArtifactError
from lmcli.models.model import Model, Piece
from lmcli.models.weights import Entry, read_header, read_tensor

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
MAX_JSON_BYTES = 8 << 20
_FLOATS = (torch.float32, torch.bfloat16, torch.float16)
_ALIEN = "weights and config.json belong to different models"

Entries = Mapping[str, tuple[Path, Entry]]
"""Each tensor with the file that holds it."""


def hf_tensors(model: Model) -> dict[str, Tensor]:
    """The weights under Hugging Face's names, as views: fused matrices come apart, a tied head isn't repeated."""
    own = {**dict(model.named_buffers()), **dict(model.named_parameters())}
    tensors: dict[str, Tensor] = {}
    for name, pieces in model.hf_names().items():
        counts = [own[name].shape[0] if piece.rows is None else piece.rows for piece in pieces]
        views = torch.split(own[name].detach(), counts)
        tensors.update({piece.name: _as_stored(piece, view) for piece, view in zip(pieces, views, strict=True)})
    return tensors


def _as_stored(piece: Piece, view: Tensor) -> Tensor:
    return view.mT if piece.transposed else view


@dataclass(frozen=True)
class Stored:
    """The tensors of the directory `path` under the names that the model has for them."""

    path: Path
    entries: Entries
    missing: bool
    """Whether tensors that may be missing are."""

    @classmethod
    def of(cls, plan: Model, path: Path) -> Stored:
        """What is there for a model like `plan`, which may have no numbers (device "meta").

        Raises ArtifactError unless names and shapes fit.
        """
        targets, repeats = hf_tensors(plan), plan.hf_repeats()
        entries = _named(plan, targets, _entries(path))
        lacking = sorted(targets.keys() - entries.keys())
        needed = [name for name in lacking if not plan.hf_optional(name)]
        unknown = sorted(entries.keys() - targets.keys() - repeats.keys())
        if needed or unknown:
            what = f"{needed[0]!r} is missing" if needed else f"{unknown[0]!r} is not part of this model"
            raise ArtifactError(f"{path}: {what}", _ALIEN)
        for name, (file, entry) in entries.items():
            if entry.dtype not in _FLOATS:
                raise ArtifactError(f"{file}: {name!r} is {entry.dtype}", "take float32, bfloat16 or float16 weights")
            expected = tuple(targets[repeats.get(name, name)].shape)
            if entry.shape != expected:
                message = f"{path}: {name!r} has the shape {list(entry.shape)} and config.json says {list(expected)}"
                raise ArtifactError(message, _ALIEN)
        return cls(path, entries, bool(lacking))

    @torch.no_grad()
    def fill(self, model: Model) -> None:
        """Copy the stored tensors into the model; every one of them must be finite."""
        targets, repeats = hf_tensors(model), model.hf_repeats()
        # A repeated tensor comes last, when what it repeats is there to compare with.
        for name in sorted(self.entries, key=lambda name: (name in repeats, name)):
            file, entry = self.entries[name]
            tensor = read_tensor(file, entry)
            if not torch.isfinite(tensor).all():
                raise ArtifactError(f"{file}: {name!r} holds numbers that aren't finite", "take an earlier model")
            if name in targets:
                targets[name].copy_(tensor)
            elif not torch.equal(tensor.float(), targets[repeats[name]]):
                message = f"{file}: {name!r} differs from {repeats[name]!r}, which config.json ties it to"
                raise ArtifactError(message, "set tie_word_embeddings to false in config.json")


def _named(plan: Model, targets: Mapping[str, Tensor], entries: Entries) -> Entries:
    """By today's names, without tensors that say nothing, and with the prefix that a checkpoint's body may lack."""
    kept = {plan.hf_renamed(name): entry for name, entry in entries.items() if not plan.hf_ignored(name)}
    prefix = plan.hf_prefix()
    if not prefix or any(name.startswith(prefix) for name in kept):
        return kept
    return {f"{prefix}{name}" if f"{prefix}{name}" in targets else name: entry for name, entry in kept.items()}


def read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ArtifactError(f"{path} is missing", "a model directory needs it: make or copy it again")
    if path.stat().st_size > MAX_JSON_BYTES:
        raise ArtifactError(f"{path} is damaged: more than {MAX_JSON_BYTES} bytes", "make or copy it again")
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise ArtifactError(f"{path} is damaged: no JSON", "make or copy it again") from None
    if not isinstance(value, dict):
        raise ArtifactError(f"{path} is damaged: no JSON object", "make or copy it again")
    return value


def _entries(path: Path) -> dict[str, tuple[Path, Entry]]:
    """Each tensor with the file that holds it, over all shards."""
    found: dict[str, tuple[Path, Entry]] = {}
    for file in _weight_files(path):
        for name, entry in read_header(file).items():
            if name in found:
                raise ArtifactError(f"{path}: {name!r} is in two files", "make or copy the model again")
            found[name] = (file, entry)
    return found


def _weight_files(path: Path) -> list[Path]:
    if (path / WEIGHTS).is_file():
        return [path / WEIGHTS]
    if not (path / INDEX).is_file():
        pickles = sorted(file.name for file in path.iterdir() if file.suffix in (".bin", ".pt", ".pth", ".ckpt"))
        what = f" ({pickles[0]} may hold code and is never opened)" if pickles else ""
        raise ArtifactError(f"{path} has no {WEIGHTS}{what}", "save the model as safetensors")
    mapping = read_json(path / INDEX).get("weight_map")
    if not isinstance(mapping, dict) or not all(_is_shard_name(name) for name in mapping.values()):
        raise ArtifactError(f"{path / INDEX} is damaged: weight_map must name *.safetensors files beside it")
    files = [path / name for name in sorted(set(mapping.values()))]
    for file in files:
        if not file.is_file():
            raise ArtifactError(f"{file} is missing", "make or copy the model again")
    return files


def _is_shard_name(name: Any) -> bool:
    return isinstance(name, str) and name.endswith(".safetensors") and "/" not in name and "\\" not in name
