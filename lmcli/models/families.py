"""Which model families exist. A family is a name in `model_type` of a Hugging Face config and the class behind it."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, cast

from lmcli.errors import ConfigError
from lmcli.models.config import ModelConfig
from lmcli.registry import Registry

if TYPE_CHECKING:
    from lmcli.models.model import Model

FAMILIES = Registry(
    "model family",
    {
        "qwen3": "lmcli.models.qwen3:Qwen3",
        "llama": "lmcli.models.llama:Llama",
        "nanochat": "lmcli.models.nanochat:NanoChat",
        "gpt2": "lmcli.models.gpt2:GPT2",
        "bert": "lmcli.models.bert:Bert",
        "roberta": "lmcli.models.roberta:Roberta",
        "electra": "lmcli.models.electra:Electra",
        "electra-generator": "lmcli.models.electra:Generator",
        "t5": "lmcli.models.t5:T5",
        "marian": "lmcli.models.marian:Marian",
        "lstm": "lmcli.models.lstm:LstmModel",
        "lstm-seq2seq": "lmcli.models.lstm_seq2seq:LstmSeq2Seq",
    },
)

COMMON = frozenset(
    {"family", "preset", "width", "depth", "heads", "ffn", "context", "dropout", "tie_embeddings", "vectors"}
)
"""Keys of `[model]` that mean something to every family, but for those that it says that it is `without`."""


def keys_of(family: type[Model]) -> frozenset[str]:
    """Keys of `[model]` that mean something to a family."""
    return (COMMON - family.without) | family.settings


def family_of(config: ModelConfig) -> type[Model]:
    """The family that a config names. Raises ConfigError for a setting that means nothing to it."""
    family = cast("type[Model]", FAMILIES.load(config.family))
    default = ModelConfig()
    known = keys_of(family)
    for field in fields(config):
        if field.name not in known and getattr(config, field.name) != getattr(default, field.name):
            own = f"besides what all families have: {', '.join(sorted(family.settings)) or 'nothing'}"
            raise ConfigError(f"model.{field.name} means nothing to the family {config.family}", own)
    return family
