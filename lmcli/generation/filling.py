"""What an encoder says behind the masks of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lmcli.errors import ArtifactError, InputError
from lmcli.models.device import Compute
from lmcli.models.encoder import Encoder
from lmcli.tokens.special import ROLES
from lmcli.tokens.tokenizer import Tokenizer

CANDIDATES = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token's text and how likely it is, given all that stands around the mask."""

    token: str
    probability: float


@dataclass(frozen=True, slots=True)
class Filled:
    """`text` has the likeliest token in place of each mask of `prompt`; `masks` the candidates for each, best first.

    Each mask is filled by itself: that the others are unknown too is all that it knows of them.
    """

    prompt: str
    text: str
    masks: tuple[tuple[Candidate, ...], ...]


def fill(
    model: Encoder, tokenizer: Tokenizer, prompts: Sequence[str], compute: Compute, count: int = CANDIDATES
) -> list[Filled]:
    """The `count` likeliest tokens for each mask of each prompt.

    Raises InputError for a prompt without a mask or longer than the context, ArtifactError for a tokenizer that has no
    mask or isn't the model's.
    """
    if tokenizer.vocab_size > model.shape.vocab_size or "mask_token" not in tokenizer.roles:
        raise ArtifactError(f"{tokenizer.path} is no tokenizer of a model that fills in masks", "take another --model")
    with torch.inference_mode(), compute.autocast():
        return [_fill(model, tokenizer, prompt, compute.device, count) for prompt in prompts]


def _fill(model: Encoder, tokenizer: Tokenizer, prompt: str, device: str, count: int) -> Filled:
    ids = masked_ids(tokenizer, prompt)
    mask_id = tokenizer.roles["mask_token"]
    places = [place for place, token in enumerate(ids) if token == mask_id]
    if not places:
        raise InputError(f"no {mask_of(tokenizer)} in the prompt {prompt[:40]!r}", "an encoder fills in what is masked")
    if len(ids) > model.shape.context:
        raise InputError(f"a prompt has {len(ids)} tokens and the model sees {model.shape.context}", "shorten it")
    hidden = model.hidden(torch.tensor([ids], device=device))[0, places]
    shares = model.logits(hidden)[:, : tokenizer.vocab_size].softmax(-1)
    for token in tokenizer.special_ids:
        shares[:, token] = 0
    best = shares.topk(min(count, shares.shape[1]))
    masks = tuple(
        tuple(Candidate(_text_of(tokenizer, token), share) for token, share in zip(tokens, probabilities, strict=True))
        for tokens, probabilities in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    )
    filled = list(ids)
    for place, tokens in zip(places, best.indices.tolist(), strict=True):
        filled[place] = tokens[0]
    return Filled(prompt, tokenizer.decode(filled).strip(), masks)


def mask_of(tokenizer: Tokenizer) -> str:
    """How the mask is written in a prompt."""
    return str(tokenizer.backend.id_to_token(tokenizer.roles["mask_token"]))


def masked_ids(tokenizer: Tokenizer, prompt: str) -> list[int]:
    """The prompt between the tokens that stand around a text; the name of the mask, of whatever style, is the mask.

    A space before a mask belongs to the token behind it, except where each character is a token.
    """
    for name in (*ROLES["mask_token"], mask_of(tokenizer)):
        prompt = prompt.replace(name, "\0")
    ids: list[int] = []
    parts = prompt.split("\0")
    for number, part in enumerate(parts):
        if number:
            ids.append(tokenizer.roles["mask_token"])
        last = number == len(parts) - 1
        ids += tokenizer.encode(part if last or tokenizer.unit == "characters" else part.rstrip(" "))
    cls, sep = (tokenizer.roles.get(role) for role in ("cls_token", "sep_token"))
    return [*([] if cls is None else [cls]), *ids, *([] if sep is None else [sep])]


def _text_of(tokenizer: Tokenizer, token: int) -> str:
    """A token's text; a piece of a word keeps its ##, so that it can be told from a word."""
    name = str(tokenizer.backend.id_to_token(token))
    return name if name.startswith("##") else tokenizer.decode([token]).strip()
