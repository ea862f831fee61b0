"""The losses of a generator that fills in masks and of a discriminator that finds what it has filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmcli.models.electra import Electra
from lmcli.models.heads import Head
from lmcli.models.model import Kind
from lmcli.objectives import cross_entropy
from lmcli.objectives.batch import IGNORED, Batch, Sums
from lmcli.objectives.masked_text import MaskedText
from lmcli.objectives.masking import Masking
from lmcli.objectives.objective import OverWindows, summed, targeted
from lmcli.objectives.segments import Layout
from lmcli.tokens.window_batch import WindowBatch

GENERATOR, DISCRIMINATOR = "generator", "discriminator"
DRAWN_AT_ONCE = 2**21
"""Probabilities."""


class ReplacedTokens(OverWindows):
    """generator + factor x discriminator, each a mean over its targets (Clark et al., 2020, section 2).

    The generator's targets are the masked tokens. The discriminator reads tokens drawn from its probabilities in their
    places; no gradient passes the drawing, and a token that happens to be the original counts as one.
    """

    needs: tuple[Kind, ...] = ("encoder",)
    heads = frozenset({"replaced"})

    def __init__(self, masking: Masking, layout: Layout, *, factor: float, label_smoothing: float = 0.0) -> None:
        self._masked = MaskedText(masking, layout)
        self.label_smoothing = label_smoothing
        self.weights: Mapping[str, float] = {GENERATOR: 1.0, DISCRIMINATOR: factor}

    def batch(self, windows: WindowBatch) -> Batch:
        masked = self._masked.batch(windows)
        length = masked.inputs.shape[1]
        draws = [windows.rng(row).spawn(1)[0].random(length) for row in range(len(windows))]
        (count,) = masked.counts.values()
        return replace(
            masked,
            draws=torch.from_numpy(np.stack(draws)),
            counts={GENERATOR: count, DISCRIMINATOR: masked.inputs.numel()},
        )

    def losses(self, model: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        return _losses(cast(Electra, model), batch, self.label_smoothing)

    def evaluate(self, model: nn.Module, batch: Batch) -> Sums:
        with torch.no_grad():
            return summed(_losses(cast(Electra, model), batch, 0.0), batch)


def _losses(model: Electra, batch: Batch, smoothing: float) -> Mapping[str, Tensor]:
    generator = model.generator
    states, originals = targeted(generator.hidden(batch.inputs), batch.targets)
    states = generator.before_output(states)
    found = cross_entropy.summed(states, generator.output, originals, smoothing)
    filled_bt, replaced_bt = filled(batch, states, generator.output, originals)
    logits_bt = model.replaced_logits(model.hidden(filled_bt))
    nats_bt = F.binary_cross_entropy_with_logits(logits_bt, replaced_bt.float(), reduction="none")
    if not batch.counts[DISCRIMINATOR]:  # an idle batch, whose every position would have an answer here
        nats_bt = nats_bt * 0
    return {GENERATOR: found, DISCRIMINATOR: nats_bt.sum()}


@torch.no_grad()
def filled(batch: Batch, states: Tensor, output: Head, originals: Tensor) -> tuple[Tensor, Tensor]:
    """(b, t) each: the text with a token drawn from the generator in each masked place, and whether it is another one.

    `states` (n, e) are those of the masked places, row by row, and `originals` (n,) what stood there.
    """
    assert batch.draws is not None
    chosen_bt = batch.targets != IGNORED
    drawn = drawn_tokens(states, output, batch.draws[chosen_bt])
    filled_bt = batch.inputs.masked_scatter(chosen_bt, drawn)
    return filled_bt, torch.zeros_like(chosen_bt).masked_scatter(chosen_bt, drawn != originals)


def drawn_tokens(states: Tensor, output: Head, uniform: Tensor) -> Tensor:
    """(n,): for each state the token at which the sum of the probabilities passes its number in [0, 1)."""
    rows = max(1, DRAWN_AT_ONCE // output.weight.shape[0])
    found = [uniform.new_empty(0, dtype=torch.int64)]
    for part, numbers in zip(torch.split(states, rows), torch.split(uniform, rows), strict=True):
        sums = output.logits(part).softmax(-1).cumsum(-1)
        wanted = numbers[:, None].to(sums.dtype) * sums[:, -1:]
        found.append(torch.searchsorted(sums, wanted, right=True).squeeze(1).clamp(max=sums.shape[1] - 1))
    return torch.cat(found)
