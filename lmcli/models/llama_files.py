"""What fixes a Llama, and how Hugging Face writes it down: its config.json and the names of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lmcli.errors import ArtifactError
from lmcli.models import rotary_files
from lmcli.models.hf_values import PLAIN_ROPE, Fixed, check_fixed, number_of, ropes, size_of, unsupported
from lmcli.models.model import Names
from lmcli.models.rotary import Stretch
from lmcli.models.shape import Shape

BLOCK_NAMES = {**rotary_files.NORMS, **rotary_files.ATTENTION, **rotary_files.SWIGLU}
FIXED: Fixed = {
    "hidden_act": ("silu", None),
    "attention_bias": (False, None),
    "mlp_bias": (False, None),
    "partial_rotary_factor": (1.0, None),
    "quantization_config": (None,),
}
# Field of a stretch -> its key in config.json.
STRETCH = {"factor": "factor", "low": "low_freq_factor", "high": "high_freq_factor"}
BEFORE = "original_max_position_embeddings"
STRETCHED: Fixed = {**PLAIN_ROPE, "rope_type": ("llama3",), "type": ("llama3", None)}


@dataclass(frozen=True, kw_only=True)
class LlamaShape(Shape):
    stretch: Stretch | None = None

    @property
    def parameters(self) -> int:
        """All trained numbers; a tied embedding counts once."""
        embedding = 0 if self.tie_embeddings else self.vocab_size * self.width
        return self.matmul_parameters + (2 * self.depth + 1) * self.width + embedding


def hf_names(shape: Shape) -> Names:
    """Own parameter name -> Hugging Face's names, each with its number of rows (None: all of them)."""
    return rotary_files.names(shape, BLOCK_NAMES, rotary_files.LAST_NORM)


def to_hf_config(shape: LlamaShape, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
    """config.json with every key written out."""
    found = {
        **rotary_files.config(shape, end_id=end_id, pad_id=pad_id, dtype=dtype),
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "mlp_bias": False,
        "pretraining_tp": 1,
    }
    if shape.stretch:
        scaling = {key: getattr(shape.stretch, field) for field, key in STRETCH.items()}
        found["rope_scaling"] = {"rope_type": "llama3", **scaling, BEFORE: shape.stretch.context}
        found["rope_parameters"] = {**found["rope_scaling"], "rope_theta": shape.rope_theta}
    return found


def from_hf_config(config: Mapping[str, Any], where: str) -> LlamaShape:
    """The shape that a config.json describes; `where` names the file in messages.

    Raises ArtifactError for a missing or impossible value, and for a setting that would change the computation in a
    way that is not implemented. Keys that change nothing are not looked at.
    """
    check_fixed(config, FIXED, where)
    stretch, head_dim = _stretch(config, where), rotary_files.usual_head_dim(config, where)
    return LlamaShape(**rotary_files.sizes(config, where, head_dim=head_dim, plain_rope=not stretch), stretch=stretch)


def _stretch(config: Mapping[str, Any], where: str) -> Stretch | None:
    """That of Llama 3.1; any other one is left for `rope_theta` to refuse."""
    found = {key: rope for key, rope in ropes(config, where) if rope.get("rope_type", rope.get("type")) == "llama3"}
    other = next((item for item in ropes(config, where) if item[1] and item[0] not in found), None)
    if found and other:
        raise unsupported(where, *other)
    stretches = set()
    for key, rope in found.items():
        known = {"rope_theta", *STRETCH.values(), BEFORE}
        if any(value not in STRETCHED.get(name, ()) for name, value in rope.items() if name not in known):
            raise unsupported(where, key, rope)
        numbers = {field: number_of(rope, name, where, 0.0) for field, name in STRETCH.items()}
        stretches.add(Stretch(**numbers, context=size_of(rope, BEFORE, where)))
    if len(stretches) > 1 or any(stretch.low >= stretch.high for stretch in stretches):
        raise ArtifactError(f"{where}: rope_scaling is not possible", "low_freq_factor lies below high_freq_factor")
    return next(iter(stretches), None)
