from __future__ import annotations

from lmcli.training.clock import Clock


def test_a_pause_does_not_count() -> None:
    now = [100.0]
    clock = Clock(90.0, lambda: now[0])
    clock.resume(5.0)
    assert clock.elapsed() == 15.0
    now[0] += 3600.0
    clock.leave_out_pause()
    assert clock.elapsed() == 15.0
    now[0] += 2.0
    assert clock.elapsed() == 17.0
