"""How Hugging Face writes GPT-2 down: its config.json and the names of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmcli.errors import ArtifactError
from lmcli.models.hf_values import Fixed, check_fixed, depth_of, flag_of, number_of, size_of
from lmcli.models.model import Names, Piece
from lmcli.models.shape import Shape

PREFIX = "transformer."
HEAD = "lm_head.weight"
OTHERS = {
    "embedding": f"{PREFIX}wte.weight",
    "positions": f"{PREFIX}wpe.weight",
    "norm.weight": f"{PREFIX}ln_f.weight",
    "norm.bias": f"{PREFIX}ln_f.bias",
}
# Own name in a block -> Hugging Face's below transformer.h.N, each with a weight and a bias.
NORMS = {"attention_norm": "ln_1", "ffn_norm": "ln_2"}
PRODUCTS = {
    "attention.qkv": "attn.c_attn",
    "attention.out": "attn.c_proj",
    "ffn.up": "mlp.c_fc",
    "ffn.down": "mlp.c_proj",
}

# Shape field -> key of config.json; all of them whole numbers.
SIZES = {"vocab_size": "vocab_size", "width": "n_embd", "heads": "n_head", "context": "n_positions"}

# `reorder_and_upcast_attn` is another order of the same operations, so that it may have any value.
FIXED: Fixed = {
    "activation_function": ("gelu_new", "gelu_pytorch_tanh", None),
    "scale_attn_weights": (True, None),
    "scale_attn_by_inverse_layer_idx": (False, None),
    "add_cross_attention": (False, None),
    "pruned_heads": ({}, None),
    "quantization_config": (None,),
}
SINUSOIDAL = "sinusoidal_pos_embds"
"""DistilBERT's key. Transformers' GPT-2 doesn't know it, and reads the table as it reads a learned one."""


def names(shape: Shape) -> Names:
    """Own name -> Hugging Face's; matrices are stored with their inputs in rows."""
    others = {**OTHERS, **({} if shape.tie_embeddings else {"head": HEAD})}
    table: dict[str, tuple[Piece, ...]] = {own: (Piece(name),) for own, name in others.items()}
    for layer in range(shape.depth):
        for own, name in {**NORMS, **PRODUCTS}.items():
            for kind in ("weight", "bias"):
                turned = kind == "weight" and own in PRODUCTS
                piece = Piece(f"{PREFIX}h.{layer}.{name}.{kind}", transposed=turned)
                table[f"blocks.{layer}.{own}.{kind}"] = (piece,)
    return table


def config(shape: Shape, *, learned: bool, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
    """config.json with every key written out; training in transformers then drops as it does by default there."""
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        **{key: getattr(shape, field) for field, key in SIZES.items()},
        "n_layer": shape.depth,
        "n_inner": shape.ffn,
        "n_ctx": shape.context,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": shape.norm_eps,
        "attn_pdrop": 0.1,
        "embd_pdrop": 0.1,
        "resid_pdrop": 0.1,
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "reorder_and_upcast_attn": False,
        "add_cross_attention": False,
        "initializer_range": 0.02,
        "tie_word_embeddings": shape.tie_embeddings,
        **({} if learned else {SINUSOIDAL: True}),
        "use_cache": True,
        "bos_token_id": end_id,
        "eos_token_id": end_id,
        "pad_token_id": pad_id,
        "dtype": dtype,
        "torch_dtype": dtype,
    }


def sizes(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields of a `GPT2Shape` that a config.json describes.

    Raises ArtifactError for a missing or impossible value, and for a setting that would change the computation in a
    way that is not implemented. Keys that change nothing are not looked at.
    """
    check_fixed(config, FIXED, where)
    found = {field: size_of(config, key, where) for field, key in SIZES.items()}
    width, heads = found["width"], found["heads"]
    if width % heads:
        raise ArtifactError(f"{where}: n_head must divide n_embd")
    return {
        **found,
        "depth": depth_of(config, "n_layer", where),
        "kv_heads": heads,
        "head_dim": width // heads,
        "ffn": size_of(config, "n_inner", where, 4 * width),
        "norm_eps": number_of(config, "layer_norm_epsilon", where, 1e-5),
        "tie_embeddings": flag_of(config, "tie_word_embeddings", where, True),
        "positions": "sinusoidal" if flag_of(config, SINUSOIDAL, where, False) else "learned",
    }


def follows_from_config(name: str) -> bool:
    """Whether a tensor is a causal mask, which older writers stored and nobody needs."""
    return name.endswith((".attn.bias", ".attn.masked_bias"))
