from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.config import decode
from lmcli.errors import ConfigError, InputError
from lmcli.models.config import ModelConfig
from lmcli.models.device import Compute
from lmcli.models.families import keys_of
from lmcli.models.qwen3 import Qwen3
from lmcli.models.shape import resolved_shape
from lmcli.progress import Silent
from lmcli.training import ladder, pacing
from lmcli.training.config import PretrainConfig
from lmcli.training.layout import Layout
from lmcli.training.plan import Plan, Replan, Timeline
from lmcli.training.planner import MOST_EPOCHS, Corpus, plan_pretraining
from lmcli.training.shortage import ShortageError
from lmcli.training.speed import Speed

CPU = Compute("cpu", "float32", 2)
DOCS = Corpus(train_tokens=600_000, validation_tokens=60_000, vocab_size=4096)


class Machine:
    """Computes so many floating point operations a second, and measures as the real one does, on its own clock."""

    def __init__(self, flops: float) -> None:
        self.flops = flops
        self.time = 0.0
        self.measured: list[float] = []

    def elapsed(self) -> float:
        return self.time

    def measure(self, model: ModelConfig, layout: Layout, seconds: float) -> Speed:
        shape = resolved_shape(model, DOCS.vocab_size)
        speed = Speed(shape.flops_per_token(layout.context) / self.flops, 0.3 * shape.flops_per_token(1) / self.flops)
        self.time += max(seconds, 2 * speed.train * layout.tokens)
        self.measured.append(seconds)
        return speed


def make(
    corpus: Corpus = DOCS, machine: Machine | None = None, model: ModelConfig | None = None, **settings: Any
) -> Plan:
    machine = machine or Machine(100e9)
    config = decode(PretrainConfig, settings)
    return plan_pretraining(corpus, model or ModelConfig(), config, CPU, machine.elapsed, machine.measure, Silent())


def never(model: ModelConfig, layout: Layout, seconds: float) -> Speed:
    raise AssertionError("a length in steps needs no measurement")


def test_nothing_is_left_automatic() -> None:
    plan = make(length="2m")
    own = {key: value for key, value in plan.to_json()["model"].items() if key in keys_of(Qwen3)}
    assert "auto" not in own.values()
    shape = resolved_shape(plan.model, DOCS.vocab_size)
    assert shape.width % shape.heads == 0
    assert plan.batching.tokens == plan.batching.rows * shape.context


@pytest.mark.parametrize("flops", [5e9, 50e9, 500e9, 20e12])
@pytest.mark.parametrize("length", ["1m", "5m", "1h"])
def test_a_time_budget_is_filled_and_never_overrun(flops: float, length: str) -> None:
    machine = Machine(flops)
    plan = make(machine=machine, length=length)
    assert plan.budget is not None
    shape = resolved_shape(plan.model, DOCS.vocab_size)
    step = shape.flops_per_token(shape.context) / flops * plan.batching.tokens
    validation = 0.3 * shape.flops_per_token(1) / flops * DOCS.validation_tokens
    end = machine.time + plan.pace.steps * step + (plan.pace.steps - 1) // plan.pace.eval_every * validation
    end += plan.budget.closing_seconds
    assert end <= 1.02 * plan.budget.seconds
    if plan.epochs < 0.95 * MOST_EPOCHS:
        assert end >= 0.9 * plan.budget.seconds


@pytest.mark.parametrize("every", [1, 2, 10, 100, 10_000])
def test_a_time_budget_is_filled_however_often_it_validates(every: int) -> None:
    """Also where validations take longer than the steps between them."""
    speed, validation = Speed(train=1e-3, validate=1e-4), 6.0
    budget = pacing.budget_of(300.0, speed, 60_000, 10**6, most_steps=10**6)
    config = decode(PretrainConfig, {"eval_every": every})
    pace = pacing.timed_pace(budget, 5.0, speed, 300, 60_000, config)
    end = 5.0 + pace.steps * 0.3 + (pace.steps - 1) // every * validation + budget.closing_seconds
    assert 300.0 - (0.3 + validation) <= end + 0.01 * 300.0 + 1e-6
    assert end <= 0.99 * 300.0 + 1e-6


def test_measuring_takes_at_most_a_twentieth_of_the_budget() -> None:
    machine = Machine(100e9)
    make(machine=machine, length="2m")
    assert 1 <= len(machine.measured) <= 2
    assert sum(machine.measured) <= 0.05 * 120


def test_a_batch_that_differs_from_the_first_guess_is_measured_again() -> None:
    machine, layouts = Machine(10e9), []

    def measure(model: ModelConfig, layout: Layout, seconds: float) -> Speed:
        layouts.append(layout.tokens)
        return machine.measure(model, layout, seconds)

    config = decode(PretrainConfig, {"length": "2m"})
    fixed = ModelConfig(width=128, depth=3, context=128)
    plan = plan_pretraining(DOCS, fixed, config, CPU, machine.elapsed, measure, Silent())
    assert layouts == [2048, 1024]
    assert plan.batching.tokens == 1024


@pytest.mark.parametrize("widest", [256, 128, 64])
def test_a_time_budget_takes_the_largest_shape_that_the_memory_holds(widest: int) -> None:
    machine = Machine(20e12)
    shapes: list[tuple[Any, Any]] = []

    def measure(model: ModelConfig, layout: Layout, seconds: float) -> Speed:
        shapes.append((model.width, model.depth))
        if int(model.width) > widest:
            raise ShortageError("too little memory")
        return machine.measure(model, layout, seconds)

    def plan(**model: Any) -> Plan:
        config = decode(PretrainConfig, {"length": "2m"})
        return plan_pretraining(DOCS, ModelConfig(**model), config, CPU, machine.elapsed, measure, Silent())

    found = plan()
    largest_by_rule = 256
    assert (found.model.width, found.held_back) == (widest, "" if widest == largest_by_rule else "shape")
    assert shapes[-1] == max(shape for shape in shapes if int(shape[0]) <= widest)
    assert len(machine.measured) <= 2
    with pytest.raises(ShortageError):
        plan(width=512)


def test_characters_get_a_smaller_shape_than_as_many_words() -> None:
    """However much time there is."""
    characters, words = Corpus(1_000_000, 100_000, 65), Corpus(1_000_000, 100_000, 4096)
    found = [make(corpus, machine=Machine(20e12), length="2h").model for corpus in (characters, words)]
    assert [(model.width, model.depth) for model in found] == [(256, 6), (384, 8)]


def test_more_time_gives_a_model_that_is_not_smaller() -> None:
    sizes = [make(machine=Machine(100e9), length=length).parameters for length in ("20s", "2m", "20m", "2h")]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_a_small_corpus_gets_a_small_model_and_not_endless_passes() -> None:
    tiny = Corpus(train_tokens=7000, validation_tokens=900, vocab_size=640)
    plan = make(tiny, length="5m")
    assert plan.parameters < make(length="5m").parameters
    assert plan.epochs <= MOST_EPOCHS * 1.1
    assert plan.model.dropout == 0.1
    assert plan.model.context is not None
    assert plan.budget is not None
    assert plan.budget.most_steps == plan.pace.steps


@pytest.mark.parametrize(
    ("vocab_size", "epochs", "dropout"),
    [(4096, 3, 0.0), (4096, 4, 0.1), (4096, 5, 0.2), (70, 4, 0.0), (70, 5, 0.1), (70, 7, 0.2)],
)
def test_dropout_comes_with_the_passes_and_sooner_where_words_are_rare(
    vocab_size: int, epochs: int, dropout: float
) -> None:
    corpus = replace(DOCS, vocab_size=vocab_size)
    assert make(corpus, length=f"{epochs} epochs").model.dropout == dropout


def test_where_all_passes_fit_the_time_a_larger_shape_makes_them() -> None:
    plan = make(machine=Machine(2e12), length="10m")
    shapes = list(ladder.choices(ModelConfig(), DOCS.vocab_size, int(plan.model.context), tie=False).values())
    weights = [shape.matmul_parameters for shape in shapes]
    taken = resolved_shape(plan.model, DOCS.vocab_size).matmul_parameters
    assert plan.epochs == pytest.approx(MOST_EPOCHS, rel=0.05)
    assert taken == max(size for size in weights if size <= ladder.WEIGHTS_PER_TOKEN * DOCS.train_tokens)
    assert taken > MOST_EPOCHS * DOCS.train_tokens / ladder.TOKENS_PER_WEIGHT


@pytest.mark.parametrize(
    ("length", "steps", "epochs"), [("500 steps", 500, None), ("0 steps", 0, 0.0), ("3 epochs", None, 3.0)]
)
def test_a_counted_length_is_taken_at_its_word(length: str, steps: int | None, epochs: float | None) -> None:
    config = decode(PretrainConfig, {"length": length})
    plan = plan_pretraining(DOCS, ModelConfig(), config, CPU, lambda: 0.0, never, Silent())
    assert plan.budget is None
    assert steps is None or plan.pace.steps == steps
    assert epochs is None or plan.epochs == pytest.approx(epochs, rel=0.01)


@pytest.mark.parametrize(
    ("context", "pieces"), [(32, 1), (48, 1), (63, 1), (64, 2), (96, 3), (128, 4), (130, 2), (192, 6), (512, 8)]
)
def test_a_beginning_with_pieces_of_equal_length(context: int, pieces: int) -> None:
    batching = make(model=ModelConfig(context=context), length="40 steps").batching
    assert (batching.pieces, batching.cut_steps) == ((pieces, 10) if pieces > 1 else (1, 0))
    assert make(model=ModelConfig(context=context), length="40 steps", short_start=0).batching.pieces == 1


def test_a_time_that_is_over_before_the_first_step_gives_one_step_and_a_warning() -> None:
    class Notes(Silent):
        def warn(self, message: str) -> None:
            said.append(message)

    said: list[str] = []
    machine = Machine(100e9)
    machine.time = 5.0
    plan = plan_pretraining(
        DOCS, ModelConfig(), decode(PretrainConfig, {"length": "2s"}), CPU, machine.elapsed, machine.measure, Notes()
    )
    assert plan.pace.steps == 1
    assert int(plan.model.context) == 32
    assert said == ["2s were over before the first step: steps to train are 1"]


def test_a_validation_that_leaves_no_time_for_steps_is_said() -> None:
    said, machine = [], Machine(100e9)

    class Notes(Silent):
        def warn(self, message: str) -> None:
            said.append(message)

    corpus, config = replace(DOCS, validation_tokens=60_000_000), decode(PretrainConfig, {"length": "30s"})
    plan = plan_pretraining(corpus, ModelConfig(), config, CPU, machine.elapsed, machine.measure, Notes())
    assert plan.pace.steps == 1
    assert said == ["30s leave time for no more, beside what comes after the last step: steps to train are 1"]


@pytest.mark.parametrize("settings", [{"heads": 6}, {"kv_heads": 2}, {"heads": 5}])
def test_widths_that_go_with_the_heads_are_chosen_from(settings: dict[str, int]) -> None:
    plan = make(length="2m", model=ModelConfig(**settings))
    shape = resolved_shape(plan.model, DOCS.vocab_size)
    assert {name: getattr(shape, name) for name in settings} == settings


def test_heads_that_go_with_no_width_are_refused() -> None:
    with pytest.raises(ConfigError, match="can't be cut into 7 heads"):
        make(length="2m", model=ModelConfig(heads=7))


def test_what_is_set_stays_and_the_rest_follows() -> None:
    model = ModelConfig(width=96, depth=3, context=32, dropout=0.3, tie_embeddings=False)
    plan = make(model=model, length="100 steps", batch_tokens=640, eval_every=7, save_every=9, micro_batch=4)
    assert (plan.model.width, plan.model.depth, plan.model.context, plan.model.dropout) == (96, 3, 32, 0.3)
    assert plan.model.tie_embeddings is False
    assert (plan.batching.rows, plan.batching.micro_rows) == (20, 4)
    assert (plan.pace.eval_every, plan.pace.save_every) == (7, 9)


@pytest.mark.parametrize(
    ("corpus", "model", "config", "message"),
    [
        (Corpus(1, 0, 50), ModelConfig(), {}, "has 1 tokens"),
        (Corpus(100, 10, 50), ModelConfig(context=100), {}, r"100 tokens, fewer than one window .* = 100"),
        (
            Corpus(100, 10, 50),
            ModelConfig(context=10),
            {"batch_tokens": 4096},
            "batch_tokens = 4096 .* 9 windows of 10 tokens",
        ),
    ],
)
def test_a_corpus_that_is_too_short_is_refused_with_numbers(
    corpus: Corpus, model: ModelConfig, config: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make(corpus, model=model, length="10 steps", **config)


@settings(deadline=None, max_examples=50)
@given(tokens=st.integers(2, 10**7), validation=st.integers(0, 10**6), vocab=st.integers(2, 50_000))
def test_every_corpus_gets_a_plan_that_it_can_fill(tokens: int, validation: int, vocab: int) -> None:
    for length in ("30s", "20 steps", "1 epoch"):
        plan = make(Corpus(tokens, validation, vocab), length=length)
        assert plan.batching.tokens < tokens
        assert 1 <= plan.batching.micro_rows <= plan.batching.rows
        assert plan.pace.steps >= 1
        assert plan.pace.eval_every >= 1


def test_the_ladder_rises() -> None:
    shapes = [resolved_shape(ladder.dials(ModelConfig(), rung, 128, 0.0, True), 4096) for rung in ladder.LADDER]
    sizes = [shape.matmul_parameters for shape in shapes]
    assert sizes == sorted(sizes)
    assert all(shape.head_dim == 64 for shape in shapes)


@pytest.mark.parametrize(
    ("width", "heads"), [(32, 1), (64, 1), (96, 1), (100, 1), (128, 2), (192, 3), (200, 2), (768, 12)]
)
def test_heads_divide_any_width(width: int, heads: int) -> None:
    assert ladder.heads_for(width) == heads
    assert width % (2 * heads) == 0


@settings(deadline=None, max_examples=50)
@given(planned=st.integers(2, 1000), changes=st.lists(st.tuples(st.floats(0.1, 0.9), st.integers(1, 900)), max_size=3))
def test_progress_rises_to_one_through_any_replans(planned: int, changes: list[tuple[float, int]]) -> None:
    timeline, last = Timeline(planned), 0
    for share, steps in changes:
        step = max(last, int(share * timeline.steps))
        if step == timeline.steps:
            break
        before, last = timeline, step
        timeline = Timeline(planned, (*before.replans, Replan(step, step + steps)))
        assert [timeline.progress(n) for n in range(step + 1)] == [before.progress(n) for n in range(step + 1)]
    places = [timeline.progress(n) for n in range(timeline.steps + 1)]
    assert places[0] == 0
    assert places[-1] == pytest.approx(1)
    assert all(early < late for early, late in itertools.pairwise(places))


@pytest.mark.parametrize(("step_seconds", "steps"), [(1.0, 40 + 57), (0.5, 40 + 115), (100.0, 41), (0.01, 300)])
def test_a_replan_fills_what_is_left(step_seconds: float, steps: int) -> None:
    speed = Speed(0.001, 0.0001)
    budget = replace(pacing.budget_of(100.0, speed, 0, 0, most_steps=300), closing_seconds=1.0)
    assert pacing.replanned(budget, 40, step_seconds, elapsed=40.4) == Replan(40, steps)


def test_validations_are_rare_where_they_are_dear_but_never_absent() -> None:
    config = PretrainConfig()
    assert pacing.fixed_pace(1000, 1000, 100, config).eval_every == 50
    assert pacing.fixed_pace(1000, 1000, 10**6, config).eval_every == 1000
    assert pacing.fixed_pace(3, 1000, 10**7, config).eval_every == 3
