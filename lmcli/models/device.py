"""Which device, precision and number of threads a computation gets."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lmcli.cores import cores
from lmcli.errors import ConfigError, MachineError
from lmcli.models.config import ComputeConfig


@dataclass(frozen=True)
class Compute:
    """What was resolved: `device` as torch names it, `dtype` of matrix products, CPU `threads`."""

    device: str
    dtype: str
    threads: int
    processes: int = 1
    """That compute together, each with these threads."""

    def autocast(self) -> AbstractContextManager[Any]:
        """Matrix products in `dtype`; weights, norms, softmax and loss stay in float32."""
        if self.dtype == "float32":
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, dtype=getattr(torch, self.dtype))


def resolve_compute(config: ComputeConfig) -> Compute:
    """The fastest exact answer for `auto`, else what was asked for; MachineError for a device that isn't there."""
    device = _device(config.device)
    dtype = config.dtype
    if dtype == "auto":
        dtype = "bfloat16" if fast_bfloat16(device) else "float32"
    return Compute(device, dtype, config.threads or _threads())


def use_threads(compute: Compute) -> None:
    """Let torch's CPU kernels use this many threads, in the whole process."""
    torch.set_num_threads(compute.threads)


def fast_bfloat16(device: str) -> bool:
    """Whether matrix products in bfloat16 are several times faster than in float32 (AVX512-BF16, AMX, CUDA 8.0+)."""
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    return kind == "cpu" and bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def working(x: Tensor) -> Tensor:
    """x in the precision of matrix products here: that of autocast where it is on. What follows keeps it."""
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"unknown device {name!r}", "known: auto, cpu, cuda, cuda:1, mps") from None
    there = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    if device.type not in there:
        raise ConfigError(f"unknown device {name!r}", "known: auto, cpu, cuda, cuda:1, mps")
    if (device.index or 0) >= there[device.type]:
        raise MachineError(f"no device {name} on this machine", "use --device auto or --device cpu")
    return name


def _threads() -> int:
    """Torch's own choice (physical cores, OMP_NUM_THREADS), never more than this process may run on."""
    return max(1, min(torch.get_num_threads(), cores()))
