"""A model that goes out, and the tokens on which it is compared with what another library makes of it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lmcli.errors import ArtifactError
from lmcli.models.directory import load_model
from lmcli.models.encoder_decoder import EncoderDecoder
from lmcli.models.model import Model
from lmcli.tokens.tokenizer import Tokenizer

ROWS = 2
LONGEST = 256
"""Tokens in a row of the comparison, where the context has so many: positions and masks show in long rows."""


@dataclass(frozen=True)
class Source:
    """`directory` is a model directory, `card` its model card; `ids` (rows, t) are what the check reads, spelling
    `text`. `papers` are further files, name -> content, for whoever gets the model."""

    name: str
    directory: Path
    model: Model
    tokenizer: Tokenizer
    ids_rt: Tensor
    text: str
    card: str
    papers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, name: str, directory: Path, text: str, **more: Any) -> Source:
        """The model of a directory, compared on `text`, which is repeated until it is long enough."""
        model, tokenizer = load_model(directory), Tokenizer.load(directory)
        if tokenizer.vocab_size > model.shape.vocab_size:
            found = f"{tokenizer.vocab_size} tokens in the tokenizer, {model.shape.vocab_size} in the model"
            raise ArtifactError(f"{directory}: {found}", "use the tokenizer that the model was trained with")
        length = min(model.shape.context, LONGEST)
        ids = tokenizer.encode(text) or [tokenizer.end_id]
        rows = torch.tensor([ids[place % len(ids)] for place in range(ROWS * length)]).view(ROWS, length)
        return cls(name, directory, model, tokenizer, rows, text, **more)

    @functools.cached_property
    def logits_rtv(self) -> Tensor:
        """What our model says to `ids_rt`, float32."""
        return logits(self.model, self.ids_rt)


@torch.inference_mode()
def logits(model: Model, ids_rt: Tensor) -> Tensor:
    """(r, t, v), float32; of a model that judges tokens (r, t, 2). An encoder-decoder reads the rows twice."""
    if isinstance(model, EncoderDecoder):
        return model.logits(model.hidden(targets(ids_rt), model.encode(ids_rt)))
    return as_choices(scores(model, model.hidden(ids_rt)))  # type: ignore[operator]


def scores(model: Model, hidden: Tensor) -> Tensor:
    """What the family's main output layer says of hidden states: (..., v), or (...,) for tokens that are judged."""
    if "tokens" in model.heads:
        return model.logits(hidden)
    return model.replaced_logits(hidden)  # type: ignore[no-any-return, operator]


def as_choices(found: Tensor) -> Tensor:
    """A logit of yes or no (r, t) as the two logits (r, t, 2) that mean the same; others as they are."""
    return torch.stack([torch.zeros_like(found), found], dim=-1) if found.ndim == 2 else found


def targets(ids_rt: Tensor) -> Tensor:
    """What the decoder of an encoder-decoder is shown in the comparison."""
    return ids_rt.flip(0)
