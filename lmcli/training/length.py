"""How long to train, as people write it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from lmcli.errors import ConfigError

Unit = Literal["seconds", "steps", "epochs"]

HINT = 'write a time ("90s", "10m", "1h"), "2000 steps" or "3 epochs"'
LONGER_HINT = 'write "2x", "+2000 steps", "+5m", or the new length as a whole: "10m", "4000 steps"'

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_NUMBER = r"(\d+(?:\.\d+)?)"


@dataclass(frozen=True, slots=True)
class Length:
    """An amount of training: wall time in seconds, optimizer steps, or passes over the data."""

    amount: float
    unit: Unit


def parse_length(text: str) -> Length:
    """The length that "90s", "1h30m", "2000 steps" or "3 epochs" stands for. Raises ConfigError for anything else."""
    plain = text.strip().lower()
    if match := re.fullmatch(rf"{_NUMBER} *(step|epoch)s?", plain):
        return _count(float(match[1]), "steps" if match[2] == "step" else "epochs", text)
    if re.fullmatch(rf"(?:{_NUMBER} *[smhd] *)+", plain):
        seconds = sum(float(amount) * _SECONDS[unit] for amount, unit in re.findall(rf"{_NUMBER} *([smhd])", plain))
        if seconds > 0:
            return Length(seconds, "seconds")
    raise ConfigError(f"{text!r} is no length of training", HINT)


@dataclass(frozen=True, slots=True)
class Longer:
    """A factor of the length that a run had at first, an amount to add to it, or the new length."""

    kind: Literal["times", "more", "total"]
    length: Length | None
    factor: float = 1.0


def parse_longer(text: str) -> Longer:
    """What "2x", "+5m" or "4000 steps" stand for. Raises ConfigError for anything else."""
    plain = text.strip().lower()
    if match := re.fullmatch(rf"{_NUMBER} *x", plain):
        if float(match[1]) <= 1:
            raise ConfigError(f"{text!r} makes no run longer", LONGER_HINT)
        return Longer("times", None, float(match[1]))
    try:
        length = parse_length(plain.removeprefix("+"))
    except ConfigError:
        raise ConfigError(f"{text!r} is no longer length", LONGER_HINT) from None
    if not length.amount:
        raise ConfigError(f"{text!r} makes no run longer", LONGER_HINT)
    return Longer("more" if plain.startswith("+") else "total", length)


def is_extension(text: str) -> bool:
    """True, for the check of a setting; empty text extends nothing. Raises ConfigError as `parse_longer`."""
    if text:
        parse_longer(text)
    return True


def is_length(text: str) -> bool:
    """True, for the check of a setting. Raises ConfigError as `parse_length`."""
    parse_length(text)
    return True


def _count(amount: float, unit: Unit, text: str) -> Length:
    if unit == "steps" and amount != int(amount):
        raise ConfigError(f"{text!r} is no length of training: a part of a step can't be done", HINT)
    if unit == "epochs" and amount == 0:
        raise ConfigError(f"{text!r} is no length of training", HINT)
    return Length(amount, unit)
