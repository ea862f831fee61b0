"""What a validation means for a run: the best model so far, or one more validation without progress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lmcli.training import health
from lmcli.training.state import Best, Figures, State


def judged(state: State, figures: Figures, early_stop: int, cools_down: bool = True) -> tuple[State, Sequence[str]]:
    """The state after a validation at its step, and what is to be said; `early_stop` ones that were no better than the
    best end the run (0: never). They count from where the rate falls on, which makes most models better once more."""
    best = state.best.figures if state.best else None
    previous, best_step = state.last.loss if state.last else None, state.best.step if state.best else state.step
    found, messages = health.after_validation(state.health, figures.loss, previous, best_step)
    state = replace(state, health=found)
    if best is None or figures.loss < best.loss:
        return best_now(state, figures), messages
    worse = state.worse + 1 if cools_down else 0
    stop = bool(early_stop) and worse >= early_stop
    return replace(state, last=figures, worse=worse, ending="early stop" if stop else None), messages


def best_now(state: State, figures: Figures | None) -> State:
    """The state whose step is the best so far."""
    return replace(state, best=Best(state.step, figures), last=figures, worse=0)


def is_best(state: State) -> bool:
    """Whether the weights of this very step are the best so far."""
    return state.best is not None and state.best.step == state.step
