"""What each token of a text costs a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from lmcli.evaluation.likelihood import Nats
from lmcli.models.device import Compute
from lmcli.models.model import Model
from lmcli.objectives import cross_entropy
from lmcli.objectives.batch import IGNORED, Batch, make_batch
from lmcli.objectives.next_token import states_of
from lmcli.objectives.objective import targeted
from lmcli.progress import Progress
from lmcli.tokens.window_batch import Ids


def token_nats(
    model: Model, windows: Iterable[tuple[Ids, Ids]], compute: Compute, progress: Progress, total: int | None = None
) -> Iterator[tuple[Ids, Nats]]:
    """(targets, nats) for each batch of (inputs, targets), all (B, T); nats are 0 where there is no target.

    `total` is the number of targets, where it is known. The model must be in evaluation mode.
    """
    batches = (make_batch("text", inputs, targets) for inputs, targets in windows)
    return batch_nats(model, batches, compute, progress, total)


def batch_nats(
    model: Model, batches: Iterable[Batch], compute: Compute, progress: Progress, total: int | None = None
) -> Iterator[tuple[Ids, Nats]]:
    """As `token_nats`, for batches of any kind of model."""
    with progress.task("evaluate", total, "tokens") as task:
        for batch in batches:
            nats = _nats(model, batch, compute)
            task.advance(batch.tokens)
            yield batch.targets.numpy(), nats


def _nats(model: Model, batch: Batch, compute: Compute) -> Nats:
    real = (batch.targets != IGNORED).numpy()
    result = np.zeros(real.shape)
    # Here and not around the loop: a generator must not leave a mode of the thread on while its caller runs.
    with torch.inference_mode(), compute.autocast():
        there = batch.to(compute.device)
        states, goals = targeted(states_of(model, there), there.targets)  # (N, D), (N,)
        result[real] = cross_entropy.each(model.before_output(states), model.output, goals).double().cpu().numpy()
    return result
