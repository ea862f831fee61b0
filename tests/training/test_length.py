from __future__ import annotations

import pytest

from lmcli.errors import ConfigError
from lmcli.training.length import Length, parse_length


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", Length(90, "seconds")),
        ("10m", Length(600, "seconds")),
        ("1h", Length(3600, "seconds")),
        ("1h30m", Length(5400, "seconds")),
        (" 1.5 H ", Length(5400, "seconds")),
        ("2000 steps", Length(2000, "steps")),
        ("1 step", Length(1, "steps")),
        ("0 steps", Length(0, "steps")),
        ("3 epochs", Length(3, "epochs")),
        ("0.5 epochs", Length(0.5, "epochs")),
    ],
)
def test_lengths(text: str, expected: Length) -> None:
    assert parse_length(text) == expected


@pytest.mark.parametrize(
    "text", ["", "5", "5 minutes ago", "-3 steps", "1.5 steps", "0 epochs", "0s", "1e3 steps", "٣ steps x"]
)
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ConfigError, match="no length of training") as error:
        parse_length(text)
    assert error.value.hint is not None
    assert "epochs" in error.value.hint
