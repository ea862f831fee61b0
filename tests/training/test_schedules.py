from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.training.schedules import SCHEDULES
from lmcli.training.schedules.constant import Constant
from lmcli.training.schedules.cosine import Cosine
from lmcli.training.schedules.linear import Linear
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
