"""Pretraining: a corpus of tokens in, the best model of a run out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from lmcli.errors import InputError
from lmcli.models.config import ModelConfig
from lmcli.models.device import Compute
from lmcli.models.families import family_of
from lmcli.models.model import Model
from lmcli.models.vectors import Vectors, begin_with, read_vectors
from lmcli.objectives.building import objective_for
from lmcli.objectives.setup import Setup
from lmcli.progress import Progress
from lmcli.tokens.pieces import Pieces
from lmcli.tokens.shards import TokenStream
from lmcli.tokens.tokenizer import Tokenizer
from lmcli.tokens.windows import Windows
from lmcli.training import extension, pacing
from lmcli.training.checkpoints import check_space
from lmcli.training.clock import Clock
from lmcli.training.config import PretrainConfig
from lmcli.training.continuing import Base
from lmcli.training.health import skips_allowed
from lmcli.training.ingredients import Ingredients, Probe
from lmcli.training.layout import Layout
from lmcli.training.loop import train
from lmcli.training.origin import Origin
from lmcli.training.outcome import Outcome, bytes_per_weight, compute_of, outcome_of
from lmcli.training.plan import Batching, Plan
from lmcli.training.planner import Corpus, plan_pretraining
from lmcli.training.reasons import Reason, reasons
from lmcli.training.recorded import begin, known_course
from lmcli.training.shared_run import has_begun, open_run, say_idle
from lmcli.training.shortage import Demand, demand
from lmcli.training.sources import WindowSource
from lmcli.training.speed import Speed, measure
from lmcli.training.step import Stepper
from lmcli.training.trackers.tracker import tracking
from lmcli.training.validation import Validation
from lmcli.training.world import SOLO, World

VALIDATION_TOKENS = 8192
"""In one batch of validation."""


def pretrain(
    tokens: Path,
    model: ModelConfig,
    config: PretrainConfig,
    directory: Path,
    key: str,
    progress: Progress,
    started: float,
    probes: Sequence[Probe] = (),
    origin: Origin = Origin(),  # noqa: B008 - frozen
    world: World = SOLO,
) -> Outcome:
    """Train on the encoded corpus `tokens` in the run directory `directory`, or go on with what is there for `key`.

    `started` is the instant (`time.monotonic()`) at which the command began; a time budget counts from it. All
    processes of a `world` call this alike; rank 0 has the outcome.
    `key` doesn't depend on `origin.extend`: an extension goes on in the directory of the run that it extends.
    Raises InputError for a corpus that is too small, MachineError for too little memory, DivergedError, Stopped, and
    ArtifactError for damaged files.
    """
    clock = Clock(started)
    family_of(model)  # before a run with other settings is moved aside for one that can't be
    settle = partial(extension.settle, asked=origin.extend, schedule=config.schedule, of=origin.model)
    run = open_run(directory, key, world, origin.made_from, settle)
    run.tell(progress)
    course = known_course(origin.course, config, world)
    compute = compute_of(config, run.plan or (course.plan if course else None), world)
    bench = _Bench(tokens, model, config, compute, origin, world)
    if run.plan is None:
        plan = course.plan if course else bench.plan(world.clock(clock.elapsed), progress)
        for reason in bench.reasons(plan):
            progress.detail(str(reason))
        if world.leads:  # the others have no such directory, or the same one
            check_space(directory, plan.parameters * bytes_per_weight(config))
        begin(run, plan, course, progress)
    assert run.plan is not None
    needed = bench.demand(run.plan.model, run.plan.batching.rows, run.plan.batching.micro_rows)
    needed.check(has_begun(run, world))
    say_idle(run.plan, world, progress)
    trained, parts = bench.ingredients(run.plan, probes)
    bench.tell(parts, progress)
    if origin.extend:
        parts = replace(parts, extend=extension.asker(origin.extend, run, config.schedule))
    trackers = config.trackers if world.leads else ()
    with tracking(trackers, run, progress) as on_row, needed.guarded(partial(has_begun, run, world)):
        state = train(run, replace(parts, on_row=on_row, background=needed.background), progress, clock)
    outcome = outcome_of(run, trained, state, world)
    return replace(outcome, vectors=bench.vectors.counts) if bench.vectors else outcome


class _Bench:
    """The data and settings of a run, from which models, steppers and batches are made."""

    def __init__(
        self,
        tokens: Path,
        model: ModelConfig,
        config: PretrainConfig,
        compute: Compute,
        origin: Origin,
        world: World = SOLO,
    ) -> None:
        self.compute, self._world = compute, world
        self._base = Base(origin.base) if origin.base else None
        self._config = replace(config, short_start=0.0) if self._base and config.short_start == "auto" else config
        self._origin = origin
        self.vectors: Vectors | None = None
        self._dials = self._base.dials(model) if self._base else model
        self._train = TokenStream.open(tokens, "train")
        self._validation = TokenStream.open(tokens, "validation")
        self._family = family_of(self._dials)
        setup = Setup(self._train.end_id, config.label_smoothing, origin.tokenizer)
        self._objective = objective_for(self._family, self._dials.family, config.objective, setup)

    @property
    def corpus(self) -> Corpus:
        return Corpus(len(self._train), len(self._validation), self._vocab_size)

    @property
    def _vocab_size(self) -> int:
        return self._base.shape.vocab_size if self._base else self._train.vocab_size

    def plan(self, elapsed: Callable[[], float], progress: Progress) -> Plan:
        """The plan of a run that begins now; `elapsed` gives the seconds since its command began."""
        if self._base and len(self._train) <= self._base.shape.context:
            message = f"the training side has {len(self._train)} tokens, fewer than a window of the model needs"
            raise InputError(message, f"add text: the model keeps its context of {self._base.shape.context} tokens")
        plan = plan_pretraining(self.corpus, self._dials, self._config, self.compute, elapsed, self.speed, progress)
        return replace(plan, parameters=self._base.parameters) if self._base else plan

    def reasons(self, plan: Plan) -> list[Reason]:
        """Why the plan is what it is; a model that is trained further has set most of it."""
        return reasons(plan, self.corpus, self._dials, self._config)

    def speed(self, model: ModelConfig, layout: Layout, seconds: float) -> Speed:
        """What a token costs with this shape and layout; the trained weights are thrown away.

        Raises ShortageError when it doesn't fit into the memory.
        """
        self.demand(model, layout.rows, layout.micro_rows).check()
        trained = self._model(model)
        objective = self._world.prepare(trained, self._objective)
        stepper = Stepper.of(trained, objective, self._config, self.compute, self._world)
        windows = self._windows(layout.context, layout.rows)
        batches = WindowSource(windows, self._objective, layout.micro_rows)(1)
        return measure(stepper, batches, seconds)

    def demand(self, model: ModelConfig, rows: int, micro_rows: int) -> Demand:
        """The memory that training takes."""
        return demand(model, self._train.vocab_size, rows, micro_rows, self._config, self.compute, self._world)

    def ingredients(self, plan: Plan, probes: Sequence[Probe]) -> tuple[Model, Ingredients]:
        """A fresh model and all that the loop needs to train it."""
        model = self._model(plan.model)
        objective = self._world.prepare(model, self._objective)
        context = model.shape.context
        rows = max(1, VALIDATION_TOKENS // context)
        config = self._config

        validation = Validation(
            partial(self._objective.validation, self._validation, context, rows),
            objective,
            self._validation.text_bytes if self._objective.covers_text else None,
            device=self.compute.device,
            autocast=self.compute.autocast,
            world=self._world,
        )
        source = self._source(context, plan.batching)
        return model, Ingredients(
            stepper=Stepper.of(model, objective, config, self.compute, self._world),
            source=source,
            schedule=config.schedule,
            validate=validation if len(self._validation) else None,
            early_stop=config.early_stop,
            peak_lr=config.optimizer.lr,
            samples=source.samples,
            skips=skips_allowed(config.on_nonfinite),
            stop_on_divergence=config.stop_on_divergence,
            keep=config.keep,
            save_every=None if config.save_every == "auto" else config.save_every,
            probes=probes,
            replan=pacing.replanner(plan),
            cooldown_start=extension.cooldown_start(config.schedule),
        )

    def tell(self, parts: Ingredients, progress: Progress) -> None:
        """What a person should know of the ingredients."""
        if self.vectors:
            progress.say(str(self.vectors))
        if parts.validate is None:
            progress.warn("there is no validation text: nothing tells when the model stops getting better")

    def _model(self, dials: ModelConfig) -> Model:
        assert dials.dropout != "auto"
        if self._base:
            return self._base.model(dials.dropout).to(self.compute.device)
        shape = self._family.shape_of(dials, self._vocab_size)
        model = self._family(shape, dials.dropout)
        self._begin(model.initialise(self._config.seed))
        return model.to(self.compute.device)

    def _begin(self, model: Model) -> None:
        """With word vectors, where there is a file of them; it is read once for all models."""
        origin = self._origin
        if origin.vectors and self.vectors is None:
            assert origin.tokenizer is not None
            self.vectors = read_vectors(origin.vectors, Tokenizer.load(origin.tokenizer), model.embedding.shape[1])
        if self.vectors:
            begin_with(model, self.vectors)

    def _source(self, context: int, batching: Batching) -> WindowSource:
        windows = Pieces(self._windows(context, batching.rows), batching.pieces, batching.cut_steps)
        return WindowSource(windows, self._objective, batching.micro_rows)

    def _windows(self, context: int, rows: int) -> Windows:
        return Windows(self._train, context, rows, self._config.seed)
