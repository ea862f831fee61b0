"""How Hugging Face writes Qwen3 down: its config.json and the names of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmcli.errors import ArtifactError
from lmcli.models.hf_values import (
    Fixed,
    check_fixed,
    depth_of,
    flag_of,
    list_of,
    number_of,
    rope_theta,
    size_of,
    unsupported,
)
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

FIXED: Fixed = {
    "hidden_act": ("silu", None),
    "attention_bias": (False, None),
    "use_sliding_window": (False, None),
    "partial_rotary_factor": (1.0, None),
    "quantization_config": (None,),
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
    check_fixed(config, FIXED, where)
    if set(list_of(config, "layer_types")) - {"full_attention"}:
        raise unsupported(where, "layer_types", config["layer_types"])
    heads = size_of(config, SIZES["heads"], where)
    defaults = {"kv_heads": heads}
    sizes = {field: size_of(config, key, where, defaults.get(field)) for field, key in SIZES.items()}
    depth_of(config, SIZES["depth"], where)
    if sizes["head_dim"] % 2 or heads % sizes["kv_heads"]:
        raise ArtifactError(f"{where}: head_dim must be even and num_key_value_heads divide num_attention_heads")
    return Shape(
        **sizes,
        rope_theta=rope_theta(config, where),
        norm_eps=number_of(config, "rms_norm_eps", where, 1e-6),
        tie_embeddings=flag_of(config, "tie_word_embeddings", where, False),
    )
