"""What Hugging Face's config.json and names of tensors have in common for decoders with rotary positions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmcli.errors import ArtifactError
from lmcli.models.hf_values import depth_of, flag_of, number_of, rope_theta, size_of
from lmcli.models.model import Names, Piece
from lmcli.models.shape import Shape

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
PREFIX = "model."
"""Of the names of the body."""

ATTENTION = {
    "attention.qkv.weight": ("self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"),
    "attention.out.weight": ("self_attn.o_proj.weight",),
}
SWIGLU = {
    "ffn.gate_up.weight": ("mlp.gate_proj.weight", "mlp.up_proj.weight"),
    "ffn.down.weight": ("mlp.down_proj.weight",),
}
NORMS = {
    "attention_norm.weight": ("input_layernorm.weight",),
    "ffn_norm.weight": ("post_attention_layernorm.weight",),
}
LAST_NORM = {"norm.weight": "model.norm.weight"}

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


def names(shape: Shape, block: Mapping[str, tuple[str, ...]], others: Mapping[str, str]) -> Names:
    """Own parameter name -> Hugging Face's: `block` gives those below model.layers.N, joined by rows.

    `others` lie outside of the blocks; embedding and output layer need no mention.
    """
    head, kv_head = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    rows: dict[str, tuple[int | None, ...]] = {
        "attention.qkv.weight": (head, kv_head, kv_head),
        "ffn.gate_up.weight": (shape.ffn, shape.ffn),
    }
    whole = {"embedding": EMBEDDING, **others, **({} if shape.tie_embeddings else {"head": HEAD})}
    table: dict[str, tuple[Piece, ...]] = {own: (Piece(name),) for own, name in whole.items()}
    for layer in range(shape.depth):
        for own, parts in block.items():
            pieces = zip(parts, rows.get(own, (None,)), strict=True)
            table[f"blocks.{layer}.{own}"] = tuple(Piece(f"{PREFIX}layers.{layer}.{name}", n) for name, n in pieces)
    return table


def repeats(shape: Shape) -> dict[str, str]:
    return {HEAD: EMBEDDING} if shape.tie_embeddings else {}


def config(shape: Shape, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
    """What is alike in every config.json of this kind, for transformers 4.56 (rope_theta) and 5 (rope_parameters)."""
    return {
        **{key: getattr(shape, field) for field, key in SIZES.items()},
        "rms_norm_eps": shape.norm_eps,
        "rope_theta": shape.rope_theta,
        "rope_scaling": None,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "tie_word_embeddings": shape.tie_embeddings,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "use_cache": True,
        "bos_token_id": end_id,
        "eos_token_id": end_id,
        "pad_token_id": pad_id,
        "dtype": dtype,
        "torch_dtype": dtype,
    }


def sizes(
    config: Mapping[str, Any], where: str, *, head_dim: int | None = None, plain_rope: bool = True
) -> dict[str, Any]:
    """The fields of a `Shape` that a config.json describes; `head_dim` where it may be left out.

    Raises ArtifactError for a missing or impossible value.
    """
    heads = size_of(config, SIZES["heads"], where)
    defaults = {"kv_heads": heads, "head_dim": head_dim}
    found = {field: size_of(config, key, where, defaults.get(field)) for field, key in SIZES.items()}
    depth_of(config, SIZES["depth"], where)
    if found["head_dim"] % 2 or heads % found["kv_heads"]:
        raise ArtifactError(f"{where}: head_dim must be even and num_key_value_heads divide num_attention_heads")
    return {
        **found,
        "rope_theta": rope_theta(config, where, plain=plain_rope),
        "norm_eps": number_of(config, "rms_norm_eps", where, 1e-6),
        "tie_embeddings": flag_of(config, "tie_word_embeddings", where, False),
    }


def usual_head_dim(config: Mapping[str, Any], where: str) -> int:
    """The width shared by the heads; ArtifactError when they don't divide it."""
    width, heads = (size_of(config, SIZES[field], where) for field in ("width", "heads"))
    if width % heads:
        raise ArtifactError(f"{where}: num_attention_heads must divide hidden_size")
    return width // heads
