"""What all processes of a run hear of the checkpoints that rank 0 has."""

from __future__ import annotations

from lmcli.training.checkpoints import Checkpoint, Checkpoints
from lmcli.training.state import State
from lmcli.training.world import World


class HeardCheckpoints:
    """Rank 0's are `own`, None elsewhere. `stable` and `state` are called by all processes alike."""

    def __init__(self, world: World, own: Checkpoints | None) -> None:
        self._world, self._own = world, own

    @property
    def last(self) -> Checkpoint | None:
        """Known to rank 0 alone."""
        return self._own.last if self._own else None

    @property
    def stable(self) -> Checkpoint | None:
        """The checkpoint from before the cooldown."""
        stable = self._own.stable if self._own else None
        values = self._world.first(stable.to_json() if stable else None)
        return Checkpoint(**values) if values else None

    def state(self) -> State | None:
        """Where the last checkpoint stands."""
        state = self._own.state() if self._own else None
        values = self._world.first(state.to_json() if state else None)
        return State.from_json(values) if values else None
