"""Where the rows of metrics.jsonl go besides: programs that draw them while training goes on."""

from __future__ import annotations

from lmcli.registry import Registry

TRACKERS = Registry(
    "tracker",
    {
        "tensorboard": "lmcli.training.trackers.tensorboard:TensorBoard",
        "wandb": "lmcli.training.trackers.wandb:Wandb",
        "trackio": "lmcli.training.trackers.trackio:Trackio",
    },
)
