"""Families as llama.cpp knows them: the architecture's name, its numbers, and tensors that it wants turned.

Keys and layouts are those of llama.cpp's own converter (convert_hf_to_gguf.py); names of tensors come from the `gguf`
package's tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from lmcli.registry import Registry

Numbers = Mapping[str, int | float | bool]
Turn = Callable[[str, Tensor, Mapping[str, Any]], Tensor]


def as_it_is(name: str, tensor: Tensor, config: Mapping[str, Any]) -> Tensor:
    return tensor


@dataclass(frozen=True)
class Architecture:
    """`numbers` gives the metadata below the architecture's name, from a config.json.

    `turned` gives a tensor of Hugging Face's as llama.cpp stores it, and `back` undoes that.
    """

    name: str
    numbers: Callable[[Mapping[str, Any]], Numbers]
    turned: Turn = as_it_is
    back: Turn = as_it_is


ARCHITECTURES = Registry(
    "GGUF architecture",
    {
        "qwen3": "lmcli.interchange.gguf_architectures:QWEN3",
    },
)


def _rotary(config: Mapping[str, Any]) -> Numbers:
    """What rotary families with RMSNorm share."""
    return {
        "context_length": config["max_position_embeddings"],
        "embedding_length": config["hidden_size"],
        "block_count": config["num_hidden_layers"],
        "feed_forward_length": config["intermediate_size"],
        "attention.head_count": config["num_attention_heads"],
        "attention.head_count_kv": config["num_key_value_heads"],
        "attention.key_length": config["head_dim"],
        "attention.value_length": config["head_dim"],
        "attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]),
        "rope.freq_base": float(config["rope_theta"]),
    }


QWEN3 = Architecture("qwen3", _rotary)
