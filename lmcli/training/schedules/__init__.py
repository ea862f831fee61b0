"""How the learning rate changes over a run: pure functions of the share of the run that is done."""

from __future__ import annotations

from lmcli.registry import Registry

SCHEDULES = Registry(
    "schedule",
    {
        "wsd": "lmcli.training.schedules.wsd:Wsd",
        "cosine": "lmcli.training.schedules.cosine:Cosine",
        "linear": "lmcli.training.schedules.linear:Linear",
        "inverse_sqrt": "lmcli.training.schedules.inverse_sqrt:InverseSqrt",
        "piecewise": "lmcli.training.schedules.piecewise:Piecewise",
        "constant": "lmcli.training.schedules.constant:Constant",
    },
)
