"""Which model families exist. A family is a name in `model_type` of a Hugging Face config and the class behind it."""

from __future__ import annotations

from lmcli.registry import Registry

FAMILIES = Registry("model family", {"qwen3": "lmcli.models.qwen3:Qwen3"})
