"""When the loop saves, and what: the state with its tensors, and the best weights since the save before."""

from __future__ import annotations

from torch import Tensor

from lmcli.training.average import Averaging, best_view
from lmcli.training.ingredients import Ingredients
from lmcli.training.shared_run import Run
from lmcli.training.state import State


class Saving:
    """The checkpoints of `run` as its loop makes them; every method is called by all processes alike."""

    def __init__(self, run: Run, parts: Ingredients) -> None:
        self._run, self._keep = run, parts.keep
        self._model, self._optimizer = parts.stepper.model, parts.stepper.optimizer
        self._best: dict[str, Tensor] | None = None
        self._saved: int | None = None

    def resume(self) -> State | None:
        """Fill model and optimizer from the last checkpoint, and return where it stands; None before the first."""
        state = self._run.checkpoints.state()
        if state is not None:
            self._run.checkpoints.restore(self._model, self._optimizer)
            self._saved = state.step
        return state

    def has(self, state: State) -> bool:
        """Whether the state of this step is saved."""
        return self._saved == state.step

    def keep_best(self) -> None:
        """Hold the weights of now, as the best ones, until the next save."""
        with best_view(self._optimizer):
            self._best = {name: p.detach().clone() for name, p in self._model.named_parameters()}

    def save(self, state: State, *, stable: bool = False) -> None:
        """Commit a checkpoint of `state`. Raises MachineError and OSError; the checkpoint before is then kept."""
        self._run.metrics.sync()
        self._run.checkpoints.save(
            state,
            {name: parameter.detach() for name, parameter in self._model.named_parameters()},
            self._optimizer.state(),
            self._best,
            stable=stable,
            keep=self._keep,
            averaged=isinstance(self._optimizer, Averaging),
        )
        self._saved, self._best = state.step, None
