"""What every family gives to training, evaluation and model directories, whatever its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lmcli.models.config import ModelConfig
from lmcli.models.heads import Head
from lmcli.models.shape import Shape

Kind = Literal["decoder", "encoder", "encoder-decoder"]

Sight = Literal["left", "both"] | Tensor
"""What a position sees: itself and those to its left; all of them; or, given numbers (b,), those to its left and the
first so many of its row (a prefix that is read as a whole)."""


class Piece(NamedTuple):
    """A tensor of Hugging Face's: `rows` of an own parameter (None: all), `transposed` where it is stored so."""

    name: str
    rows: int | None = None
    transposed: bool = False


Names = Mapping[str, Sequence[Piece]]
"""Own parameter name -> the tensors of Hugging Face's that it joins by rows."""


class Model(nn.Module):
    """A family has a constructor `Family(shape, dropout=0.0)`, which leaves the weights empty until `initialise` or a
    load. Parameters that are no matrices of a product but tables to look up aren't named `weight`: `embedding`,
    `positions`. Embeddings and output layer (`head`) are parameters of the model itself."""

    kind: ClassVar[Kind]
    objective: ClassVar[str]
    """What a model of this family is pretrained for unless something else is asked for."""
    settings: ClassVar[frozenset[str]] = frozenset()
    """Keys of `[model]` that mean something to this family beyond those that all have (see `models.families`)."""
    shape_type: ClassVar[type[Shape]] = Shape
    heads: ClassVar[frozenset[str]] = frozenset({"tokens"})
    """What it has output layers for: "tokens" (`output`), "pairs" of segments, "replaced" tokens."""
    without: ClassVar[frozenset[str]] = frozenset()
    """Keys of `[model]` that all others have and that mean nothing to this family."""
    ties: ClassVar[bool] = False
    """Whether the output layer is always the embedding, so that `tie_embeddings` leaves no choice."""
    one_way: ClassVar[bool] = False
    """Whether it can read from left to right only, so that no position sees what stands to its right."""
    relative: ClassVar[bool] = False
    """Whether it knows only how far apart two positions are, so that what short texts teach holds in long ones."""
    recompute: bool = False
    """In training mode, keep what enters each block and compute the rest again for the gradient; without a cache."""
    shape: Shape
    embedding: nn.Parameter

    @property
    def stacks(self) -> Sequence[nn.ModuleList]:
        """The lists of blocks that are computed one after the other."""
        blocks: nn.ModuleList = self.blocks  # type: ignore[assignment]
        return (blocks,)

    @property
    def output(self) -> Head:
        """The output layer, for states that `before_output` has seen."""
        raise NotImplementedError

    def before_output(self, hidden: Tensor) -> Tensor:
        """What a family does to the hidden states (n, d) of predicted positions before the output layer."""
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., v) from hidden states (..., d), float32."""
        return self.output.logits(self.before_output(hidden))

    def through(self, block: nn.Module, *given: Any) -> Any:
        """What a block makes of what it is given, which alone is kept where `recompute` asks for it."""
        if self.recompute and self.training and torch.is_grad_enabled():
            return checkpoint(block, *given, use_reentrant=False)
        return block(*given)

    def initialise(self, seed: int) -> Self:
        """Draw the weights; the same seed gives the same weights on every device."""
        raise NotImplementedError

    @classmethod
    def shape_of(cls, config: ModelConfig, vocab_size: int) -> Shape:
        """The shape of a config in which no `auto` is left; ConfigError when it can't be built."""
        raise NotImplementedError

    @classmethod
    def of_hf(cls, config: Mapping[str, Any]) -> type[Model]:
        """The family of a config.json whose `model_type` names this one: another where the architecture says so."""
        return cls

    @classmethod
    def shape_from_hf(cls, config: Mapping[str, Any], where: str) -> Shape:
        """The shape in a config.json (`where` names it); ArtifactError for what is wrong or not implemented."""
        raise NotImplementedError

    def hf_config(self, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
        """config.json, complete."""
        raise NotImplementedError

    def hf_names(self) -> Names:
        """The one table from own parameter names to Hugging Face's, for save and load."""
        raise NotImplementedError

    def hf_repeats(self) -> dict[str, str]:
        """Tensors that some writers store a second time -> the tensor that they repeat."""
        return {}

    def hf_prefix(self) -> str:
        """What stands before the names of the body where a checkpoint has a head too: "bert."; "" for none."""
        return ""

    def hf_optional(self, name: str) -> bool:
        """Whether a checkpoint may lack a tensor, drawn as for a new model then: a head that it doesn't have."""
        return False

    def hf_ignored(self, name: str) -> bool:
        """Whether a tensor in a checkpoint says nothing: tables that follow from the config."""
        return False

    def hf_renamed(self, name: str) -> str:
        """The name that a tensor has today, for one that older writers called otherwise."""
        return name

    def companions(self) -> Mapping[str, Model]:
        """Models of their own that belong to this one, each saved in a folder of its name inside the directory."""
        return {}
