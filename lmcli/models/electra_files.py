"""How Hugging Face writes ELECTRA's networks down: config.json and the names of the tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from lmcli.errors import ArtifactError
from lmcli.models import bert_files, electra_shape
from lmcli.models.config import ModelConfig
from lmcli.models.electra_shape import ElectraShape, GeneratorShape
from lmcli.models.hf_values import size_of
from lmcli.models.model import Names

PROJECTION = {
    "project.weight": "electra.embeddings_project.weight",
    "project.bias": "electra.embeddings_project.bias",
}
GENERATOR = {
    "transform.weight": "generator_predictions.dense.weight",
    "transform.bias": "generator_predictions.dense.bias",
    "transform_norm.weight": "generator_predictions.LayerNorm.weight",
    "transform_norm.bias": "generator_predictions.LayerNorm.bias",
    "bias": "generator_lm_head.bias",
}
DISCRIMINATOR = {
    "transform.weight": "discriminator_predictions.dense.weight",
    "transform.bias": "discriminator_predictions.dense.bias",
    "replaced_head": "discriminator_predictions.dense_prediction.weight",
    "replaced_bias": "discriminator_predictions.dense_prediction.bias",
}
REPEATS = {"generator_lm_head.weight": "electra.embeddings.word_embeddings.weight"}

# Sizes of the generator beside those of the discriminator that it belongs to: keys of this project's own.
GENERATOR_SIZES = {
    "generator_width": "generator_hidden_size",
    "generator_heads": "generator_num_attention_heads",
    "generator_ffn": "generator_intermediate_size",
}


def names(shape: GeneratorShape, head: Mapping[str, str]) -> Names:
    """Own parameter name -> Hugging Face's, with the names of one of the heads."""
    projection = PROJECTION if shape.projection else {}
    return bert_files.names(shape, "electra.", {**bert_files.EMBEDDINGS, **projection, **head})


def config(shape: GeneratorShape, dtype: str) -> dict[str, Any]:
    """What is alike in the config.json of both."""
    return {
        **bert_files.config(shape, dtype),
        "model_type": "electra",
        "embedding_size": shape.embedding_width,
        "summary_type": "first",
        "summary_use_proj": True,
        "summary_activation": "gelu",
        "summary_last_dropout": 0.1,
    }


def generator_config(shape: ElectraShape) -> dict[str, int]:
    return {key: getattr(shape, field) for field, key in GENERATOR_SIZES.items()}


def sizes(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields of a `GeneratorShape`; ArtifactError as `bert_files.sizes`."""
    return {**bert_files.sizes(config, where), "embedding_width": size_of(config, "embedding_size", where)}


def generator_sizes(config: Mapping[str, Any], where: str) -> dict[str, int]:
    """The sizes of the generator; a discriminator that came without any gets one of a quarter of its own."""
    own = bert_files.sizes(config, where)
    usual = electra_shape.generator_sizes(own["width"], own["heads"], own["ffn"], ModelConfig())
    found = {field: size_of(config, key, where, usual[field]) for field, key in GENERATOR_SIZES.items()}
    if found["generator_width"] % found["generator_heads"]:
        raise ArtifactError(f"{where}: generator_num_attention_heads must divide generator_hidden_size")
    return found


def without_generator(shape: ElectraShape) -> GeneratorShape:
    """The same sizes for a network that stands alone."""
    return GeneratorShape(**{field.name: getattr(shape, field.name) for field in fields(GeneratorShape)})
