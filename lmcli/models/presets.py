"""Models of published sizes by name, and small ones that two cores train in minutes. No torch.

Sizes are those of the published configs; what a config of ours has no key for (the eps of norms) is the family's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from lmcli.errors import ConfigError, did_you_mean
from lmcli.models.config import ModelConfig


def _sizes(family: str, width: int, depth: int, heads: int, ffn: int, context: int, **more: Any) -> dict[str, Any]:
    sizes = {"width": width, "depth": depth, "heads": heads, "ffn": ffn, "context": context}
    return {"family": family, **sizes, "tie_embeddings": True, **more}


def _rotary(family: str, *sizes: int, kv_heads: int, theta: float, tied: bool = False) -> dict[str, Any]:
    return _sizes(family, *sizes, kv_heads=kv_heads, rope_theta=theta, tie_embeddings=tied)


def _mini(family: str, ffn: int, **more: Any) -> dict[str, Any]:
    """4 blocks of 256, as BERT-Mini (Turc et al., 2019)."""
    return _sizes(family, 256, 4, 4, ffn, 256, **more)


def _lstm(family: str, **more: Any) -> dict[str, Any]:
    """2 layers of 256."""
    return {"family": family, "width": 256, "depth": 2, "context": 256, "tie_embeddings": True, **more}


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "gpt2-mini": _mini("gpt2", 1024),
    "gpt2-124m": _sizes("gpt2", 768, 12, 12, 3072, 1024),
    "gpt2-355m": _sizes("gpt2", 1024, 24, 16, 4096, 1024),
    "gpt2-774m": _sizes("gpt2", 1280, 36, 20, 5120, 1024),
    "gpt2-1.5b": _sizes("gpt2", 1600, 48, 25, 6400, 1024),
    "llama-mini": _mini("llama", 704, kv_heads=2),
    "smollm2-135m": _rotary("llama", 576, 30, 9, 1536, 8192, kv_heads=3, theta=1e5, tied=True),
    "smollm2-360m": _rotary("llama", 960, 32, 15, 2560, 8192, kv_heads=5, theta=1e5, tied=True),
    "tinyllama-1.1b": _rotary("llama", 2048, 22, 32, 5632, 2048, kv_heads=4, theta=1e4),
    "llama2-7b": _rotary("llama", 4096, 32, 32, 11008, 4096, kv_heads=32, theta=1e4),
    "llama3-8b": _rotary("llama", 4096, 32, 32, 14336, 8192, kv_heads=8, theta=5e5),
    "qwen3-mini": _mini("qwen3", 704, kv_heads=2),
    "qwen3-1.7b": _rotary("qwen3", 2048, 28, 16, 6144, 40960, kv_heads=8, theta=1e6, tied=True),
    "qwen3-8b": _rotary("qwen3", 4096, 36, 32, 12288, 40960, kv_heads=8, theta=1e6),
    "qwen3-14b": _rotary("qwen3", 5120, 40, 40, 17408, 40960, kv_heads=8, theta=1e6),
    "nanochat-mini": _mini("nanochat", 1024, kv_heads=4, tie_embeddings=False),
    "nanochat-d20": _rotary("nanochat", 1280, 20, 10, 5120, 2048, kv_heads=10, theta=1e4),
    "nanochat-d32": _rotary("nanochat", 2048, 32, 16, 8192, 2048, kv_heads=16, theta=1e4),
    "bert-mini": _mini("bert", 1024),
    "bert-base": _sizes("bert", 768, 12, 12, 3072, 512),
    "bert-large": _sizes("bert", 1024, 24, 16, 4096, 512),
    "roberta-mini": _mini("roberta", 1024),
    "roberta-base": _sizes("roberta", 768, 12, 12, 3072, 512),
    "roberta-large": _sizes("roberta", 1024, 24, 16, 4096, 512),
    "electra-mini": _mini("electra", 1024, embedding_width=128),
    "electra-small": _sizes("electra", 256, 12, 4, 1024, 512, embedding_width=128),
    "t5-mini": _mini("t5", 1024),
    "t5-small": _sizes("t5", 512, 6, 8, 2048, 512),
    "t5-base": _sizes("t5", 768, 12, 12, 3072, 512),
    "t5-v1.1-base": _sizes("t5", 768, 12, 12, 2048, 512, gated=True, tie_embeddings=False),
    "marian-mini": _mini("marian", 1024),
    "marian-base": _sizes("marian", 512, 6, 8, 2048, 512),
    "lstm-mini": _lstm("lstm"),
    "lstm-seq2seq-mini": _lstm("lstm-seq2seq", decoder_depth=2),
}


def with_preset(model: ModelConfig, given: Collection[str]) -> ModelConfig:
    """`model` with the sizes of its preset, except for the keys that were `given`.

    Raises ConfigError for an unknown preset and for one of another family than a given one.
    """
    if not model.preset:
        return model
    if model.preset not in PRESETS:
        hint = did_you_mean(model.preset, PRESETS) or f"known: {', '.join(PRESETS)}"
        raise ConfigError(f"unknown preset {model.preset!r}", hint, "model.preset")
    sizes = PRESETS[model.preset]
    if "family" in given and model.family != sizes["family"]:
        message = f"the preset {model.preset} is of the family {sizes['family']}, and model.family is {model.family}"
        raise ConfigError(message, "leave one of them out", "model.preset")
    return replace(model, **{key: value for key, value in sizes.items() if key not in given})
