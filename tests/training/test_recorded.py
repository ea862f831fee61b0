from __future__ import annotations

from dataclasses import replace

import pytest

from lmcli.models.config import ComputeConfig
from lmcli.training.plan import Budget, Replan
from lmcli.training.recorded import Course, course_of, known_course
from lmcli.training.world import SOLO
from tests.training.tiny import plan


def test_a_course_survives_json() -> None:
    course = Course(replace(plan(), budget=Budget(seconds=60.0, closing_seconds=1.5, most_steps=99)), (Replan(4, 20),))
    assert Course.from_json(course.to_json()) == course


def test_what_changed_nothing_is_left_out() -> None:
    known = (Replan(0, plan().pace.steps),)
    assert course_of(plan(), (*known, *known, *known)).replans == ()
    assert course_of(plan(), [Replan(9, 30), Replan(9, 30), Replan(15, 29)]).replans == (Replan(9, 30), Replan(15, 29))


@pytest.mark.parametrize(("device", "dtype", "known"), [("cpu", "float32", True), ("cpu", "bfloat16", False)])
def test_a_course_in_another_precision_is_not_taken(device: str, dtype: str, known: bool) -> None:
    course = Course(replace(plan(), device=device, dtype=dtype))
    assert known_course(course, ComputeConfig(dtype="float32"), SOLO) == (course if known else None)
    assert known_course(None, ComputeConfig(), SOLO) is None
