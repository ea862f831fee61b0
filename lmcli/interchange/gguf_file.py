"""gguf: one file with weights and tokenizer for llama.cpp and whatever is built on it.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lmcli.errors import ArtifactError
from lmcli.interchange import llama
from lmcli.interchange.checking import Check, compare
from lmcli.interchange.config import ExportConfig
from lmcli.interchange.formats import Format, precision
from lmcli.interchange.gguf_architectures import ARCHITECTURES, Architecture
from lmcli.interchange.gguf_vocabulary import Vocabulary, vocabulary
from lmcli.interchange.packages import is_there, needed, version
from lmcli.interchange.source import Source, logits
from lmcli.models.model import Model
from lmcli.models.stored import hf_tensors
from lmcli.project import durable

FILE = "model.gguf"
_FILE_TYPES = {"float32": 0, "float16": 1, "q8_0": 7, "bfloat16": 32}
"""llama.cpp's numbers for what most of a file's weights are (gguf.LlamaFileType)."""
_TENSOR_TYPES = {"float32": "F32", "float16": "F16", "q8_0": "Q8_0", "bfloat16": "BF16"}
_BLOCK = 32
"""Weights that share a scale in Q8_0; rows of another multiple are kept in float16, as llama.cpp keeps them."""


def write(source: Source, config: ExportConfig, out: Path) -> None:
    architecture, described = _architecture(source.model), _config(source)
    words = vocabulary(source.tokenizer, source.model.shape.vocab_size, described.get("type_vocab_size", 0))
    gguf = needed("gguf", "gguf")
    path = out / FILE
    writer = gguf.GGUFWriter(path, architecture.name)
    writer.add_name(source.name)
    writer.add_file_type(_FILE_TYPES[precision(config)])
    _add_numbers(writer, architecture, described)
    _add_vocabulary(writer, words)
    for name, (_, tensor) in _tensors(source.model, architecture, described).items():
        kind = _kind(name, tensor, precision(config))
        array = gguf.quants.quantize(_array(tensor), gguf.GGMLQuantizationType[kind])
        writer.add_tensor(name, array, raw_dtype=gguf.GGMLQuantizationType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    durable.fsync_file(path)
    durable.write(out / "README.md", source.card)


def _architecture(model: Model) -> Architecture:
    family = _family(model)
    if family not in ARCHITECTURES:
        raise ArtifactError(
            f"GGUF has no {family}", f"it has {', '.join(ARCHITECTURES)}; export hf, onnx or dir instead"
        )
    return cast(Architecture, ARCHITECTURES.load(family))


def _family(model: Model) -> str:
    return str(model.hf_config(end_id=0, pad_id=0, dtype="float32")["model_type"])


def _config(source: Source) -> dict[str, Any]:
    ids = source.tokenizer
    return source.model.hf_config(end_id=ids.end_id, pad_id=ids.pad_id, dtype="float32")


def _add_numbers(writer: Any, architecture: Architecture, config: Mapping[str, Any]) -> None:
    for key, value in architecture.numbers(config).items():
        add = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32}[type(value)]
        add(f"{architecture.name}.{key}", value)


def _add_vocabulary(writer: Any, words: Vocabulary) -> None:
    writer.add_tokenizer_model(words.model)
    writer.add_tokenizer_pre(words.pre)
    writer.add_token_list(words.tokens)
    writer.add_token_types(words.kinds)
    if words.merges:
        writer.add_token_merges(words.merges)
    for key, place in words.special.items():
        writer.add_uint32(f"tokenizer.ggml.{key}_token_id", place)
    writer.add_add_bos_token(words.framed)
    writer.add_add_eos_token(words.framed)
    if words.segments:
        writer.add_token_type_count(words.segments)
    if words.template is not None:
        writer.add_chat_template(words.template)


def _tensors(model: Model, architecture: Architecture, config: Mapping[str, Any]) -> dict[str, tuple[str, Tensor]]:
    """llama.cpp's name of each tensor -> Hugging Face's, and the tensor as llama.cpp lays it."""
    gguf = needed("gguf", "gguf")
    number = next(number for number, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture.name)
    names = gguf.get_tensor_name_map(number, int(architecture.numbers(config)["block_count"]))
    found: dict[str, tuple[str, Tensor]] = {}
    for name, tensor in hf_tensors(model).items():
        known = architecture.known(name)
        if known is None:
            continue
        theirs = names.get_name(known, try_suffixes=(".weight", ".bias"))
        if theirs is None:
            raise ArtifactError(
                f"GGUF has no place for {name} of {architecture.name}", "export hf, onnx or dir instead"
            )
        found[theirs] = (name, architecture.turned(name, tensor, config))
    return found


def _kind(name: str, tensor: Tensor, precision: str) -> str:
    """Vectors and tables of positions stay in float32, as llama.cpp has them."""
    if tensor.ndim < 2 or name.startswith(("position_embd", "token_types")):
        return "F32"
    if precision == "q8_0" and tensor.shape[-1] % _BLOCK:
        return "F16"
    return _TENSOR_TYPES[precision]


def _array(tensor: Tensor) -> npt.NDArray[np.float32]:
    return tensor.detach().float().contiguous().numpy()


def check(source: Source, config: ExportConfig, out: Path) -> Sequence[Check]:
    """The file read by the `gguf` package, with our model; then, where it is installed, llama.cpp itself."""
    ours = source.logits_rtv
    theirs = logits(_read_back(source, out / FILE), source.ids_rt)
    checks = [compare(ours, theirs, library="gguf", version=version("gguf"), precision=precision(config))]
    if is_there("llama_cpp"):
        checks.append(llama.check(source, precision(config), out / FILE))
    return checks


@torch.no_grad()
def _read_back(source: Source, path: Path) -> Model:
    """Our model with the numbers that are in the file, and what the file says of it compared with what was meant."""
    gguf = needed("gguf", "gguf")
    reader = gguf.GGUFReader(path)
    architecture, config = _architecture(source.model), _config(source)
    _compare_numbers(reader, architecture, config)
    model = copy.deepcopy(source.model)
    targets = hf_tensors(model)
    meant = _tensors(source.model, architecture, config)
    stored = {tensor.name: tensor for tensor in reader.tensors}
    if stored.keys() != meant.keys():
        raise ArtifactError(f"{path} lacks tensors that were written", "check the disk, then export again")
    for name, (own, _) in meant.items():
        numbers = gguf.quants.dequantize(stored[name].data, stored[name].tensor_type)
        shape = [int(size) for size in reversed(stored[name].shape)]
        targets[own].copy_(architecture.back(own, torch.from_numpy(np.array(numbers)).view(shape), config))
    return model


def _compare_numbers(reader: Any, architecture: Architecture, config: Mapping[str, Any]) -> None:
    for key, value in architecture.numbers(config).items():
        field = reader.get_field(f"{architecture.name}.{key}")
        found = field.contents() if field else None
        if found is None or abs(float(found) - float(value)) > 1e-6 * abs(float(value)):
            raise ArtifactError(
                f"{architecture.name}.{key} is {found}, not {value}", "check the disk, then export again"
            )


GGUF = Format(write, check, {"gguf": "gguf"}, lambda config: FILE)
