"""Passes over activations that torch.compile joins into one, so that numbers stay in registers between operations.

Only what lies between matrix products is compiled, and only for training: validation and generation have other shapes,
each of which would be compiled again.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

import torch

from lmcli.errors import MachineError

P = ParamSpec("P")
R = TypeVar("R")

_fusing: ContextVar[bool] = ContextVar("fusing", default=False)


@contextmanager
def fusing(on: bool = True) -> Iterator[None]:
    """Within it `fused` gives compiled code. Making that takes a C++ compiler half a minute; it is kept on the disk."""
    token = _fusing.set(on)
    try:
        yield
    finally:
        _fusing.reset(token)


def check_compiler() -> None:
    """MachineError unless the C++ compiler is there that torch.compile would call."""
    name = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if shutil.which(name) is None:
        hint = "install a C++ compiler (Debian: apt install g++), or leave train.compile off"
        raise MachineError(f"train.compile needs the C++ compiler {name}, which is not there", hint)


def fused(function: Callable[P, R], training: bool = True) -> Callable[P, R]:
    """The function, or code with the same results up to rounding."""
    return _compiled(function) if _fusing.get() and training else function


@functools.cache
def _compiled(function: Callable[P, R]) -> Callable[P, R]:
    return torch.compile(function)
