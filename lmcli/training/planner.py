"""Resolves every `auto` of a pretraining run from the corpus and the length that was asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lmcli.errors import InputError
from lmcli.models.config import ModelConfig
from lmcli.models.device import Compute
from lmcli.models.shape import Shape, flops_per_token, parameters
from lmcli.progress import Progress
from lmcli.training import ladder, pacing
from lmcli.training.config import TrainConfig
from lmcli.training.length import Length, parse_length
from lmcli.training.pacing import Pace
from lmcli.training.plan import Plan
from lmcli.training.speed import Speed

MOST_EPOCHS = 40
"""A time budget trains at most this many passes: what a small corpus teaches is learned by then."""
PROBE_SHARE = 0.02
"""Of the budget, for each of at most two measurements."""
FIRST_GUESS = ladder.Rung(128, 4)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Counts of tokens on both sides, and the size of the vocabulary."""

    train_tokens: int
    validation_tokens: int
    vocab_size: int


@dataclass(frozen=True, slots=True)
class Layout:
    """How the tokens of a step are arranged."""

    context: int
    rows: int
    micro_rows: int

    @property
    def tokens(self) -> int:
        return self.rows * self.context


Measure = Callable[[ModelConfig, Layout, float], Speed]
"""A resolved model, the layout of a step, seconds to spend -> what a token costs here."""


def plan_pretraining(
    corpus: Corpus,
    model: ModelConfig,
    train: TrainConfig,
    compute: Compute,
    elapsed: Callable[[], float],
    measure: Measure,
    progress: Progress,
) -> Plan:
    """The plan of a run. A length in steps or epochs gives the same plan on every machine; a time is measured.

    Raises InputError when the corpus is shorter than one window or one batch that was asked for.
    """
    planner = _Planner(corpus, model, train, compute, progress)
    length = parse_length(train.length)
    if length.unit == "seconds":
        return planner.timed(length.amount, elapsed, measure)
    return planner.counted(length)


class _Planner:
    def __init__(
        self, corpus: Corpus, model: ModelConfig, train: TrainConfig, compute: Compute, progress: Progress
    ) -> None:
        self._corpus, self._model, self._train = corpus, model, train
        self._compute, self._progress = compute, progress
        self._context = _context(corpus, model)
        self._shapes = ladder.choices(model, corpus.vocab_size, self._context)

    def counted(self, length: Length) -> Plan:
        """For steps or epochs."""
        epochs = length.amount if length.unit == "epochs" else None
        tokens = epochs * self._corpus.train_tokens if epochs is not None else None
        layout = self._layout(tokens if tokens is not None else length.amount * DEFAULT_STEP_TOKENS)
        steps = int(length.amount) if tokens is None else max(1, round(tokens / layout.tokens))
        seen = float(steps * layout.tokens)
        rung = ladder.largest(self._shapes, dict.fromkeys(self._shapes, seen), self._corpus.train_tokens)
        share = self._corpus.validation_tokens / layout.tokens
        pace = pacing.fixed_pace(steps, self._train.eval_every, self._train.save_every, share)
        return self._plan(rung, layout, pace)

    def timed(self, seconds: float, elapsed: Callable[[], float], measure: Measure) -> Plan:
        """For a time budget: at most two measurements, then the largest shape that sees enough tokens in what is left."""
        rung = FIRST_GUESS if FIRST_GUESS in self._shapes else next(iter(self._shapes))
        speed = measure(self._dials(rung, 0.0), self._layout(seconds * 1e4), PROBE_SHARE * seconds)
        better = self._best_rung(rung, speed, seconds - elapsed())
        if better != rung:
            rung = better
            guess = self._tokens_in(seconds - elapsed(), self._estimate(FIRST_GUESS, speed, rung))
            speed = measure(self._dials(rung, 0.0), self._layout(guess), PROBE_SHARE * seconds)
        layout = self._layout(self._tokens_in(seconds - elapsed(), speed.train))
        validation = self._corpus.validation_tokens * speed.validate
        closing = pacing.closing_seconds(speed, self._corpus.validation_tokens, parameters(self._shapes[rung]))
        most = max(1, int(MOST_EPOCHS * self._corpus.train_tokens / layout.tokens))
        pace = pacing.timed_pace(
            seconds * (1 - pacing.MARGIN) - elapsed() - closing,
            speed.train * layout.tokens,
            validation,
            self._train.eval_every,
            self._train.save_every,
            most,
        )
        if pace.steps == most:
            self._progress.say(f"the corpus is small: {MOST_EPOCHS} passes over it are enough, whatever the time")
        return self._plan(rung, layout, pace, seconds, closing)
