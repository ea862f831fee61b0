"""Checks that stop a CI job: `bpb<2.2`, `rouge.rougeL>=0.2`."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lmcli.errors import ConfigError, did_you_mean

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
_GATE = re.compile(r"\s*(?P<name>[A-Za-z]\w*(?:\.\w+)?)\s*(?P<sign><=|>=|==|<|>)\s*(?P<bound>\S+)\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Gate:
    """One requirement: the figure `name` stands in the relation `sign` to `bound`."""

    name: str
    sign: str
    bound: float

    def __str__(self) -> str:
        return f"{self.name}{self.sign}{self.bound:g}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a gate; `value` is the figure that it was held against."""

    gate: Gate
    value: float
    passed: bool

    def __str__(self) -> str:
        shown = f"{self.value:.4g}"
        if math.isfinite(self.value) and float(shown) == self.gate.bound != self.value:
            shown = repr(self.value)  # rounding must not make a failure look like a pass
        return f"{self.gate.name} {shown} is {'' if self.passed else 'not '}{self.gate.sign} {self.gate.bound:g}"


def parse(expression: str) -> Gate:
    """The gate that a text such as "bpb<2.2" describes; ConfigError when it can't be read."""
    match = _GATE.fullmatch(expression)
    bound = _number(match["bound"]) if match else math.nan
    if match is None or math.isnan(bound):
        raise ConfigError(
            f"the assertion {expression!r} can't be read", "write a figure, one of < <= > >= == and a number: bpb<2.2"
        )
    return Gate(match["name"], match["sign"], bound)


def judge(gates: Sequence[Gate], figures: Mapping[str, float]) -> tuple[Verdict, ...]:
    """Each gate held against its figure, in order; NaN passes nothing. ConfigError when there is no such figure."""
    return tuple(_judge(gate, figures[resolve(gate.name, figures)]) for gate in gates)


def failures(expressions: Sequence[str], figures: Mapping[str, float | None]) -> list[str]:
    """One line for each assertion that does not hold ("bpb 2.31 is not < 2.2"); ConfigError as `parse` and `judge`."""
    known = {name: math.nan if value is None else value for name, value in figures.items()}
    verdicts = judge([parse(expression) for expression in expressions], known)
    return [str(verdict) for verdict in verdicts if not verdict.passed]


def resolve(name: str, figures: Mapping[str, float]) -> str:
    """The figure that a gate means: its plain name, or METRIC.FIGURE as in rouge.rougeL and bleu.bleu."""
    metric, _, figure = name.rpartition(".")
    if figure in figures and figure.startswith(metric):
        return figure
    near = did_you_mean(figure, figures)
    known = f"this evaluation gives: {', '.join(figures) or 'no figure'}"
    raise ConfigError(f"there is no figure {name!r} to assert", f"{near} {known}" if near else known)


def _judge(gate: Gate, value: float) -> Verdict:
    passed = not math.isnan(value) and _OPERATORS[gate.sign](value, gate.bound)
    return Verdict(gate, value, passed)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
