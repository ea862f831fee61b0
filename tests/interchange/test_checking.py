from __future__ import annotations

import math

import pytest
import torch

from lmcli.errors import ConfigError, GateError, MachineError
from lmcli.interchange.checking import Check, compare, require
from lmcli.interchange.config import ExportConfig
from lmcli.interchange.formats import check_settings
from lmcli.interchange.packages import needed

OURS = torch.tensor([[[2.0, 0.0, -4.0], [0.5, 1.0, 0.0]]])


def check(theirs: torch.Tensor, precision: str = "float32") -> Check:
    return compare(OURS, theirs, library="theirs", version="1.2", precision=precision)


def test_the_same_logits_hold() -> None:
    found = check(OURS.clone())
    assert (found.difference, found.agreement, found.divergence, found.tokens) == (0.0, 1.0, 0.0, 2)
    assert found.largest == 4.0
    assert found.tolerance == pytest.approx(4e-3)
    require([found], "model")


def test_figures_of_a_difference() -> None:
    theirs = OURS.clone()
    theirs[0, 1] = torch.tensor([1.5, 1.0, 0.0])
    found = check(theirs)
    assert found.difference == 1.0
    assert found.agreement == 0.5
    p, q = OURS[0, 1].softmax(-1), theirs[0, 1].softmax(-1)
    assert found.divergence == pytest.approx(float((p * (p / q).log()).sum()) / 2)
    assert not found.holds
    with pytest.raises(
        GateError, match=r"model is not published: theirs 1\.2 computes other logits.* by 1 where 0\.004"
    ):
        require([check(OURS), found], "model")


def test_less_precise_weights_may_be_further_off() -> None:
    theirs = OURS + 0.02
    assert not check(theirs).holds
    assert check(theirs, "float16").holds
    assert check(theirs, "q8_0").holds


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_what_is_not_finite_never_holds(number: float) -> None:
    theirs = OURS.clone()
    theirs[0, 0, 0] = number
    assert not check(theirs, "int8").holds


def test_another_shape_is_refused() -> None:
    with pytest.raises(GateError, match="shape"):
        check(OURS[:, :, :2])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"format": "hf", "quantize": "q8_0"}, "quantize = q8_0 has no meaning for hf"),
        ({"format": "gguf", "quantize": "int8"}, "it takes none, q8_0"),
        ({"format": "onnx", "dtype": "bfloat16"}, "leave it at float32"),
        ({"format": "gguf", "archive": "zip"}, "archive = zip has no meaning for gguf"),
        ({"format": "gguf", "dtype": "float16", "quantize": "q8_0"}, "exclude each other"),
    ],
)
def test_settings_that_a_format_can_not_have(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_settings(ExportConfig(**settings))  # type: ignore[arg-type]
    assert message in f"{caught.value.message} {caught.value.hint}"


def test_a_missing_library_names_its_extra() -> None:
    with pytest.raises(MachineError, match="the package no_such_library is not installed") as caught:
        needed("no_such_library", "gguf")
    assert caught.value.hint == 'pip install "lmcli[gguf]"'
