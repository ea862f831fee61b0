"""Fine-tuning: a model and rows of prompts and completions in, the best model of a run out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

import numpy as np

from lmcli.config import name_of
from lmcli.corpus.rows import Row, held_out
from lmcli.corpus.tally import left_out
from lmcli.errors import InputError
from lmcli.models.config import ModelConfig
from lmcli.models.device import Compute
from lmcli.models.families import FAMILIES, keys_of
from lmcli.models.model import Model
from lmcli.objectives.batch import Batch
from lmcli.objectives.building import supervised_for
from lmcli.objectives.objective import Objective
from lmcli.objectives.supervised import Example, Fitting
from lmcli.progress import Progress
from lmcli.tokens.tokenizer import Tokenizer
from lmcli.training import pacing
from lmcli.training.checkpoints import check_space
from lmcli.training.clock import Clock
from lmcli.training.config import FinetuneConfig
from lmcli.training.health import skips_allowed
from lmcli.training.ingredients import Ingredients, Probe
from lmcli.training.length import parse_length
from lmcli.training.loop import train
from lmcli.training.origin import Origin
from lmcli.training.outcome import Outcome, bytes_per_weight, compute_of, outcome_of
from lmcli.training.plan import Batching, Plan
from lmcli.training.recorded import begin, known_course
from lmcli.training.rows_planner import Base, Rows, plan_finetuning
from lmcli.training.schedules.shape import Scaled
from lmcli.training.shared_run import has_begun, open_run, say_idle
from lmcli.training.shortage import Demand, demand
from lmcli.training.sources import RowSource
from lmcli.training.speed import Speed, measure
from lmcli.training.step import Stepper
from lmcli.training.trackers.tracker import tracking
from lmcli.training.validation import Validation
from lmcli.training.world import SOLO, World

VALIDATION_ROWS = 32
"""Examples in one batch of validation."""


@dataclass(frozen=True)
class Finetuned:
    """The outcome of the run, and how the rows of both sides fitted the model's context.

    Rows without a completion are on neither side; `train` counts all of them.
    """

    outcome: Outcome
    train: Fitting
    validation: Fitting | None

    @property
    def epochs(self) -> float:
        """Passes over the rows that were made: the planned ones, unless the run ended at another step."""
        plan, steps = self.outcome.plan, self.outcome.steps
        if steps == plan.pace.steps:  # the last step may be smaller than the others
            return plan.epochs
        return steps * plan.batching.rows / self.train.rows


def finetune(
    base: Model,
    tokenizer: Tokenizer,
    rows: Iterable[Row],
    config: FinetuneConfig,
    directory: Path,
    key: str,
    progress: Progress,
    started: float,
    probes: Sequence[Probe] = (),
    origin: Origin = Origin(),  # noqa: B008 - frozen
    world: World = SOLO,
) -> Finetuned:
    """Train `base`, which is changed, on the rows that are not held out; go on with what is there for `key`.

    The base brings its dropout along. `started` is the instant (`time.monotonic()`) at which the command began. All
    processes of a `world` call this alike; rank 0 has the outcome.
    Raises InputError when there is nothing to train on, DivergedError, Stopped, and ArtifactError for damaged files.
    """
    clock = Clock(started)
    run = open_run(directory, key, world, origin.made_from)
    run.tell(progress)
    course = known_course(origin.course, config, world)
    compute = compute_of(config, run.plan or (course.plan if course else None), world)
    bench = _Bench(base, tokenizer, rows, config, compute, world)
    bench.describe(progress)
    if run.plan is None:
        plan = course.plan if course else bench.plan(world.clock(clock.elapsed))
        if world.leads:  # the others have no such directory, or the same one
            check_space(directory, plan.parameters * bytes_per_weight(config))
        if course is None:
            pacing.tell_shortness(plan, config.length, clock.elapsed(), progress)
        progress.say(f"{plan.pace.steps} steps of {plan.batching.rows} rows, {plan.epochs:.1f} passes over the rows")
        begin(run, plan, course, progress)
    assert run.plan is not None
    needed = bench.demand(run.plan.batching)
    needed.check(has_begun(run, world))
    say_idle(run.plan, world, progress)
    parts = replace(bench.ingredients(run.plan, probes), background=needed.background)
    trackers = config.trackers if world.leads else ()
    with tracking(trackers, run, progress) as on_row, needed.guarded(partial(has_begun, run, world)):
        state = train(run, replace(parts, on_row=on_row), progress, clock)
    return Finetuned(outcome_of(run, base, state, world), bench.train_fitting, bench.validation_fitting)


class _Bench:
    """The examples and settings of a run, from which steppers and batches are made."""

    def __init__(
        self,
        model: Model,
        tokenizer: Tokenizer,
        rows: Iterable[Row],
        config: FinetuneConfig,
        compute: Compute,
        world: World,
    ) -> None:
        self._config, self.compute, self._model = config, compute, model.to(compute.device)
        self._world = world
        self._objective = supervised_for(model.kind, tokenizer, config.label_smoothing)
        sides: tuple[list[tuple[list[int], list[int]]], ...] = ([], [])
        for row in rows:
            ids = (tokenizer.encode(row.prompt), tokenizer.encode(row.completion))
            # without a completion a row is of no use on either side: `fit` leaves all of these out and counts them
            sides[bool(ids[1]) and held_out(row, config.validation)].append(ids)
        if sides[1] and not any(completion for _, completion in sides[0]):
            message = f"all {len(sides[1])} rows are held out to measure the loss, and none is left to train on"
            message += f"; {len(sides[0])} more have an empty completion" if sides[0] else ""
            raise InputError(message, "add rows with other prompts, or set `validation` to a smaller share")
        context = model.shape.context
        self._train, self.train_fitting = self._objective.fit(sides[0], context)
        self._validation: list[Example] = []
        self.validation_fitting: Fitting | None = None
        if sides[1]:
            self._validation, self.validation_fitting = self._objective.fit(sides[1], context)
        self._token_bytes = tokenizer.token_bytes

    def describe(self, progress: Progress) -> None:
        """Say how the rows fitted."""
        fitting = self.train_fitting
        held = len(self._validation)
        progress.say(f"{fitting.rows} rows to train on, {fitting.trained_tokens} trained tokens; {held} rows held out")
        if fitting.empty:
            progress.warn(left_out({"empty_completion": fitting.empty}))
        if fitting.truncated:
            message = f"{fitting.truncated} rows are longer than the context of {self._model.shape.context} tokens"
            progress.warn(f"{message} and were cut; {fitting.end_kept:.1%} of all rows keep their end")
        if not held:
            progress.warn("no row is held out: nothing tells when the model stops getting better")

    @property
    def rows(self) -> Rows:
        fitting, validation = self.train_fitting, self.validation_fitting
        longest = max(len(example.tokens) for example in self._train)
        return Rows(fitting.rows, fitting.trained_tokens, longest, validation.trained_tokens if validation else 0)

    @property
    def base(self) -> Base:
        shape = self._model.shape
        names = keys_of(type(self._model)) & {field.name for field in fields(shape)}
        dials = ModelConfig(
            family=name_of(FAMILIES, self._model),
            dropout=self._config.dropout,
            **{name: getattr(shape, name) for name in names},
        )
        return Base(dials, shape.vocab_size, sum(parameter.numel() for parameter in self._model.parameters()))

    def plan(self, elapsed: Callable[[], float]) -> Plan:
        """The plan of a run that begins now; `elapsed` gives the seconds since its command began."""
        return plan_finetuning(self.rows, self.base, self._config, self.compute, elapsed, self.speed)

    def demand(self, batching: Batching) -> Demand:
        """The memory that training takes; rows are as long as the longest."""
        base = replace(self.base.dials, context=self.rows.longest)
        rows, at_once = batching.rows, batching.micro_rows
        return demand(base, self.base.vocab_size, rows, at_once, self._config, self.compute, self._world)

    def speed(self, batching: Batching, seconds: float) -> Speed:
        """What a trained token costs; measured on a copy."""
        model = copy.deepcopy(self._model).train()
        objective = self._world.prepare(model, self._objective)
        stepper = Stepper.of(model, objective, self._config, self.compute, self._world)
        return measure(stepper, self._source(batching, None)(1), seconds)

    def ingredients(self, plan: Plan, probes: Sequence[Probe]) -> Ingredients:
        """All that the loop needs."""
        config = self._config
        length = parse_length(config.length)
        objective = self._world.prepare(self._model, self._objective)
        source = self._source(plan.batching, length.amount if length.unit == "epochs" else None)
        return Ingredients(
            stepper=Stepper.of(self._model, objective, config, self.compute, self._world),
            source=source,
            schedule=Scaled(config.schedule, config.lr_scale),
            validate=self._validate(objective) if self._validation else None,
            early_stop=config.early_stop,
            peak_lr=config.optimizer.lr,
            samples=source.indices,
            skips=skips_allowed(config.on_nonfinite),
            stop_on_divergence=config.stop_on_divergence,
            keep=config.keep,
            save_every=None if config.save_every == "auto" else config.save_every,
            probes=probes,
            replan=pacing.replanner(plan),
        )

    def _source(self, batching: Batching, epochs: float | None) -> RowSource:
        return RowSource(
            self._train,
            self._objective,
            rows=batching.rows,
            micro_rows=batching.micro_rows,
            seed=self._config.seed,
            epochs=epochs,
        )

    def _validate(self, objective: Objective) -> Validation:
        return Validation(
            self._validation_batches,
            objective,
            self._validation_bytes(),
            device=self.compute.device,
            autocast=self.compute.autocast,
            world=self._world,
        )

    def _validation_batches(self) -> Iterator[Batch]:
        ordered = sorted(self._validation, key=lambda example: len(example.tokens))
        for first in range(0, len(ordered), VALIDATION_ROWS):
            yield self._objective.batch(ordered[first : first + VALIDATION_ROWS])

    def _validation_bytes(self) -> int:
        """Bytes of text that the validation's targets stand for, cut ones as far as they were kept."""
        targets = np.concatenate([example.trained for example in self._validation])
        return int(self._token_bytes[targets].sum())
