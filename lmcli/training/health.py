"""What the course of a run says about its health: figures in, words out. Pure; its memory is a part of the run's state.

The loss of a step is compared with the running median of those before it, from the second step on. Losses far above the
median don't enter it, so that it stays what was usual before they came.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lmcli.errors import ConfigError

WINDOW = 100
"""Losses that the median is taken of."""
ENOUGH = 20
"""Usual losses before which no single one is called a spike: the first few scatter, and a run is told of one spike."""
SPIKE, DIVERGENCE = 2.0, 3.0
"""Times the median, above which a loss is a spike, and one of those that make a divergence."""
PATIENCE = 50
"""Steps in a row that make a divergence."""
FLOOR = 0.05
"""Nats: a smaller median counts as this much, for a text that is known by heart has losses of many sizes."""
RISES = 2
"""Validations in a row, each worse than the one before it, that are called over-fitting."""

SPIKED, DIVERGES, OVERFITS = "spike", "divergence", "overfitting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The memory: the usual losses of late, for how long it was too high or validation got worse, what was said."""

    losses: tuple[float, ...] = ()
    high: int = 0
    """Steps in a row with a loss above DIVERGENCE times the median."""
    rises: int = 0
    skipped: int = 0
    """Steps that were left out because something was not finite."""
    told: tuple[str, ...] = ()

    @property
    def usual(self) -> float | None:
        """The running median; None before the first loss."""
        return statistics.median(self.losses) if self.losses else None

    @property
    def is_in_doubt(self) -> bool:
        """Whether the loss is too high of late, and not yet for so long that the run is said to diverge."""
        return 0 < self.high < PATIENCE

    @property
    def diverges(self) -> bool:
        return self.high >= PATIENCE


def after_step(health: Health, step: int, loss: float) -> tuple[Health, Sequence[str]]:
    """With the loss of a step; each kind of message is given once in a run."""
    usual = health.usual
    level = None if usual is None else max(usual, FLOOR)
    if level is None or loss <= SPIKE * level:
        return replace(health, losses=(*health.losses, loss)[-WINDOW:], high=0), ()
    health = replace(health, high=health.high + 1 if loss > DIVERGENCE * level else 0)
    if health.diverges:
        return _tell(health, DIVERGES, divergence(health, step, loss))
    if len(health.losses) < ENOUGH:
        return health, ()
    message = f"the loss jumped to {loss:.3g} at step {step}, from about {usual:.3g}: once does no harm; if it happens "
    return _tell(health, SPIKED, f"{message}often, lower the learning rate (optimizer.lr) or clip more (clip)")


def divergence(health: Health, step: int, loss: float) -> str:
    """That a run diverges, in words."""
    return (
        f"the loss has been above {DIVERGENCE:g} times its usual {health.usual or 0.0:.3g} for {health.high} steps "
        f"(it is {loss:.3g} at step {step})"
    )


def after_validation(
    health: Health, loss: float, previous: float | None, best_step: int
) -> tuple[Health, Sequence[str]]:
    """With a validation's loss and that of the validation before; `best_step` had the lowest so far."""
    rises = health.rises + 1 if previous is not None and loss > previous else 0
    health = replace(health, rises=rises)
    if rises < RISES:
        return health, ()
    return _tell(health, OVERFITS, f"validation loss has risen since step {best_step}; best is kept")


def _tell(health: Health, kind: str, message: str) -> tuple[Health, Sequence[str]]:
    if kind in health.told:
        return health, ()
    return replace(health, told=(*health.told, kind)), (message,)


def is_policy(text: str) -> bool:
    """Whether it is "stop" or "skip:N". Raises ConfigError with what is wrong."""
    skips_allowed(text)
    return True


def skips_allowed(policy: str) -> int:
    """How many steps `train.on_nonfinite` lets a run leave out. Raises ConfigError for what is no policy."""
    if policy == "stop":
        return 0
    word, _, count = policy.partition(":")
    if word != "skip" or not (count.isascii() and count.isdigit()) or not 0 < int(count) < 10**9:
        raise ConfigError(f"{policy!r} is neither stop nor skip:N", 'write "skip:5" to leave out at most 5 steps')
    return int(count)


def wrong(row: Mapping[str, Any]) -> str:
    """Which figures of a row are not finite, in words; that of a step which was left out may lack some."""
    names = {"loss": "loss", "grad_norm": "gradient norm", "val_loss": "validation loss"}
    bad = {name: row[key] for key, name in names.items() if not math.isfinite(row.get(key, 0.0))}
    return ", ".join(f"{name} is {value}" for name, value in bad.items())


def finite(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without what JSON can't state."""
    return {key: value for key, value in row.items() if not isinstance(value, float) or math.isfinite(value)}


def few(numbers: Sequence[int]) -> str:
    """Numbers in words: a run of them by its ends, of others the first ones."""
    first, last = numbers[0], numbers[-1]
    if len(numbers) > 2 and list(numbers) == list(range(first, last + 1)):
        return f"{first} to {last}"
    return ", ".join(map(str, numbers[:8])) + (f" and {len(numbers) - 8} more" if len(numbers) > 8 else "")
