"""The rules by which gradients move weights."""

from __future__ import annotations

from lmcli.registry import Registry

OPTIMIZERS = Registry(
    "optimizer",
    {
        "muon": "lmcli.training.optimizers.muon:Muon",
        "adamw": "lmcli.training.optimizers.adamw:AdamW",
    },
)
