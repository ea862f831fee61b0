from __future__ import annotations

import pytest

from lmcli.config import decode, fields, parse
from lmcli.errors import ConfigError
from lmcli.generation.config import GenerateConfig


def test_a_seed_is_a_number_or_random() -> None:
    assert GenerateConfig().seed == "random"
    assert decode(GenerateConfig, {"seed": 3}).seed == 3
    assert parse(fields(GenerateConfig)["seed"].hint, "7", "generate.seed") == 7
    assert parse(fields(GenerateConfig)["seed"].hint, "random", "generate.seed") == "random"
    assert parse(fields(GenerateConfig)["stop"].hint, "a,b", "generate.stop") == ("a", "b")


@pytest.mark.parametrize(
    "values",
    [
        {"temperature": -0.1},
        {"top_p": 0},
        {"top_p": 1.1},
        {"min_p": 1},
        {"top_k": -1},
        {"max_tokens": 0},
        {"count": 0},
        {"seed": -1},
        {"seed": "sometimes"},
        {"repetition_penalty": 0},
    ],
)
def test_impossible_values_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        decode(GenerateConfig, values, "generate")
