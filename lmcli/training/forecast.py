"""What a run will take and give, told before it begins."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lmcli.models.config import ModelConfig
from lmcli.models.device import Compute
from lmcli.models.families import family_of
from lmcli.progress import Silent
from lmcli.training.config import PretrainConfig
from lmcli.training.expectation import Band, Text, expected
from lmcli.training.layout import Layout
from lmcli.training.memory import Memory
from lmcli.training.plan import Plan
from lmcli.training.planner import Corpus, Measure, is_causal, plan_pretraining
from lmcli.training.reasons import Reason, reasons
from lmcli.training.shortage import Demand, demand
from lmcli.training.speed import Speed


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """A plan with what follows from it. Seconds are those of the whole command, memory is beside the program."""

    plan: Plan
    reasons: list[Reason]
    demand: Demand
    tokens: int
    flops: float
    flops_per_second: float
    tokens_per_second: float
    seconds: float
    expected: Band | None
    """None where bits per byte say nothing, for objectives other than causal alone; and for a model that is trained
    further, for nothing is known of what it has learned."""

    @property
    def memory(self) -> Memory:
        return self.demand.memory

    def to_json(self) -> dict[str, Any]:
        memory = {**dataclasses.asdict(self.memory), "peak": self.memory.total}
        return {
            "parameters": self.plan.parameters,
            "tokens": self.tokens,
            "epochs": self.plan.epochs,
            "flops": self.flops,
            "flops_per_second": self.flops_per_second,
            "tokens_per_second": self.tokens_per_second,
            "seconds": self.seconds,
            "memory": memory,
            "bits_per_byte": self.expected and dataclasses.asdict(self.expected),
            "reasons": [dataclasses.asdict(reason) for reason in self.reasons],
            "plan": self.plan.to_json(),
        }


def forecast(
    corpus: Corpus,
    text: Text,
    model: ModelConfig,
    config: PretrainConfig,
    compute: Compute,
    elapsed: Callable[[], float],
    measure: Measure,
) -> Forecast:
    """The plan that training would make of these, and its forecast. Raises InputError as the planner does."""
    recorder = _Recorder(measure)
    plan = plan_pretraining(corpus, model, config, compute, elapsed, recorder, Silent())
    speed = recorder.speed_of(plan)
    shape = family_of(plan.model).shape_of(plan.model, plan.vocab_size)
    tokens = plan.pace.steps * plan.batching.tokens
    each = shape.flops_per_token(shape.context)
    return Forecast(
        plan=plan,
        reasons=reasons(plan, corpus, model, config),
        demand=demand(plan.model, plan.vocab_size, plan.batching.rows, plan.batching.micro_rows, config, compute),
        tokens=tokens,
        flops=float(each * tokens),
        flops_per_second=each / speed.train,
        tokens_per_second=1 / speed.train,
        seconds=round(elapsed() + _seconds(plan, speed, corpus), 1),
        expected=expected(shape.matmul_parameters, tokens, text) if _is_foreseen(plan, config) else None,
    )


def _is_foreseen(plan: Plan, config: PretrainConfig) -> bool:
    return is_causal(plan.model, config) and not config.continue_from


def _seconds(plan: Plan, speed: Speed, corpus: Corpus) -> float:
    """The steps, the validations between them, and what comes after the last one."""
    validations = max(1, math.ceil(plan.pace.steps / plan.pace.eval_every))
    validating = speed.validate * corpus.validation_tokens
    closing = plan.budget.closing_seconds - validating if plan.budget else 0.0  # which has the last validation in it
    return plan.pace.steps * plan.batching.tokens * speed.train + validations * validating + closing


class _Recorder:
    """A measure that remembers what it found, so that a plan's own shape isn't measured twice."""

    def __init__(self, measure: Measure) -> None:
        self._measure = measure
        self._found: dict[tuple[int, int, int], Speed] = {}

    def __call__(self, model: ModelConfig, layout: Layout, seconds: float) -> Speed:
        found = self._measure(model, layout, seconds)
        self._found[_key(model)] = found
        return found

    def speed_of(self, plan: Plan) -> Speed:
        key = _key(plan.model)
        if key not in self._found:
            context = key[2]
            self(plan.model, Layout(context, plan.batching.rows, plan.batching.micro_rows), math.inf)
        return self._found[key]


def _key(model: ModelConfig) -> tuple[int, int, int]:
    return int(model.width), int(model.depth), int(model.context)
