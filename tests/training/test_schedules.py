from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.config import decode, dump
from lmcli.errors import ConfigError
from lmcli.training.extension import cooldown_start
from lmcli.training.schedules import SCHEDULES
from lmcli.training.schedules.constant import Constant
from lmcli.training.schedules.cosine import Cosine
from lmcli.training.schedules.inverse_sqrt import InverseSqrt
from lmcli.training.schedules.linear import Linear
from lmcli.training.schedules.piecewise import Piecewise
from lmcli.training.schedules.shape import Scaled
from lmcli.training.schedules.wsd import Wsd


@pytest.mark.parametrize(
    ("schedule", "progress", "expected"),
    [
        (Constant(warmup=0.1), 0.0, 0.0),
        (Constant(warmup=0.1), 0.05, 0.5),
        (Constant(warmup=0.1), 0.1, 1.0),
        (Constant(warmup=0.1), 1.0, 1.0),
        (Constant(warmup=0.0), 0.0, 1.0),
        (Linear(warmup=0.2, final=0.1), 0.1, 0.5),
        (Linear(warmup=0.2, final=0.1), 0.2, 1.0),
        (Linear(warmup=0.2, final=0.1), 0.6, 0.55),
        (Linear(warmup=0.2, final=0.1), 1.0, 0.1),
        (Cosine(warmup=0.2, final=0.1), 0.2, 1.0),
        (Cosine(warmup=0.2, final=0.1), 0.6, 0.55),
        (Cosine(warmup=0.2, final=0.1), 1.0, 0.1),
        (Wsd(warmup=0.1, cooldown=0.5, final=0.2), 0.05, 0.5),
        (Wsd(warmup=0.1, cooldown=0.5, final=0.2), 0.1, 1.0),
        (Wsd(warmup=0.1, cooldown=0.5, final=0.2), 0.5, 1.0),
        (Wsd(warmup=0.1, cooldown=0.5, final=0.2), 0.75, 0.6),
        (Wsd(warmup=0.1, cooldown=0.5, final=0.2), 1.0, 0.2),
        (InverseSqrt(warmup=0.04, final=0.2), 0.02, 0.5),
        (InverseSqrt(warmup=0.04, final=0.2), 0.04, 1.0),
        (InverseSqrt(warmup=0.04, final=0.2), 0.16, 0.5),
        (InverseSqrt(warmup=0.04, final=0.2), 1.0, 0.2),
        (InverseSqrt(warmup=0.0, final=0.5), 0.0, 1.0),
        (InverseSqrt(warmup=0.0, final=0.5), 1.0, 0.5),
        (InverseSqrt(warmup=0.1, final=1.0), 0.7, 1.0),
        (Piecewise(points=((0.2, 0.4), (0.4, 1.0), (0.4, 0.5), (0.8, 0.1))), 0.0, 0.4),
        (Piecewise(points=((0.2, 0.4), (0.4, 1.0), (0.4, 0.5), (0.8, 0.1))), 0.3, 0.7),
        (Piecewise(points=((0.2, 0.4), (0.4, 1.0), (0.4, 0.5), (0.8, 0.1))), 0.4, 0.5),
        (Piecewise(points=((0.2, 0.4), (0.4, 1.0), (0.4, 0.5), (0.8, 0.1))), 0.6, 0.3),
        (Piecewise(points=((0.2, 0.4), (0.4, 1.0), (0.4, 0.5), (0.8, 0.1))), 1.0, 0.1),
        (Piecewise(points=((0.5, 2.0),)), 0.7, 2.0),
        (Scaled(Wsd(warmup=0.1, cooldown=0.5, final=0.2), 0.25), 0.75, 0.15),
    ],
)
def test_multipliers(schedule: Wsd, progress: float, expected: float) -> None:
    assert schedule.multiplier(progress) == pytest.approx(expected)


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_defaults_never_waste_a_step(name: str) -> None:
    schedule = SCHEDULES.load(name)()
    rates = [schedule.multiplier((step - 0.5) / 100) for step in range(1, 101)]
    assert all(0 < rate <= 1 for rate in rates)


@settings(deadline=None, max_examples=50)
@given(name=st.sampled_from(list(SCHEDULES)), first=st.floats(0.1, 1), second=st.floats(0.1, 1))
def test_after_the_warmup_no_rate_rises(name: str, first: float, second: float) -> None:
    schedule = SCHEDULES.load(name)()
    early, late = sorted((first, second))
    assert schedule.multiplier(late) <= schedule.multiplier(early) + 1e-12


@settings(deadline=None, max_examples=50)
@given(progress=st.floats(0.001, 1), warmup=st.floats(0.001, 0.5))
def test_inverse_sqrt_is_the_root_of_the_time_when_it_ends_at_the_root_of_the_warmup(
    progress: float, warmup: float
) -> None:
    schedule = InverseSqrt(warmup=warmup, final=math.sqrt(warmup))
    expected = min(progress / warmup, math.sqrt(warmup / progress))
    assert schedule.multiplier(progress) == pytest.approx(expected, rel=1e-9)


POINTS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 2)), min_size=1, max_size=6).map(
    lambda points: tuple(sorted(points, key=lambda point: point[0]))
)


@settings(deadline=None, max_examples=100)
@given(points=POINTS, progress=st.floats(0, 1))
def test_lines_stay_between_their_points_and_meet_them(
    points: tuple[tuple[float, float], ...], progress: float
) -> None:
    schedule = Piecewise(points=points)
    rates = [rate for _, rate in points]
    assert min(rates) - 1e-9 <= schedule.multiplier(progress) <= max(rates) + 1e-9
    last_of = dict(points)
    for at, rate in last_of.items():
        assert schedule.multiplier(at) == rate


@settings(deadline=None, max_examples=50)
@given(warmup=st.floats(0, 0.9), final=st.floats(0.01, 1), progress=st.floats(0, 1))
def test_linear_pieces_are_the_linear_schedule(warmup: float, final: float, progress: float) -> None:
    schedule = Piecewise(points=((0.0, 0.0), (warmup, 1.0), (1.0, final)))
    expected = Linear(warmup=warmup, final=final).multiplier(progress)
    assert schedule.multiplier(progress) == pytest.approx(expected, abs=1e-9)


def test_points_are_read_from_a_table_and_written_back() -> None:
    schedule = decode(Piecewise, {"points": [[0, 0], [0.25, 1], [1, 0.5]]})
    assert schedule == Piecewise(points=((0.0, 0.0), (0.25, 1.0), (1.0, 0.5)))
    assert decode(Piecewise, dump(schedule)) == schedule


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([], "there must be points"),
        ([[0, 1], [1.5, 0]], "between 0 and 1"),
        ([[0.5, 1], [0.2, 0]], "in order"),
        ([[0, -1]], "not be below 0"),
        ([[0, 0], [1, 0]], "nor all be 0"),
        ([[0, 1, 2]], "not possible"),
    ],
)
def test_points_that_are_no_course(points: list[list[float]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        decode(Piecewise, {"points": points})


def test_only_wsd_has_a_stretch_before_a_cooldown() -> None:
    starts = {name: cooldown_start(SCHEDULES.load(name)()) for name in SCHEDULES}
    assert {name for name, start in starts.items() if start} == {"wsd"}
