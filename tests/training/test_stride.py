from __future__ import annotations

import pytest

from lmcli.training.stride import Stride


def fed(
    stride: Stride, begun: int, seconds: list[float], elapsed: float = 0.0, between: float = 0.0
) -> list[float | None]:
    found = []
    for number, cost in enumerate(seconds, begun + 1):
        elapsed += cost + between
        stride.took(number, cost)
        found.append(stride.seconds(number, elapsed))
    return found


def test_the_first_step_of_a_command_is_left_out() -> None:
    assert fed(Stride(0, 0.0, 0, 10), 0, [30.0, 1.0, 1.0]) == [None, 1.0, 1.0]
    assert fed(Stride(40, 99.0, 0, 10), 40, [30.0, 1.0, 2.0], 99.0) == [None, 1.0, 1.5]


def test_so_are_steps_with_short_pieces() -> None:
    assert fed(Stride(0, 0.0, 3, 10), 0, [1.0, 1.0, 1.0, 2.0, 2.0]) == [None, None, None, 2.0, 2.0]


def test_what_goes_on_between_steps_is_shared_by_all_of_them() -> None:
    stride = Stride(0, 5.0, 4, 10)
    for step in range(1, 9):
        stride.took(step, 1.0 if step <= 4 else 2.0)
    assert stride.seconds(8, 5.0 + 4 * 1.0 + 4 * 2.0 + 6.0) == pytest.approx(2.0 + 6.0 / 8)


@pytest.mark.parametrize(("planned", "first"), [(100, 3), (400, 9)])
def test_a_long_run_is_not_judged_by_a_few_steps(planned: int, first: int) -> None:
    found = fed(Stride(0, 0.0, 0, planned), 0, [1.0] * 20)
    assert next(step for step, seconds in enumerate(found, 1) if seconds is not None) == first
