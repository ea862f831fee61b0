"""The rules by which gradients move weights."""

from __future__ import annotations

from lmcli.registry import Registry

OPTIMIZERS = Registry(
    "optimizer",
    {
        "muon": "lmcli.training.optimizers.muon:Muon",
        "adamw": "lmcli.training.optimizers.adamw:AdamW",
        "adam": "lmcli.training.optimizers.adam:Adam",
        "sgd": "lmcli.training.optimizers.sgd:Sgd",
        "adagrad": "lmcli.training.optimizers.adagrad:Adagrad",
        "adafactor": "lmcli.training.optimizers.adafactor:Adafactor",
        "custom": "lmcli.training.optimizers.custom:Custom",
    },
)
