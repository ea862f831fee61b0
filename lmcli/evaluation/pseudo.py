"""The pseudo-log-likelihood of texts under models that fill in masks (Salazar et al., 2020)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import torch

from lmcli.evaluation.masks import Filler
from lmcli.evaluation.scoring import TextScore
from lmcli.objectives import cross_entropy
from lmcli.progress import Progress


def pseudo_scored(filler: Filler, texts: Iterable[str], batch: int, progress: Progress) -> Iterator[TextScore]:
    """A score for each text, in order: the sum over its tokens of ln p of the token given all the others.

    Each token is masked by itself, `batch` of them at once. It is no probability of the text, but ranks texts as one
    does. A text that is longer than the context is cut into windows. The end of a text is not counted.
    """
    with progress.task("score", None, "texts") as task:
        for text in texts:
            ids = filler.tokenizer.encode(text)
            total = sum(_nats(filler, part, batch) for part in _parts(filler, ids))
            unknown, size = filler.tokenizer.unknown_id, len(text.encode())
            yield TextScore(
                text=text,
                log_probability=-total,
                tokens=len(ids),
                per_token=-total / max(1, len(ids)),
                bits_per_byte=total / math.log(2) / size if size else None,
                unknown=0 if unknown is None else ids.count(unknown),
            )
            task.advance(1)


def _parts(filler: Filler, ids: Sequence[int]) -> Iterator[Sequence[int]]:
    room = max(1, filler.model.shape.context - 2)
    return (ids[start : start + room] for start in range(0, len(ids), room))


def _nats(filler: Filler, ids: Sequence[int], batch: int) -> float:
    roles, device = filler.tokenizer.roles, filler.compute.device
    cls, sep = ([roles[role]] if role in roles else [] for role in ("cls_token", "sep_token"))
    row = torch.tensor([*cls, *ids, *sep], device=device)
    total = 0.0
    with torch.inference_mode(), filler.compute.autocast():
        for places in torch.split(torch.arange(len(cls), len(cls) + len(ids), device=device), batch):
            every = torch.arange(len(places), device=device)
            rows = row.repeat(len(places), 1)
            rows[every, places] = roles["mask_token"]
            states = filler.model.before_output(filler.model.hidden(rows)[every, places])
            total += float(cross_entropy.each(states, filler.model.output, row[places]).double().sum())
    return total
