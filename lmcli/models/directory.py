"""Model directories as Hugging Face lays them out: written, checked and read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor

from lmcli.errors import ArtifactError, MachineError
from lmcli.models.decoder import Decoder
from lmcli.models.families import FAMILIES
from lmcli.models.shape import Shape, parameters
from lmcli.models.weights import Entry, read_header, read_tensor, write_tensors
from lmcli.project import durable
from lmcli.tokens.tokenizer import Tokenizer

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
)
MAX_JSON_BYTES = 8 << 20
_FLOATS = (torch.float32, torch.bfloat16, torch.float16)


def save_model(
    model: Decoder,
    tokenizer_directory: Path,
    out: Path,
    *,
    dtype: Literal["float32", "bfloat16", "float16"] = "float32",
    card: str,
) -> None:
    """Write a directory that `AutoModelForCausalLM.from_pretrained(out)` loads; `card` becomes its README.md."""
    tokenizer = Tokenizer.load(tokenizer_directory)
    config = model.hf_config(end_id=tokenizer.end_id, pad_id=tokenizer.pad_id, dtype=dtype)
    generation = {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    durable.mkdir(out)
    write_tensors(out / WEIGHTS, hf_tensors(model), getattr(torch, dtype))
    durable.write(out / "config.json", _json(config))
    durable.write(out / "generation_config.json", _json(generation))
    for name in TOKENIZER_FILES:
        if (tokenizer_directory / name).is_file():
            _copy(tokenizer_directory / name, out / name)
    durable.write(out / "README.md", card)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


def _copy(source: Path, target: Path) -> None:
    temporary = durable.temporary_name(target)
    with source.open("rb") as old, durable.create(temporary) as new:
        shutil.copyfileobj(old, new)
    durable.replace(temporary, target)


def hf_tensors(model: Decoder) -> dict[str, Tensor]:
    """The weights under Hugging Face's names, as views: fused matrices come apart, a tied head isn't repeated."""
    own = dict(model.named_parameters())
    tensors: dict[str, Tensor] = {}
    for name, pieces in model.hf_names().items():
        counts = [own[name].shape[0] if rows is None else rows for _, rows in pieces]
        views = torch.split(own[name].detach(), counts)
        tensors.update({hf_name: view for (hf_name, _), view in zip(pieces, views, strict=True)})
    return tensors


def read_config(path: Path) -> dict[str, Any]:
    """config.json of a model directory; ArtifactError when there is none or it is damaged."""
    if not path.is_dir():
        raise ArtifactError(f"no model directory {path}", "check the name or path of the model")
    return _read_json(path / "config.json")


def _read_json(path: Path) -> dict[str, Any]:
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


def load_model(path: Path, device: str = "cpu", *, dropout: float = 0.0) -> Decoder:
    """The model of a directory in eval mode with float32 weights; nothing in the directory is ever executed.

    Raises ArtifactError when files are missing or damaged, when weights and config.json disagree, when a number isn't
    finite, and for what isn't implemented; MachineError when the model is larger than the free memory.
    """
    family, shape = read_shape(path)
    entries = _entries(path)
    _check_size(path, shape, sum(_elements(entry) for _, entry in entries.values()))
    model = family(shape, dropout)
    _fill(model, path, entries)
    return model.to(device).eval()


def read_shape(path: Path) -> tuple[type[Decoder], Shape]:
    """The family and shape that config.json tells; ArtifactError when it is damaged or not implemented."""
    config = read_config(path)
    family = _family(config, path)
    return family, family.shape_from_hf(config, str(path / "config.json"))


def _check_size(path: Path, shape: Shape, held: int) -> None:
    """Refuse a config that the weights don't bear out, and a model larger than the memory, before any is taken."""
    repeated = shape.vocab_size * shape.width if shape.tie_embeddings else 0
    if held not in (parameters(shape), parameters(shape) + repeated):
        message = f"{path}: config.json describes {parameters(shape)} parameters and the weights hold {held}"
        raise ArtifactError(message, "the two belong to different models: make or copy them again")
    needed, free = 4 * (parameters(shape) + shape.context * shape.head_dim), free_memory()
    if needed > free:
        message = f"{path} needs {needed / 2**30:.1f} GiB of memory and {free / 2**30:.1f} GiB are free"
        raise MachineError(message, "close other programs or take a smaller model")


def _family(config: Mapping[str, Any], path: Path) -> type[Decoder]:
    name = config.get("model_type")
    if not isinstance(name, str) or name not in FAMILIES:
        known = f"known: {', '.join(FAMILIES)}"
        raise ArtifactError(f"{path / 'config.json'}: unknown model_type {name!r}", known)
    return cast(type[Decoder], FAMILIES.load(name))


def _elements(entry: Entry) -> int:
    return (entry.end - entry.start) // entry.dtype.itemsize


def _entries(path: Path) -> dict[str, tuple[Path, Entry]]:
    """Each tensor with the file that holds it, over all shards."""
    found: dict[str, tuple[Path, Entry]] = {}
    for file in _weight_files(path):
        for name, entry in read_header(file).items():
            if name in found:
                raise ArtifactError(f"{path}: {name!r} is in two files", "make or copy the model again")
            if entry.dtype not in _FLOATS:
                raise ArtifactError(f"{file}: {name!r} is {entry.dtype}", "take float32, bfloat16 or float16 weights")
            found[name] = (file, entry)
    return found


def _weight_files(path: Path) -> list[Path]:
    if (path / WEIGHTS).is_file():
        return [path / WEIGHTS]
    if not (path / INDEX).is_file():
        pickles = sorted(file.name for file in path.iterdir() if file.suffix in (".bin", ".pt", ".pth", ".ckpt"))
        what = f" ({pickles[0]} may hold code and is never opened)" if pickles else ""
        raise ArtifactError(f"{path} has no {WEIGHTS}{what}", "save the model as safetensors")
    mapping = _read_json(path / INDEX).get("weight_map")
    if not isinstance(mapping, dict) or not all(_is_shard_name(name) for name in mapping.values()):
        raise ArtifactError(f"{path / INDEX} is damaged: weight_map must name *.safetensors files beside it")
    files = [path / name for name in sorted(set(mapping.values()))]
    for file in files:
        if not file.is_file():
            raise ArtifactError(f"{file} is missing", "make or copy the model again")
    return files


def _is_shard_name(name: Any) -> bool:
    return isinstance(name, str) and name.endswith(".safetensors") and "/" not in name and "\\" not in name


def free_memory() -> int:
    """Bytes of main memory that programs can still get."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@torch.no_grad()
def _fill(model: Decoder, path: Path, entries: Mapping[str, tuple[Path, Entry]]) -> None:
    """Copy the stored tensors into the model; every one of them must be expected, present and finite."""
    targets, repeats = hf_tensors(model), model.hf_repeats()
    _check_names(path, targets, repeats, entries)
    # A repeated tensor comes last, when what it repeats is there to compare with.
    for name in sorted(entries, key=lambda name: (name in repeats, name)):
        file, entry = entries[name]
        tensor = read_tensor(file, entry)
        if not torch.isfinite(tensor).all():
            raise ArtifactError(f"{file}: {name!r} holds numbers that aren't finite", "take an earlier model")
        if name in targets:
            targets[name].copy_(tensor)
        elif not torch.equal(tensor.float(), targets[repeats[name]]):
            message = f"{file}: {name!r} differs from {repeats[name]!r}, which config.json ties it to"
            raise ArtifactError(message, "set tie_word_embeddings to false in config.json")


def _check_names(
    path: Path, targets: Mapping[str, Tensor], repeats: Mapping[str, str], entries: Mapping[str, tuple[Path, Entry]]
) -> None:
    missing = sorted(targets.keys() - entries.keys())
    unknown = sorted(entries.keys() - targets.keys() - repeats.keys())
    if missing or unknown:
        what = f"{missing[0]!r} is missing" if missing else f"{unknown[0]!r} is not part of this model"
        raise ArtifactError(f"{path}: {what}", "weights and config.json belong to different models")
    for name, (_, entry) in entries.items():
        expected = tuple(targets[repeats.get(name, name)].shape)
        if entry.shape != expected:
            message = f"{path}: {name!r} has the shape {list(entry.shape)} and config.json says {list(expected)}"
            raise ArtifactError(message, "weights and config.json belong to different models")
