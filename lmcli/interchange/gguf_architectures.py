"""Families as llama.cpp knows them: the architecture's name, its numbers, and tensors that it wants turned.

Keys and layouts are those of llama.cpp's own converter (convert_hf_to_gguf.py); names of tensors come from the `gguf`
package's tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from lmcli.errors import ArtifactError
from lmcli.registry import Registry

Numbers = Mapping[str, int | float | bool]
Turn = Callable[[str, Tensor, Mapping[str, Any]], Tensor]


def as_it_is(name: str, tensor: Tensor, config: Mapping[str, Any]) -> Tensor:
    return tensor


@dataclass(frozen=True)
class Architecture:
    """`numbers` gives the metadata below the architecture's name, from a config.json.

    `turned` gives a tensor of Hugging Face's as llama.cpp stores it, and `back` undoes that. `known` is the name under
    which the `gguf` package's tables have a tensor, or None for one that llama.cpp has no use for.
    """

    name: str
    numbers: Callable[[Mapping[str, Any]], Numbers]
    turned: Turn = as_it_is
    back: Turn = as_it_is
    known: Callable[[str], str | None] = str


ARCHITECTURES = Registry(
    "GGUF architecture",
    {
        "qwen3": "lmcli.interchange.gguf_architectures:QWEN3",
        "llama": "lmcli.interchange.gguf_architectures:LLAMA",
        "gpt2": "lmcli.interchange.gguf_architectures:GPT2",
        "bert": "lmcli.interchange.gguf_architectures:BERT",
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


def _interleaved(name: str, tensor: Tensor, config: Mapping[str, Any]) -> Tensor:
    """Queries and keys for positions that turn channel 2i with 2i + 1, where Hugging Face turns i with i + k/2."""
    heads = _heads(name, config)
    return tensor if heads is None else tensor.reshape(heads, 2, -1, *tensor.shape[1:]).transpose(1, 2).flatten(0, 2)


def _in_halves(name: str, tensor: Tensor, config: Mapping[str, Any]) -> Tensor:
    heads = _heads(name, config)
    return tensor if heads is None else tensor.reshape(heads, -1, 2, *tensor.shape[1:]).transpose(1, 2).flatten(0, 2)


def _heads(name: str, config: Mapping[str, Any]) -> int | None:
    """How many heads a matrix of queries or keys has; None for all others."""
    if ".q_proj." in name:
        return int(config["num_attention_heads"])
    return int(config["num_key_value_heads"]) if ".k_proj." in name else None


def _llama(config: Mapping[str, Any]) -> Numbers:
    if config["rope_scaling"]:
        raise ArtifactError("the scaled rotary positions of this model are not written to GGUF", "export hf or onnx")
    return {**_rotary(config), "rope.dimension_count": config["head_dim"]}


LLAMA = Architecture("llama", _llama, _interleaved, _in_halves)


def _gpt2(config: Mapping[str, Any]) -> Numbers:
    return {
        "context_length": config["n_positions"],
        "embedding_length": config["n_embd"],
        "block_count": config["n_layer"],
        "feed_forward_length": config.get("n_inner") or 4 * config["n_embd"],
        "attention.head_count": config["n_head"],
        "attention.layer_norm_epsilon": float(config["layer_norm_epsilon"]),
    }


def _outputs_first(name: str, tensor: Tensor, config: Mapping[str, Any]) -> Tensor:
    """GPT-2's matrices lie with their inputs first in Hugging Face's files."""
    inputs_first = name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight"))
    return tensor.mT if inputs_first else tensor


GPT2 = Architecture("gpt2", _gpt2, _outputs_first, _outputs_first)


NO_POOLING = 0
"""llama.cpp's number for a state of each token instead of one for the text."""


def _bert(config: Mapping[str, Any]) -> Numbers:
    return {
        "context_length": config["max_position_embeddings"],
        "embedding_length": config["hidden_size"],
        "block_count": config["num_hidden_layers"],
        "feed_forward_length": config["intermediate_size"],
        "attention.head_count": config["num_attention_heads"],
        "attention.layer_norm_epsilon": float(config["layer_norm_eps"]),
        "attention.causal": False,
        "pooling_type": NO_POOLING,
    }


def _of_the_body(name: str) -> str | None:
    """llama.cpp computes states, no words: heads and pooler stay behind."""
    if not name.startswith("bert.") or name.startswith("bert.pooler."):
        return None
    return name.removeprefix("bert.")


BERT = Architecture("bert", _bert, known=_of_the_body)
