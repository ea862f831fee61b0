"""How Hugging Face writes Qwen3 down: its config.json and the names of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmcli.models import rotary_files
from lmcli.models.hf_values import Fixed, check_fixed, list_of, unsupported
from lmcli.models.model import Names
from lmcli.models.shape import Shape

BLOCK_NAMES = {
    **rotary_files.NORMS,
    **rotary_files.ATTENTION,
    "attention.q_norm.weight": ("self_attn.q_norm.weight",),
    "attention.k_norm.weight": ("self_attn.k_norm.weight",),
    **rotary_files.SWIGLU,
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
    return rotary_files.names(shape, BLOCK_NAMES, rotary_files.LAST_NORM)


def to_hf_config(shape: Shape, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
    """config.json with every key written out."""
    return {
        **rotary_files.config(shape, end_id=end_id, pad_id=pad_id, dtype=dtype),
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "hidden_act": "silu",
        "use_sliding_window": False,
        "sliding_window": None,
        "max_window_layers": shape.depth,
        "layer_types": ["full_attention"] * shape.depth,
    }


def from_hf_config(config: Mapping[str, Any], where: str) -> Shape:
    """The shape that a config.json describes; `where` names the file in messages.

    Raises ArtifactError for a missing or impossible value, and for a setting that would change the computation in a
    way that is not implemented. Keys that change nothing are not looked at.
    """
    check_fixed(config, FIXED, where)
    if set(list_of(config, "layer_types")) - {"full_attention"}:
        raise unsupported(where, "layer_types", config["layer_types"])
    return Shape(**rotary_files.sizes(config, where))
