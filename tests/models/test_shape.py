from __future__ import annotations

import pytest

from lmcli.errors import ConfigError
from lmcli.models.config import ModelConfig
from lmcli.models.qwen3 import Qwen3
from lmcli.models.shape import resolved_shape
from tests.models import tiny

RESOLVED = {"width": 64, "depth": 2, "heads": 4, "ffn": 96, "context": 128, "tie_embeddings": True}


@pytest.mark.parametrize("changes", [{}, {"tie_embeddings": False}, {"kv_heads": 2}, {"head_dim": 16, "depth": 3}])
def test_parameters_counts_what_the_model_has(changes: dict[str, object]) -> None:
    shape = tiny.shape(**changes)
    assert shape.parameters == sum(parameter.numel() for parameter in Qwen3(shape).parameters())


def test_matmul_parameters_are_the_matrices_with_the_output_layer() -> None:
    shape = tiny.shape(tie_embeddings=False, kv_heads=2)
    named = Qwen3(shape).named_parameters()
    expected = sum(weight.numel() for name, weight in named if weight.ndim == 2 and name != "embedding")
    assert shape.matmul_parameters == expected
    assert tiny.shape(kv_heads=2).matmul_parameters == expected


def test_flops_of_a_token() -> None:
    shape = tiny.shape()
    assert shape.flops_per_token(100) == 6 * shape.matmul_parameters + 12 * 2 * 32 * 100


def test_as_many_kv_heads_as_heads_by_default() -> None:
    shape = resolved_shape(ModelConfig(**RESOLVED), 300)
    assert (shape.vocab_size, shape.kv_heads, shape.head_dim) == (300, 4, 16)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": "auto"}, "model.width is still auto"),
        ({"tie_embeddings": "auto"}, "model.tie_embeddings is still auto"),
        ({"heads": 5}, "can't be cut into 5 heads"),
        ({"heads": 64}, "even size"),
        ({"kv_heads": 3}, "kv_heads 3 doesn't divide"),
    ],
)
def test_what_cannot_be_built_is_said(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolved_shape(ModelConfig(**{**RESOLVED, **changes}), 300)  # type: ignore[arg-type]
