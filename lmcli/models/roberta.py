"""The encoder that transformers knows as RobertaForMaskedLM. Shape suffixes as in attention.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch.nn.functional as F
from torch import Tensor

from lmcli.errors import ArtifactError
from lmcli.models import bert_files
from lmcli.models.config import ModelConfig
from lmcli.models.encoder_shape import EncoderShape
from lmcli.models.model import Names
from lmcli.models.post_norm_encoder import MaskFiller
from lmcli.models.shape import Shape

HEADS = {
    "transform.weight": "lm_head.dense.weight",
    "transform.bias": "lm_head.dense.bias",
    "transform_norm.weight": "lm_head.layer_norm.weight",
    "transform_norm.bias": "lm_head.layer_norm.bias",
    "bias": "lm_head.bias",
}
REPEATS = {
    "lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight",
    "lm_head.decoder.bias": "lm_head.bias",
}


@dataclass(frozen=True, kw_only=True)
class RobertaShape(EncoderShape):
    """Position numbers begin behind `padding`, the token that has no position; `context` leaves those rows out."""

    types: int = 1
    padding: int = 1

    @property
    def position_rows(self) -> int:
        return self.context + self.padding + 1

    @property
    def parameters(self) -> int:
        tables = (self.vocab_size + self.position_rows + self.types + 2) * self.width  # 2: gain and bias of their norm
        tokens = self.width**2 + 3 * self.width + self.vocab_size
        return self.depth * self.block_parameters + tables + tokens


class Roberta(MaskFiller):
    """BERT without segments and pairs (Liu et al., 2019). Token 1, its padding, counts as no position of a text."""

    shape_type = RobertaShape

    def _segments(self, types_bt: Tensor | None) -> Tensor:
        if types_bt is not None:
            raise ValueError("RoBERTa tells no segments apart")
        return self.types[0]

    def _positions(self, tokens_bt: Tensor) -> Tensor:
        """Vectors (b, t, d) of the first, second ... token that isn't padding, as `transformers` counts them."""
        padding = cast(RobertaShape, self.shape).padding
        counted_bt = (tokens_bt != padding).long()
        return F.embedding(counted_bt.cumsum(1) * counted_bt + padding, self.positions)

    @classmethod
    def shape_of(cls, config: ModelConfig, vocab_size: int) -> Shape:
        return RobertaShape.resolved(config, vocab_size)

    @classmethod
    def shape_from_hf(cls, config: Mapping[str, Any], where: str) -> Shape:
        sizes = bert_files.sizes(config, where)
        padding = config.get("pad_token_id", 1)
        if type(padding) is not int or not 0 <= padding < sizes["context"] - 1:
            hint = "it has to be less than max_position_embeddings - 1"
            raise ArtifactError(f"{where}: pad_token_id = {padding!r} is not possible", hint)
        return RobertaShape(**{**sizes, "context": sizes["context"] - padding - 1}, padding=padding)

    def hf_config(self, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
        shape = cast(RobertaShape, self.shape)
        return {
            **bert_files.config(shape, dtype),
            "architectures": ["RobertaForMaskedLM"],
            "model_type": "roberta",
            "max_position_embeddings": shape.position_rows,
            "pad_token_id": shape.padding,  # the one that positions follow, whatever fills the batches
            "bos_token_id": end_id,
            "eos_token_id": end_id,
        }

    def hf_names(self) -> Names:
        return bert_files.names(self.shape, "roberta.", {**bert_files.EMBEDDINGS, **HEADS})

    def hf_repeats(self) -> dict[str, str]:
        return REPEATS

    def hf_prefix(self) -> str:
        return "roberta."

    def hf_optional(self, name: str) -> bool:
        return name.startswith("lm_head.")

    def hf_ignored(self, name: str) -> bool:
        """The pooler too: RoBERTa's was never trained."""
        return super().hf_ignored(name) or name.startswith(("pooler.", "roberta.pooler."))
