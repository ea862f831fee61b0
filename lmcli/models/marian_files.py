"""How Hugging Face writes Marian down: its config.json and the names of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmcli.errors import ArtifactError
from lmcli.models.hf_values import Fixed, check_fixed, depth_of, flag_of, size_of, unsupported
from lmcli.models.marian_shape import MarianShape
from lmcli.models.model import Names, Piece

# Own name in a block -> Hugging Face's names below model.STACK.layers.N., joined by rows.
BOTH = {
    "attention.qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attention.out": ("self_attn.out_proj",),
    "attention_norm": ("self_attn_layer_norm",),
    "ffn.up": ("fc1",),
    "ffn.down": ("fc2",),
    "ffn_norm": ("final_layer_norm",),
}
CROSS = {
    "cross.q": ("encoder_attn.q_proj",),
    "cross.kv": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
    "cross.out": ("encoder_attn.out_proj",),
    "cross_norm": ("encoder_attn_layer_norm",),
}
TABLES = ("model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight")
"""Which are one and the same."""

# Shape field -> keys of config.json; all of them whole numbers, and alike where there are two.
SIZES = {
    "vocab_size": ("vocab_size",),
    "width": ("d_model",),
    "heads": ("encoder_attention_heads", "decoder_attention_heads"),
    "ffn": ("encoder_ffn_dim", "decoder_ffn_dim"),
    "context": ("max_position_embeddings",),
}
ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "swish": "silu", "silu": "silu"}
"""`activation_function` -> torch's name."""
FIXED: Fixed = {
    "is_encoder_decoder": (True, None),
    "is_decoder": (False, None),
    "add_cross_attention": (False, None),
    "share_encoder_decoder_embeddings": (True, None),
    "tie_word_embeddings": (True, None),
    "static_position_embeddings": (True, None),
    "normalize_before": (False, None),
    "normalize_embedding": (False, None),
    "add_final_layer_norm": (False, None),
    "add_bias_logits": (False, None),
    "quantization_config": (None,),
}
"""Those from `static_position_embeddings` to `add_bias_logits` stand in the files of the first Marian checkpoints, and
transformers computes as if they were so."""


def hf_names(shape: MarianShape) -> Names:
    """Own parameter name -> Hugging Face's names."""
    table: dict[str, tuple[Piece, ...]] = {
        "embedding": (Piece("model.shared.weight"),),
        "score_bias": (Piece("final_logits_bias"),),
    }
    for stack, depth, names in (
        ("encoder", shape.depth, BOTH),
        ("decoder", shape.decoder_depth, {**BOTH, **CROSS}),
    ):
        for layer in range(depth):
            for own, parts in names.items():
                rows = None if len(parts) == 1 else shape.width
                for kind in ("weight", "bias"):
                    table[f"{stack}.{layer}.{own}.{kind}"] = tuple(
                        Piece(f"model.{stack}.layers.{layer}.{part}.{kind}", rows) for part in parts
                    )
    return table


def to_hf_config(shape: MarianShape, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
    """config.json with every key written out; training in transformers then drops as the first transformer does."""
    return {
        "architectures": ["MarianMTModel"],
        "model_type": "marian",
        **{key: getattr(shape, field) for field, keys in SIZES.items() for key in keys},
        "decoder_vocab_size": shape.vocab_size,
        "encoder_layers": shape.depth,
        "decoder_layers": shape.decoder_depth,
        "num_hidden_layers": shape.depth,
        "activation_function": shape.activation,
        "scale_embedding": shape.scaled,
        "share_encoder_decoder_embeddings": True,
        "static_position_embeddings": True,
        "tie_word_embeddings": True,
        "is_encoder_decoder": True,
        "dropout": 0.1,
        "attention_dropout": 0.0,
        "activation_dropout": 0.0,
        "classifier_dropout": 0.0,
        "encoder_layerdrop": 0.0,
        "decoder_layerdrop": 0.0,
        "init_std": 0.02,
        "use_cache": True,
        "bos_token_id": None,
        "eos_token_id": end_id,
        "forced_eos_token_id": None,
        "pad_token_id": pad_id,
        "decoder_start_token_id": pad_id,
        "dtype": dtype,
        "torch_dtype": dtype,
    }


def from_hf_config(config: Mapping[str, Any], where: str) -> MarianShape:
    """The shape that a config.json describes; `where` names the file in messages.

    Raises ArtifactError for a missing or impossible value, and for a setting that would change the computation in a
    way that is not implemented. Keys that change nothing are not looked at.
    """
    check_fixed(config, FIXED, where)
    sizes: dict[str, Any] = {field: _alike(config, keys, where) for field, keys in SIZES.items()}
    if sizes["width"] % sizes["heads"]:
        raise ArtifactError(f"{where}: encoder_attention_heads must divide d_model")
    if size_of(config, "decoder_vocab_size", where, sizes["vocab_size"]) != sizes["vocab_size"]:
        raise unsupported(where, "decoder_vocab_size", config["decoder_vocab_size"])
    if config.get("activation_function", "gelu") not in ACTIVATIONS:
        raise unsupported(where, "activation_function", config["activation_function"])
    if config.get("decoder_start_token_id", config.get("pad_token_id")) != config.get("pad_token_id"):
        raise unsupported(where, "decoder_start_token_id", config["decoder_start_token_id"])
    return MarianShape(
        **sizes,
        kv_heads=sizes["heads"],
        head_dim=sizes["width"] // sizes["heads"],
        depth=depth_of(config, "encoder_layers", where),
        decoder_depth=depth_of(config, "decoder_layers", where),
        activation=config.get("activation_function", "gelu"),
        scaled=flag_of(config, "scale_embedding", where, False),
    )


def _alike(config: Mapping[str, Any], keys: tuple[str, ...], where: str) -> int:
    """The number that all of these keys have."""
    first, *others = (size_of(config, key, where) for key in keys)
    for key, value in zip(keys[1:], others, strict=True):
        if value != first:
            raise unsupported(where, key, value)
    return first
