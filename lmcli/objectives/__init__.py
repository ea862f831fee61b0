"""What a model is trained for. An objective makes batches (pure functions of their windows) and gives
the loss of a batch as sums of nats, one for each of its terms. The registry holds their settings."""

from __future__ import annotations

from lmcli.registry import Registry

OBJECTIVES = Registry(
    "objective",
    {
        "causal": "lmcli.objectives.causal:Causal",
        "denoise": "lmcli.objectives.denoise:Denoise",
        "masked": "lmcli.objectives.masked:Masked",
        "prefix": "lmcli.objectives.prefix:Prefix",
        "replaced": "lmcli.objectives.replaced:Replaced",
    },
)
