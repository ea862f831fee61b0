"""Model directories as Hugging Face lays them out: written, checked and read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

import torch

from lmcli.errors import ArtifactError, MachineError
from lmcli.models.decoder import Decoder
from lmcli.models.encoder import Encoder
from lmcli.models.encoder_decoder import EncoderDecoder
from lmcli.models.families import FAMILIES
from lmcli.models.model import Model
from lmcli.models.shape import Shape
from lmcli.models.stored import WEIGHTS, Stored, hf_tensors, read_json
from lmcli.models.weights import write_tensors
from lmcli.project import durable
from lmcli.tokens.tokenizer import Tokenizer

Writer = Decoder | EncoderDecoder
"""A model that writes: after a text, or for one."""

GENERATION_KEYS = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
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


def save_model(
    model: Model,
    tokenizer_directory: Path,
    out: Path,
    *,
    dtype: Literal["float32", "bfloat16", "float16"] = "float32",
    card: str,
) -> None:
    """Write a directory that transformers loads as the family's class; `card` becomes its README.md.

    Models that belong to it lie in folders of their names.
    """
    tokenizer = Tokenizer.load(tokenizer_directory)
    for folder, part in ((out, model), *((out / name, part) for name, part in model.companions().items())):
        _save_weights(part, folder, tokenizer, dtype)
        _save_tokenizer(tokenizer_directory, folder, segments=isinstance(part, Encoder) and part.segments > 1)
    durable.write(out / "README.md", card)


def _save_tokenizer(source: Path, out: Path, *, segments: bool) -> None:
    """The files as they are; but only a model that tells segments apart is handed their numbers by transformers."""
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            _copy(source / name, out / name)
    config = out / "tokenizer_config.json"
    if segments and config.is_file():
        inputs = ["input_ids", "token_type_ids", "attention_mask"]
        durable.write(config, _json({**read_json(config), "model_input_names": inputs}))


def _save_weights(model: Model, out: Path, tokenizer: Tokenizer, dtype: str) -> None:
    config = model.hf_config(end_id=tokenizer.end_id, pad_id=tokenizer.pad_id, dtype=dtype)
    durable.mkdir(out)
    write_tensors(out / WEIGHTS, hf_tensors(model), getattr(torch, dtype))
    durable.write(out / "config.json", _json(config))
    if model.kind != "encoder":
        generation = {key: config[key] for key in GENERATION_KEYS if key in config}
        durable.write(out / "generation_config.json", _json(generation))


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


def _copy(source: Path, target: Path) -> None:
    temporary = durable.temporary_name(target)
    with source.open("rb") as old, durable.create(temporary) as new:
        shutil.copyfileobj(old, new)
    durable.replace(temporary, target)


def read_config(path: Path) -> dict[str, Any]:
    """config.json of a model directory; ArtifactError when there is none or it is damaged."""
    if not path.is_dir():
        raise ArtifactError(f"no model directory {path}", "check the name or path of the model")
    return read_json(path / "config.json")


def load_model(path: Path, device: str = "cpu", *, dropout: float = 0.0) -> Model:
    """The model of a directory in eval mode with float32 weights; nothing in the directory is ever executed.

    Raises ArtifactError when files are missing or damaged, when weights and config.json disagree, when a number isn't
    finite, and for what isn't implemented; MachineError when the model is larger than the free memory.
    """
    family, shape = read_shape(path)
    with torch.device("meta"):
        plan = family(shape, dropout)
    stored = Stored.of(plan, path)
    companions = {
        name: Stored.of(companion, path / name)
        for name, companion in plan.companions().items()
        if (path / name).is_dir()
    }
    _check_size(path, plan)
    model = family(shape, dropout)
    if stored.missing or companions.keys() != plan.companions().keys():
        model.initialise(0)
    stored.fill(model)
    for name, part in companions.items():
        part.fill(model.companions()[name])
    return model.to(device).eval()


def load_decoder(path: Path, device: str = "cpu", *, dropout: float = 0.0) -> Decoder:
    """As `load_model`, for what needs a model of the next token; ArtifactError when this is another kind."""
    model = load_model(path, device, dropout=dropout)
    if not isinstance(model, Decoder):
        raise ArtifactError(f"{path} holds an {model.kind}, and this needs a decoder", "take another --model")
    return model


def load_writer(path: Path, device: str = "cpu", *, dropout: float = 0.0) -> Writer:
    """As `load_model`, for what needs a model that writes text; ArtifactError when this is an encoder."""
    model = load_model(path, device, dropout=dropout)
    if not isinstance(model, Decoder | EncoderDecoder):
        message = f"{path} holds an {model.kind}, and this needs a decoder or an encoder-decoder"
        raise ArtifactError(message, "take another --model")
    return model


def read_shape(path: Path) -> tuple[type[Model], Shape]:
    """The family and shape that config.json tells; ArtifactError when it is damaged or not implemented."""
    config = read_config(path)
    if config.get("auto_map"):
        message = f"{path / 'config.json'}: auto_map names code of the model's own, which is never run"
        raise ArtifactError(message, "take a model that one of the families here computes")
    family = _family(config, path)
    return family, family.shape_from_hf(config, str(path / "config.json"))


def _check_size(path: Path, plan: Model) -> None:
    """Refuse a model larger than the memory, before any is taken; `plan` has no numbers."""
    tables = [*plan.parameters(), *plan.buffers()]
    needed, free = 4 * sum(table.numel() for table in tables), free_memory()
    if needed > free:
        message = f"{path} needs {needed / 2**30:.1f} GiB of memory and {free / 2**30:.1f} GiB are free"
        raise MachineError(message, "close other programs or take a smaller model")


def _family(config: Mapping[str, Any], path: Path) -> type[Model]:
    name = config.get("model_type")
    if not isinstance(name, str) or name not in FAMILIES:
        known = f"known: {', '.join(FAMILIES)}"
        raise ArtifactError(f"{path / 'config.json'}: unknown model_type {name!r}", known)
    return cast(type[Model], FAMILIES.load(name)).of_hf(config)


def free_memory() -> int:
    """Bytes of main memory that programs can still get."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
