"""How Hugging Face writes BERT and what followed it down: config.json and the names of the tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmcli.errors import ArtifactError
from lmcli.models.encoder_shape import EncoderShape
from lmcli.models.hf_values import Fixed, check_fixed, depth_of, number_of, size_of
from lmcli.models.model import Names, Piece
from lmcli.models.shape import Shape

# Own name in a block -> Hugging Face's names below encoder.layer.N, joined by rows.
BLOCK = {
    "attention.qkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "attention.out": ("attention.output.dense",),
    "attention_norm": ("attention.output.LayerNorm",),
    "ffn.up": ("intermediate.dense",),
    "ffn.down": ("output.dense",),
    "ffn_norm": ("output.LayerNorm",),
}
EMBEDDINGS = {
    "embedding": "{body}embeddings.word_embeddings.weight",
    "positions": "{body}embeddings.position_embeddings.weight",
    "types": "{body}embeddings.token_type_embeddings.weight",
    "embedding_norm.weight": "{body}embeddings.LayerNorm.weight",
    "embedding_norm.bias": "{body}embeddings.LayerNorm.bias",
}
HEADS = {
    "transform.weight": "cls.predictions.transform.dense.weight",
    "transform.bias": "cls.predictions.transform.dense.bias",
    "transform_norm.weight": "cls.predictions.transform.LayerNorm.weight",
    "transform_norm.bias": "cls.predictions.transform.LayerNorm.bias",
    "bias": "cls.predictions.bias",
    "pooler.weight": "bert.pooler.dense.weight",
    "pooler.bias": "bert.pooler.dense.bias",
    "pair_head": "cls.seq_relationship.weight",
    "pair_bias": "cls.seq_relationship.bias",
}
REPEATS = {
    "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}

# Shape field -> key of config.json; all of them whole numbers.
SIZES = {
    "vocab_size": "vocab_size",
    "width": "hidden_size",
    "heads": "num_attention_heads",
    "ffn": "intermediate_size",
    "context": "max_position_embeddings",
    "types": "type_vocab_size",
}
FIXED: Fixed = {
    "hidden_act": ("gelu",),
    "position_embedding_type": ("absolute", None),
    "is_decoder": (False, None),
    "add_cross_attention": (False, None),
    "tie_word_embeddings": (True, None),
    "pruned_heads": ({}, None),
    "quantization_config": (None,),
}


def names(shape: Shape, body: str, others: Mapping[str, str]) -> Names:
    """Own parameter name -> Hugging Face's, with `others` for what lies outside of the blocks."""
    table: dict[str, tuple[Piece, ...]] = {own: (Piece(name.format(body=body)),) for own, name in others.items()}
    for layer in range(shape.depth):
        for own, parts in BLOCK.items():
            rows = shape.width if len(parts) > 1 else None
            for kind in ("weight", "bias"):
                table[f"blocks.{layer}.{own}.{kind}"] = tuple(
                    Piece(f"{body}encoder.layer.{layer}.{part}.{kind}", rows) for part in parts
                )
    return table


def config(shape: EncoderShape, dtype: str) -> dict[str, Any]:
    """What is alike in every config.json of this kind; training in transformers then drops as the papers do."""
    return {
        **{key: getattr(shape, field) for field, key in SIZES.items()},
        "num_hidden_layers": shape.depth,
        "layer_norm_eps": shape.norm_eps,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "classifier_dropout": None,
        "position_embedding_type": "absolute",
        "initializer_range": 0.02,
        "is_decoder": False,
        "add_cross_attention": False,
        "tie_word_embeddings": True,
        "use_cache": True,
        "dtype": dtype,
        "torch_dtype": dtype,
    }


def sizes(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields of an `EncoderShape` that a config.json describes.

    Raises ArtifactError for a missing or impossible value, and for a setting that would change the computation in a
    way that is not implemented. Keys that change nothing are not looked at.
    """
    check_fixed(config, FIXED, where)
    found = {field: size_of(config, key, where) for field, key in SIZES.items()}
    if found["width"] % found["heads"]:
        raise ArtifactError(f"{where}: num_attention_heads must divide hidden_size")
    head_dim = found["width"] // found["heads"]
    depth = depth_of(config, "num_hidden_layers", where)
    eps = number_of(config, "layer_norm_eps", where, 1e-12)
    return {**found, "kv_heads": found["heads"], "head_dim": head_dim, "depth": depth, "norm_eps": eps}


def follows_from_config(name: str) -> bool:
    """Whether a tensor is a table of numbers that older writers stored and nobody needs."""
    return name.endswith(("embeddings.position_ids", "embeddings.token_type_ids"))


def renamed(name: str) -> str:
    """Norms are called gamma and beta in checkpoints that came from TensorFlow."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
