"""What a model is trained for. An objective makes batches (pure functions of their rows and a random generator) and
gives the loss of a batch as a sum of nats with the number of tokens that it is a sum over."""

from __future__ import annotations

from lmcli.registry import Registry

OBJECTIVES = Registry(
    "objective",
    {
        "causal": "lmcli.objectives.causal:Causal",
        "supervised": "lmcli.objectives.supervised:Supervised",
    },
)
