"""How Hugging Face writes T5 down: its config.json and the names of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmcli.errors import ArtifactError
from lmcli.models.hf_values import Fixed, check_fixed, depth_of, flag_of, number_of, size_of, unsupported
from lmcli.models.model import Names, Piece
from lmcli.models.t5_shape import T5Shape

# Own name in a block -> Hugging Face's names below STACK.block.N.layer., joined by rows. FFN stands for the number of
# the feed-forward layer there.
BOTH = {
    "attention_norm.weight": ("0.layer_norm.weight",),
    "attention.qkv.weight": tuple(f"0.SelfAttention.{part}.weight" for part in "qkv"),
    "attention.out.weight": ("0.SelfAttention.o.weight",),
    "ffn_norm.weight": ("FFN.layer_norm.weight",),
    "ffn.down.weight": ("FFN.DenseReluDense.wo.weight",),
}
PLAIN = {"ffn.up.weight": ("FFN.DenseReluDense.wi.weight",)}
GATED = {"ffn.gate_up.weight": ("FFN.DenseReluDense.wi_0.weight", "FFN.DenseReluDense.wi_1.weight")}
CROSS = {
    "cross_norm.weight": ("1.layer_norm.weight",),
    "cross.q.weight": ("1.EncDecAttention.q.weight",),
    "cross.kv.weight": ("1.EncDecAttention.k.weight", "1.EncDecAttention.v.weight"),
    "cross.out.weight": ("1.EncDecAttention.o.weight",),
}
POSITIONS = "{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
TABLES = ("lm_head.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
REPEATS = dict.fromkeys(TABLES, "shared.weight")

# Shape field -> key of config.json; all of them whole numbers.
SIZES = {
    "vocab_size": "vocab_size",
    "width": "d_model",
    "heads": "num_heads",
    "head_dim": "d_kv",
    "ffn": "d_ff",
}
FORMS = {"relu": False, "gated-gelu": True}
"""`feed_forward_proj` -> whether there is a gate. The GELU is the one with tanh."""
FIXED: Fixed = {
    "is_encoder_decoder": (True, None),
    "is_decoder": (False, None),
    "add_cross_attention": (False, None),
    "quantization_config": (None,),
}


def hf_names(shape: T5Shape) -> Names:
    """Own parameter name -> Hugging Face's names."""
    table: dict[str, tuple[Piece, ...]] = {"embedding": (Piece("shared.weight"),)}
    if not shape.tie_embeddings:
        table["head"] = (Piece("lm_head.weight"),)
    form = GATED if shape.gated else PLAIN
    stacks = {
        "encoder": (shape.depth, {**BOTH, **form}, "1"),
        "decoder": (shape.decoder_depth, {**BOTH, **form, **CROSS}, "2"),
    }
    for stack, (depth, names, ffn) in stacks.items():
        table[f"{stack}_positions.table"] = (Piece(POSITIONS.format(stack=stack)),)
        table[f"{stack}_norm.weight"] = (Piece(f"{stack}.final_layer_norm.weight"),)
        for layer in range(depth):
            for own, parts in names.items():
                rows = None if len(parts) == 1 else _rows(shape, own)
                table[f"{stack}.{layer}.{own}"] = tuple(
                    Piece(f"{stack}.block.{layer}.layer.{part.replace('FFN', ffn)}", rows) for part in parts
                )
    return table


def _rows(shape: T5Shape, own: str) -> int:
    """Of each piece of a joined matrix."""
    return shape.ffn if own.startswith("ffn") else shape.heads * shape.head_dim


def to_hf_config(shape: T5Shape, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
    """config.json with every key written out; training in transformers then drops as T5's own code does.

    transformers 5 takes a head that isn't tied for one whose states aren't scaled, as version 4 did.
    """
    return {
        "architectures": ["T5ForConditionalGeneration"],
        "model_type": "t5",
        **{key: getattr(shape, field) for field, key in SIZES.items()},
        "num_layers": shape.depth,
        "num_decoder_layers": shape.decoder_depth,
        "n_positions": shape.context,
        "relative_attention_num_buckets": shape.buckets,
        "relative_attention_max_distance": shape.farthest,
        "feed_forward_proj": "gated-gelu" if shape.gated else "relu",
        "layer_norm_epsilon": shape.norm_eps,
        "tie_word_embeddings": shape.tie_embeddings,
        "is_encoder_decoder": True,
        "dropout_rate": 0.1,
        "classifier_dropout": 0.0,
        "initializer_factor": 1.0,
        "use_cache": True,
        "eos_token_id": end_id,
        "pad_token_id": pad_id,
        "decoder_start_token_id": pad_id,
        "dtype": dtype,
        "torch_dtype": dtype,
    }


def from_hf_config(config: Mapping[str, Any], where: str) -> T5Shape:
    """The shape that a config.json describes; `where` names the file in messages.

    Raises ArtifactError for a missing or impossible value, and for a setting that would change the computation in a
    way that is not implemented. Keys that change nothing are not looked at.
    """
    check_fixed(config, FIXED, where)
    form = config.get("feed_forward_proj", "relu")
    if form not in FORMS:
        raise unsupported(where, "feed_forward_proj", form)
    if config.get("decoder_start_token_id", config.get("pad_token_id")) != config.get("pad_token_id"):
        raise unsupported(where, "decoder_start_token_id", config["decoder_start_token_id"])
    sizes = {field: size_of(config, key, where) for field, key in SIZES.items()}
    depth = depth_of(config, "num_layers", where)
    shape = T5Shape(
        **sizes,
        kv_heads=sizes["heads"],
        depth=depth,
        decoder_depth=depth_of(config, "num_decoder_layers", where, depth),
        context=size_of(config, "n_positions", where, 512),
        gated=FORMS[form],
        buckets=size_of(config, "relative_attention_num_buckets", where, 32),
        farthest=size_of(config, "relative_attention_max_distance", where, 128),
        norm_eps=number_of(config, "layer_norm_epsilon", where, 1e-6),
        tie_embeddings=_tied(config, where),
    )
    if shape.buckets < 4 or shape.farthest <= shape.buckets // 2:
        raise ArtifactError(f"{where}: {shape.buckets} buckets up to a distance of {shape.farthest} are not possible")
    return shape


def _tied(config: Mapping[str, Any], where: str) -> bool:
    """Whether the embedding is the output layer.

    transformers 5 writes `tie_word_embeddings` true always, and `scale_decoder_outputs` false for a head of its own.
    """
    tied = flag_of(config, "tie_word_embeddings", where, True)
    scaled = flag_of(config, "scale_decoder_outputs", where, tied)
    if scaled and not tied:
        raise unsupported(where, "scale_decoder_outputs", scaled)
    return scaled
