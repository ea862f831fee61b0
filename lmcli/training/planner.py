"""Resolves every `auto` of a pretraining run from the corpus and the length that was asked for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from lmcli.config import name_of
from lmcli.errors import InputError
from lmcli.models.config import ModelConfig
from lmcli.models.device import Compute
from lmcli.models.families import family_of
from lmcli.objectives import OBJECTIVES
from lmcli.progress import Progress
from lmcli.training import ladder, pacing
from lmcli.training.config import PretrainConfig
from lmcli.training.ladder import Rung
from lmcli.training.layout import Layout, context_for, dropout_for, layout_for, pieces_of
from lmcli.training.length import Length, parse_length
from lmcli.training.plan import Batching, Budget, HeldBack, Pace, Plan
from lmcli.training.shortage import ShortageError
from lmcli.training.speed import Speed

MOST_EPOCHS = 4
"""A time budget reads running text at most so often: the time that is left makes more of a larger shape
(docs/performance.md, Passes)."""
MOST_CORRUPTED_EPOCHS = 12
"""The same where each pass asks for other tokens, a few of them."""
SHORT_START = 0.25
"""Of the steps: those that read short pieces, where positions are relative and the loss is that of running text. Code
that is compiled for one length is not compiled for two (docs/performance.md has the runs)."""
PROBE_SHARE = 0.02
"""Of the budget, for each of at most two measurements."""
FIRST_GUESS = 30_000.0
"""Tokens a second, before anything is measured."""

STEP_TOKENS = 2048.0
"""About what a step holds, when only their number is given."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Counts of tokens on both sides, and the size of the vocabulary."""

    train_tokens: int
    validation_tokens: int
    vocab_size: int


Measure = Callable[[ModelConfig, Layout, float], Speed]
"""A resolved model, the layout of a step, seconds to spend -> what a token costs here.

It raises ShortageError where the memory doesn't hold that."""


def plan_pretraining(
    corpus: Corpus,
    model: ModelConfig,
    train: PretrainConfig,
    compute: Compute,
    elapsed: Callable[[], float],
    measure: Measure,
    progress: Progress,
) -> Plan:
    """The plan of a run. A length in steps or epochs gives the same plan on every machine; a time is measured.

    Raises InputError when the corpus is shorter than one window, or than the batch that was asked for, ShortageError
    when a time is given and the memory holds none of the shapes.
    """
    if corpus.train_tokens < 2:
        raise InputError(f"the training side has {corpus.train_tokens} tokens", "put more text into the corpus")
    planner = _Planner(corpus, model, train, compute)
    length = parse_length(train.length)
    plan = planner.timed(length.amount, elapsed, measure) if length.unit == "seconds" else planner.counted(length)
    progress.say(describe(plan))
    pacing.tell_shortness(plan, train.length, elapsed(), progress)
    most = most_epochs(model, train)
    if length.unit == "seconds" and plan.epochs >= 0.95 * most:
        progress.say(f"the corpus is small: {most} passes over it are enough, so this ends before {train.length}")
    return plan


def most_epochs(model: ModelConfig, train: PretrainConfig) -> int:
    """The passes over a corpus that a time budget makes at most."""
    return MOST_EPOCHS if is_causal(model, train) else MOST_CORRUPTED_EPOCHS


def is_causal(model: ModelConfig, train: PretrainConfig) -> bool:
    """Whether the loss is that of each token of running text, and nothing else is trained for."""
    chosen = [name_of(OBJECTIVES, item) for item in getattr(train, "objective", ())]
    return (chosen or [family_of(model).objective]) == ["causal"]


def describe(plan: Plan) -> str:
    """The plan in one line."""
    model = plan.model
    shape = f"{plan.parameters / 1e6:.1f}M weights ({model.width} wide, {model.depth} deep, context {model.context})"
    return (
        f"{shape}, {plan.pace.steps} steps of {plan.batching.tokens} tokens, {plan.epochs:.1f} passes over the corpus"
    )


class _Planner:
    def __init__(self, corpus: Corpus, model: ModelConfig, train: PretrainConfig, compute: Compute) -> None:
        self._corpus, self._model, self._train, self._compute = corpus, model, train, compute
        self._most_tokens = most_epochs(model, train) * corpus.train_tokens
        self._tie = ladder.tied(corpus.train_tokens, corpus.vocab_size)
        self._most_rows: int | None = None  # at once, when the memory holds no more
        self._lacks_memory = False  # for the shape that would have been right
        self._set_context(0)

    def _set_context(self, tokens_seen: float) -> None:
        self._context = context_for(self._corpus.train_tokens, tokens_seen, self._model.context)
        self._shapes = ladder.choices(self._model, self._corpus.vocab_size, self._context, self._tie)

    def counted(self, length: Length) -> Plan:
        """For steps or epochs."""
        train_tokens = self._corpus.train_tokens
        if length.unit == "epochs":
            self._set_context(length.amount * train_tokens)
            layout = self._layout(length.amount * train_tokens)
            steps = max(1, round(length.amount * train_tokens / layout.tokens))
        else:
            steps = int(length.amount)
            self._set_context(steps * STEP_TOKENS)
            layout = self._layout(steps * STEP_TOKENS)
        rung = self._rung(dict.fromkeys(self._shapes, float(steps * layout.tokens)))
        pace = pacing.fixed_pace(steps, layout.tokens, self._corpus.validation_tokens, self._train)
        return self._plan(rung, layout, pace)

    def timed(self, seconds: float, elapsed: Callable[[], float], measure: Measure) -> Plan:
        """For a time budget: the largest shape that fits and sees enough tokens, after at most two measurements."""
        guess = self._seen(seconds * FIRST_GUESS)
        self._set_context(guess)
        rungs, guessed = list(self._shapes), self._layout(guess)
        probe = partial(self._probe, measure=measure, seconds=PROBE_SHARE * seconds)
        first, speed = probe(rungs[len(rungs) // 3], guess)
        rate = ladder.effort(self._shapes[first], self._context) / speed.train
        left = seconds - elapsed()
        rung = self._affordable(left * rate)
        tokens = self._seen(left * rate / ladder.effort(self._shapes[rung], self._context))
        self._set_context(tokens)
        if rung != first or self._layout(tokens) != guessed:
            wanted = rung
            rung, speed = probe(rung, tokens)
            self._lacks_memory = rung != wanted
        layout = self._layout(self._seen((seconds - elapsed()) / speed.train))
        most = max(1, round(self._most_tokens / layout.tokens))
        validation_tokens = self._corpus.validation_tokens
        budget = pacing.budget_of(seconds, speed, validation_tokens, self._shapes[rung].parameters, most)
        pace = pacing.timed_pace(budget, elapsed(), speed, layout.tokens, validation_tokens, self._train)
        return self._plan(rung, layout, pace, budget)

    def _probe(self, rung: Rung, tokens: float, measure: Measure, seconds: float) -> tuple[Rung, Speed]:
        """The largest rung up to `rung` that the memory holds, with fewer rows at once where those are free to choose,
        and its speed."""
        smaller = list(itertools.takewhile(lambda other: other != rung, self._shapes))
        layout = self._layout(tokens)
        try:
            return rung, measure(self._dials(rung, 0.0), layout, seconds)
        except ShortageError:
            if self._train.micro_batch == "auto" and layout.micro_rows > 1:
                self._most_rows = layout.micro_rows // 2
            elif smaller:
                rung, self._most_rows = smaller[-1], None
            else:
                raise
        return self._probe(rung, tokens, measure, seconds)

    def _rung(self, tokens_seen: dict[Rung, float], enough: float = math.inf) -> Rung:
        train_tokens = self._corpus.train_tokens
        most = ladder.weights_per_token(train_tokens, self._corpus.vocab_size) * train_tokens
        return ladder.largest(self._shapes, tokens_seen, most, enough)

    def _affordable(self, efforts: float) -> Rung:
        """The largest rung that sees enough tokens for so many efforts."""
        shapes = self._shapes.items()
        seen = {rung: self._seen(efforts / ladder.effort(shape, self._context)) for rung, shape in shapes}
        return self._rung(seen, self._most_tokens)

    def _seen(self, tokens: float) -> float:
        return min(tokens, self._most_tokens)

    def _layout(self, tokens_seen: float) -> Layout:
        train_tokens, compute = self._corpus.train_tokens, self._compute
        layout = layout_for(tokens_seen, train_tokens, self._context, self._train, compute.device)
        layout = layout.shared(compute.processes)
        return replace(layout, micro_rows=min(layout.micro_rows, self._most_rows or layout.micro_rows))

    def _dials(self, rung: Rung, epochs: float) -> ModelConfig:
        dropout = dropout_for(epochs, self._corpus.train_tokens, self._corpus.vocab_size)
        return ladder.dials(self._model, rung, self._context, dropout, self._tie)

    def _batching(self, layout: Layout, pace: Pace) -> Batching:
        share, pieces = self._train.short_start, pieces_of(layout.context)
        if share == "auto":
            pays = is_causal(self._model, self._train) and family_of(self._model).relative and not self._train.compile
            share = SHORT_START if pays else 0.0
        cut_steps = round(share * pace.steps) if pieces > 1 else 0
        return Batching(layout.rows, layout.micro_rows, layout.tokens, pieces if cut_steps else 1, cut_steps)

    def _held_back(self, layout: Layout) -> HeldBack:
        if self._lacks_memory:
            return "shape"
        return "rows" if layout.micro_rows == self._most_rows else ""

    def _plan(self, rung: Rung, layout: Layout, pace: Pace, budget: Budget | None = None) -> Plan:
        epochs = pace.steps * layout.tokens / self._corpus.train_tokens
        return Plan(
            model=self._dials(rung, epochs),
            vocab_size=self._corpus.vocab_size,
            parameters=self._shapes[rung].parameters,
            batching=self._batching(layout, pace),
            pace=pace,
            epochs=epochs,
            device=self._compute.device,
            dtype=self._compute.dtype,
            threads=self._compute.threads,
            budget=budget,
            held_back=self._held_back(layout),
        )
