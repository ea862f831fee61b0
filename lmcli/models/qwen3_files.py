"""How Hugging Face writes Qwen3 down: its config.json and the names of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmcli.errors import ArtifactError
from lmcli.models.model import Names, Piece
from lmcli.models.shape import Shape

# Own name in a block -> Hugging Face's names below model.layers.N, joined by rows.
BLOCK_NAMES = {
    "attention_norm.weight": ("input_layernorm.weight",),
    "attention.qkv.weight": ("self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"),
    "attention.q_norm.weight": ("self_attn.q_norm.weight",),
    "attention.k_norm.weight": ("self_attn.k_norm.weight",),
    "attention.out.weight": ("self_attn.o_proj.weight",),
    "ffn_norm.weight": ("post_attention_layernorm.weight",),
    "ffn.gate_up.weight": ("mlp.gate_proj.weight", "mlp.up_proj.weight"),
    "ffn.down.weight": ("mlp.down_proj.weight",),
}
MODEL_NAMES = {"embedding": "model.embed_tokens.weight", "norm.weight": "model.norm.weight", "head": "lm_head.weight"}

# Shape field -> key of config.json; all of them whole numbers.
SIZES = {
    "vocab_size": "vocab_size",
    "width": "hidden_size",
    "depth": "num_hidden_layers",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "ffn": "intermediate_size",
    "context": "max_position_embeddings",
}
MAX_SIZE = 1 << 27
MAX_DEPTH = 1_000

# Keys that change what is computed, with the values that mean what is implemented here (None: absent).
FIXED: Mapping[str, tuple[Any, ...]] = {
    "hidden_act": ("silu", None),
    "attention_bias": (False, None),
    "use_sliding_window": (False, None),
    "partial_rotary_factor": (1.0, None),
    "quantization_config": (None,),
}
PLAIN_ROPE: Mapping[str, tuple[Any, ...]] = {
    "rope_type": ("default",),
    "type": ("default",),
    "partial_rotary_factor": (1.0, None),
}


def hf_names(shape: Shape) -> Names:
    """Own parameter name -> Hugging Face's names, each with its number of rows (None: all of them)."""
    head, kv_head = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    rows: dict[str, tuple[int | None, ...]] = {
        "attention.qkv.weight": (head, kv_head, kv_head),
        "ffn.gate_up.weight": (shape.ffn, shape.ffn),
    }
    table: dict[str, tuple[Piece, ...]] = {
        own: (Piece(name),) for own, name in MODEL_NAMES.items() if own != "head" or not shape.tie_embeddings
    }
    for layer in range(shape.depth):
        for own, names in BLOCK_NAMES.items():
            pieces = zip(names, rows.get(own, (None,)), strict=True)
            table[f"blocks.{layer}.{own}"] = tuple(
                Piece(f"model.layers.{layer}.{name}", count) for name, count in pieces
            )
    return table


def to_hf_config(shape: Shape, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
    """config.json with every key written out, for transformers 4.56 (rope_theta) and 5 (rope_parameters) alike."""
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        **{key: getattr(shape, field) for field, key in SIZES.items()},
        "rms_norm_eps": shape.norm_eps,
        "rope_theta": shape.rope_theta,
        "rope_scaling": None,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "tie_word_embeddings": shape.tie_embeddings,
        "hidden_act": "silu",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "use_sliding_window": False,
        "sliding_window": None,
        "max_window_layers": shape.depth,
        "layer_types": ["full_attention"] * shape.depth,
        "initializer_range": 0.02,
        "use_cache": True,
        "bos_token_id": end_id,
        "eos_token_id": end_id,
        "pad_token_id": pad_id,
        "dtype": dtype,
        "torch_dtype": dtype,
    }


def from_hf_config(config: Mapping[str, Any], where: str) -> Shape:
    """The shape that a config.json describes; `where` names the file in messages.

    Raises ArtifactError for a missing or impossible value, and for a setting that would change the computation in a
    way that is not implemented. Keys that change nothing are not looked at.
    """
    for key, allowed in FIXED.items():
        if config.get(key) not in allowed:
            raise _unsupported(where, key, config[key])
    if set(_list(config, "layer_types")) - {"full_attention"}:
        raise _unsupported(where, "layer_types", config["layer_types"])
    sizes = {field: _size(config, key, where) for field, key in SIZES.items()}
    if sizes["depth"] > MAX_DEPTH:
        raise ArtifactError(f"{where}: num_hidden_layers {sizes['depth']} is not possible (at most {MAX_DEPTH})")
    if sizes["head_dim"] % 2 or sizes["heads"] % sizes["kv_heads"]:
        raise ArtifactError(f"{where}: head_dim must be even and num_key_value_heads divide num_attention_heads")
    tied = config.get("tie_word_embeddings", False)
    if not isinstance(tied, bool):
        raise ArtifactError(f"{where}: tie_word_embeddings = {tied!r} is not possible")
    epsilon = _number(config.get("rms_norm_eps", 1e-6), "rms_norm_eps", where)
    return Shape(**sizes, rope_theta=_rope_theta(config, where), norm_eps=epsilon, tie_embeddings=tied)


def _rope_theta(config: Mapping[str, Any], where: str) -> float:
    """The base of the rotary wavelengths, from where version 4 or version 5 of transformers keeps it."""
    theta = config.get("rope_theta", 10_000.0)
    for key in ("rope_scaling", "rope_parameters"):
        rope = config.get(key) or {}
        if not isinstance(rope, dict):
            raise _unsupported(where, key, rope)
        theta = rope.get("rope_theta", theta)
        if any(value not in PLAIN_ROPE.get(name, ()) for name, value in rope.items() if name != "rope_theta"):
            raise _unsupported(where, key, rope)
    return _number(theta, "rope_theta", where)


def _size(config: Mapping[str, Any], key: str, where: str) -> int:
    value = config.get(key)
    if value is None and key == "num_key_value_heads":
        value = config.get("num_attention_heads")
    if type(value) is not int or not 1 <= value <= MAX_SIZE:
        raise ArtifactError(f"{where}: {key} = {value!r} is not possible", f"a whole number up to {MAX_SIZE}")
    return value


def _number(value: Any, key: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e30:
        raise ArtifactError(f"{where}: {key} = {value!r} is not possible", "a positive number")
    return float(value)


def _list(config: Mapping[str, Any], key: str) -> list[str]:
    value = config.get(key) or []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _unsupported(where: str, key: str, value: Any) -> ArtifactError:
    return ArtifactError(f"{where}: {key} = {value!r} is not implemented", "take a model without it")
