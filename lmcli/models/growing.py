"""A model with more tokens: the row of each new one is the mean of the rows of the tokens that spelled it before."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch

from lmcli.errors import ArtifactError
from lmcli.models.decoder import Decoder

_TABLES = ("embedding", "head")


@torch.no_grad()
def grow_model(model: Decoder, first: int, spelled: Sequence[Sequence[int]]) -> Decoder:
    """The same model with a token `first` + i for each i of `spelled`, which are the ids that spelled it before.

    The logit of a new token is the mean of those of its pieces, never larger than the largest of them, so the most
    likely next token stays the same. Rows from `first` on that stood for no token (padding of the table) are used up
    before new ones are made. ArtifactError when the model has fewer tokens than `first`.
    """
    old = model.shape.vocab_size
    if first > old:
        message = f"{first} tokens in the tokenizer, {old} in the model"
        raise ArtifactError(message, "use the tokenizer that the model was trained with")
    grown = type(model)(dataclasses.replace(model.shape, vocab_size=max(old, first + len(spelled))))
    before = dict(model.named_parameters())
    for name, parameter in grown.named_parameters():
        if name not in _TABLES:
            parameter.copy_(before[name])
            continue
        parameter[:old] = before[name]
        for place, pieces in enumerate(spelled):
            parameter[first + place] = before[name][list(pieces)].mean(dim=0)
    return grown.eval()
