from __future__ import annotations

import pytest
import torch

from lmcli.errors import ConfigError, MachineError
from lmcli.models.allocator import keep_freed_memory
from lmcli.models.config import ComputeConfig
from lmcli.models.device import fast_bfloat16, resolve_compute


def test_auto_follows_the_hardware() -> None:
    compute = resolve_compute(ComputeConfig(device="cpu"))
    assert compute.device == "cpu"
    assert compute.dtype == ("bfloat16" if fast_bfloat16("cpu") else "float32")
    assert compute.threads >= 1


def test_what_is_asked_for_is_taken() -> None:
    compute = resolve_compute(ComputeConfig(device="cpu", dtype="bfloat16", threads=3))
    assert (compute.dtype, compute.threads) == ("bfloat16", 3)
    weight = torch.ones(2, 2)
    with compute.autocast():
        assert torch.nn.functional.linear(weight, weight).dtype == torch.bfloat16
    with resolve_compute(ComputeConfig(device="cpu", dtype="float32")).autocast():
        assert torch.nn.functional.linear(weight, weight).dtype == torch.float32


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_a_device_that_is_not_there() -> None:
    with pytest.raises(MachineError, match="no device cuda"):
        resolve_compute(ComputeConfig(device="cuda"))


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "meta"])
def test_a_device_that_does_not_exist(name: str) -> None:
    with pytest.raises(ConfigError, match="unknown device"):
        resolve_compute(ComputeConfig(device=name))


def test_freed_memory_can_be_kept_anywhere() -> None:
    keep_freed_memory()
    assert float(torch.ones(1 << 22).sum()) == 1 << 22
