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
_NO_POOLING = 0
_PACKAGE = "llama_cpp_python"


def check(source: Source, precision: str, path: Path) -> Check:
    """Its logits beside ours, of an encoder its states; GateError when it cuts the text into other tokens."""
    states = source.model.kind == "encoder"
    model = load(path, source.ids_rt.shape[1], states=states)
    _check_tokens(source, model.tokenize(source.text.encode(), add_bos=False, special=False), path)
    if states:
        ours, theirs = _states(source, model)
    else:
        ours = source.logits_rtv
        theirs = torch.stack([logits(model, row) for row in source.ids_rt.tolist()])
    of = "states" if states else "logits"
    return compare(ours, theirs, library="llama-cpp-python", version=version(_PACKAGE), precision=precision, of=of)


def _check_tokens(source: Source, theirs: list[int], path: Path) -> None:
    ids = source.tokenizer.encode(source.text)
    if source.model.kind == "encoder" and len(theirs) == len(ids) + 1:
        theirs = theirs[:-1]  # it closes a text whether or not it opens it
    if ids != theirs:
        place = next((n for n, pair in enumerate(zip(ids, theirs, strict=False)) if pair[0] != pair[1]), len(ids))
        text = source.tokenizer.decode(ids[place : place + 4])
        raise GateError(f"{path.name} is not published: llama.cpp cuts the text into other tokens at {text!r}")


def load(path: Path, context: int, *, states: bool = False) -> Any:
    """The model in a file, for logits of every position, or for `states`."""
    llama_cpp = needed("llama_cpp", "gguf")
    llama_cpp.llama_log_set(_no_log(llama_cpp), None)
    sizes = {"n_ctx": context, "n_batch": context, "n_ubatch": context, "n_gpu_layers": 0}
    kind = {"embedding": True, "pooling_type": _NO_POOLING} if states else {"logits_all": True}
    return llama_cpp.Llama(str(path), verbose=False, type_k=_F32, type_v=_F32, **sizes, **kind)


@functools.cache
def _no_log(llama_cpp: Any) -> Any:
    """A function for C that says nothing; it must live as long as the library."""
    return llama_cpp.llama_log_callback(lambda level, text, data: None)


def logits(model: Any, ids: list[int]) -> Tensor:
    """(t, v) for a text that begins with `ids`."""
    model.reset()
    model.eval(ids)
    return torch.from_numpy(np.array(model.scores[: len(ids)]))


@torch.inference_mode()
def _states(source: Source, model: Any) -> tuple[Tensor, Tensor]:
    """Our states and theirs of the beginning of the text, between the tokens that it puts around it."""
    ids = model.tokenize(source.text.encode())[: source.ids_rt.shape[1]]
    ours = source.model.hidden(torch.tensor([ids]))  # type: ignore[operator]
    return ours[0], torch.tensor(model.embed(source.text))
