"""What each token of a text costs a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from lmcli.evaluation.likelihood import Nats
from lmcli.models.decoder import Decoder
from lmcli.models.device import Compute
from lmcli.objectives import cross_entropy
from lmcli.progress import Progress
from lmcli.tokens.window_batch import Ids
from lmcli.tokens.windows import IGNORED


def token_nats(
    model: Decoder, windows: Iterable[tuple[Ids, Ids]], compute: Compute, progress: Progress, total: int | None = None
) -> Iterator[tuple[Ids, Nats]]:
    """(targets, nats) for each batch of (inputs, targets), all (B, T); nats are 0 where there is no target.

    `total` is the number of targets, where it is known. The model must be in evaluation mode.
    """
    with progress.task("evaluate", total, "tokens") as task:
        for inputs, targets in windows:
            nats = _nats(model, inputs, targets, compute)
            task.advance(int(np.count_nonzero(targets != IGNORED)))
            yield targets, nats


def _nats(model: Decoder, inputs: Ids, targets: Ids, compute: Compute) -> Nats:
    real = targets != IGNORED
    result = np.zeros(targets.shape)
    # Here and not around the loop: a generator must not leave a mode of the thread on while its caller runs.
    with torch.inference_mode(), compute.autocast():
        hidden = model.hidden(torch.from_numpy(inputs).to(compute.device))
        wanted = model.before_output(hidden[torch.from_numpy(real).to(compute.device)])  # (N, D)
        goals = torch.from_numpy(targets[real]).to(compute.device)
        result[real] = cross_entropy.each(wanted, model.output, goals).double().cpu().numpy()
    return result
