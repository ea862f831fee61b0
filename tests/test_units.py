from __future__ import annotations

import pytest

from lmcli.units import amount, duration, size


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_499, "99.5 kB"), (99_500, "100 kB"), (999_499, "999 kB"),
     (999_500, "1.0 MB"), (1.25e9, "1.2 GB"), (5e13, "50.0 TB")],
)  # fmt: skip
def test_sizes(value: float, text: str) -> None:
    assert size(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(12345, "docs", "12,345 docs"), (3, "", "3"), (0.25, "steps", "0.2 steps"), (2e6, "B", "2.0 MB")],
)
def test_amounts(value: float, unit: str, text: str) -> None:
    assert amount(value, unit) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (-3, "0s"), (59.4, "59s"), (59.5, "1m00s"), (200, "3m20s"), (7500, "2h05m")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
