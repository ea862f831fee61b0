"""When the loop saves, and what: the state with its tensors, and the best weights since the save before.

In the background a thread writes a copy of the tensors, reads it again and removes the older checkpoint, while training
goes on. Whoever asks for a checkpoint waits for it first.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from lmcli.cores import cores
from lmcli.models.device import Compute
from lmcli.training.average import Averaging, best_view
from lmcli.training.checkpoints import Checkpoint
from lmcli.training.errand import Errand
from lmcli.training.ingredients import Ingredients
from lmcli.training.shared_run import Run
from lmcli.training.state import State


def in_background(asked: str, compute: Compute) -> bool:
    """Whether to save in the background: where training leaves a core over, unless it is `asked` for always or never.

    A save is mostly work for a core: hashing, copying, reading again. On a machine whose cores all train it takes about
    as much from the steps as it would have taken before them.
    """
    if asked != "auto":
        return asked == "always"
    if torch.device(compute.device).type != "cpu":
        return True
    return compute.threads * compute.processes < cores()


class Saving:
    """The checkpoints of `run` as its loop makes them; every method is called by all processes alike."""

    def __init__(self, run: Run, parts: Ingredients) -> None:
        self._run, self._keep = run, parts.keep
        self._model, self._optimizer = parts.stepper.model, parts.stepper.optimizer
        world = parts.stepper.world
        # the parts of a sharded model are written by all processes together, between whose steps that has a fixed place
        self._background = parts.background and world.leads and not world.is_sharded
        self._errand = Errand()
        self._best: dict[str, Tensor] | None = None
        self._saved: int | None = None
        self._postponed = False

    def is_due(self, state: State, every: int, asked: bool) -> bool:
        """Whether to save after a step: at intervals, at the end, and when it is asked for.

        While the loss is so high that the run may diverge, nothing replaces the last checkpoint from before at an
        interval; that comes later then.
        """
        self._postponed = self._postponed or state.step % every == 0
        due = bool(state.ending) or asked or (self._postponed and not state.health.is_in_doubt)
        self._postponed = self._postponed and not due
        return due

    def resume(self) -> State | None:
        """Fill model and optimizer from the last checkpoint, and return where it stands; None before the first."""
        state = self._run.checkpoints.state()
        if state is not None:
            self._run.checkpoints.restore(self._model, self._optimizer)
            self._saved = state.step
        return state

    @property
    def last(self) -> Checkpoint | None:
        """The last checkpoint; raises the error of one that could not be saved, as `wait` does."""
        self.wait()
        return self._run.checkpoints.last

    @property
    def stable(self) -> Checkpoint | None:
        """That before the cooldown; raises as `last`."""
        self.wait()
        return self._run.checkpoints.stable

    def has(self, state: State) -> bool:
        """Whether the state of this step is saved, or being saved."""
        return self._saved == state.step

    def keep_best(self) -> None:
        """Hold the weights of now, as the best ones, until the next save."""
        with best_view(self._optimizer):
            self._best = {name: p.detach().clone() for name, p in self._model.named_parameters()}

    def save(self, state: State, *, stable: bool = False) -> None:
        """Commit a checkpoint of `state`, or begin to when there is more to train.

        Raises MachineError and OSError of this save or of the one before; the checkpoint before that is then kept.
        """
        self.wait()
        self._run.metrics.sync()
        model: Mapping[str, Tensor] = {name: parameter.detach() for name, parameter in self._model.named_parameters()}
        optimizer: Mapping[str, Tensor] = self._optimizer.state()
        behind = self._background and not state.ending
        if behind:
            model, optimizer = _copied(model), _copied(optimizer)
        commit = partial(
            self._run.checkpoints.save,
            state,
            model,
            optimizer,
            self._best,
            stable=stable,
            keep=self._keep,
            averaged=isinstance(self._optimizer, Averaging),
        )
        self._saved, self._best = state.step, None
        if behind:
            self._errand.start(commit)
        else:
            commit()

    def look(self) -> None:
        """Raises the error of a save in the background that has failed."""
        self._errand.look()

    def wait(self) -> None:
        """Wait until what was begun is saved. Raises MachineError and OSError when it could not be."""
        self._errand.wait()


def _copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
