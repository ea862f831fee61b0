"""Metrics that compare texts with their references, by the name that users write."""

from __future__ import annotations

from lmcli.registry import Registry

METRICS = Registry(
    "metric",
    {
        "bleu": "lmcli.evaluation.metrics.bleu:Bleu",
        "chrf": "lmcli.evaluation.metrics.chrf:Chrf",
        "rouge": "lmcli.evaluation.metrics.rouge:Rouge",
        "exact": "lmcli.evaluation.metrics.exact:Exact",
    },
)
