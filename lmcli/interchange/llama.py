"""llama.cpp through llama-cpp-python, where it is installed: the last word on a GGUF file."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmcli.errors import GateError
from lmcli.interchange.checking import Check, compare
from lmcli.interchange.packages import needed, version
from lmcli.interchange.source import Source

_F32 = 0
"""ggml's number for float32: the cache is as precise as ours."""
_PACKAGE = "llama_cpp_python"


def check(source: Source, precision: str, path: Path) -> Check:
    """Its logits beside ours; GateError when it cuts the text into other tokens."""
    model = load(path, source.ids_rt.shape[1])
    ids = source.tokenizer.encode(source.text)
    theirs = model.tokenize(source.text.encode(), add_bos=False, special=False)
    if ids != theirs:
        place = next((n for n, pair in enumerate(zip(ids, theirs, strict=False)) if pair[0] != pair[1]), len(ids))
        text = source.tokenizer.decode(ids[place : place + 4])
        raise GateError(f"{path.name} is not published: llama.cpp cuts the text into other tokens at {text!r}")
    found = torch.stack([logits(model, row) for row in source.ids_rt.tolist()])
    return compare(
        source.logits_rtv, found, library="llama-cpp-python", version=version(_PACKAGE), precision=_computed(precision)
    )


@functools.cache
def _no_log(llama_cpp: Any) -> Any:
    """A function for C that says nothing; it must live as long as the library."""
    return llama_cpp.llama_log_callback(lambda level, text, data: None)


def load(path: Path, context: int) -> Any:
    llama_cpp = needed("llama_cpp", "gguf")
    llama_cpp.llama_log_set(_no_log(llama_cpp), None)
    return llama_cpp.Llama(
        str(path), n_ctx=context, n_batch=context, n_gpu_layers=0, logits_all=True, verbose=False,
        type_k=_F32, type_v=_F32,
    )  # fmt: skip


def logits(model: Any, ids: list[int]) -> Tensor:
    """(t, v) for a text that begins with `ids`."""
    model.reset()
    model.eval(ids)
    return torch.from_numpy(np.array(model.scores[: len(ids)]))


def _computed(precision: str) -> str:
    """llama.cpp rounds what meets 16-bit weights to their type too."""
    return precision
