from __future__ import annotations

import subprocess
import sys

import pytest

from lmcli.config import decode, dump, parse
from lmcli.config import fields as settings_of
from lmcli.errors import ConfigError
from lmcli.models.config import ComputeConfig, ModelConfig


def test_numbers_and_auto_are_possible() -> None:
    config = decode(ModelConfig, {"width": 64, "dropout": 0.1, "tie_embeddings": False})
    assert (config.width, config.depth, config.dropout, config.tie_embeddings) == (64, "auto", 0.1, False)
    assert parse(settings_of(ModelConfig)["width"].hint, "128", "model.width") == 128
    assert parse(settings_of(ModelConfig)["width"].hint, "auto", "model.width") == "auto"


@pytest.mark.parametrize(
    "values", [{"width": 0}, {"width": "big"}, {"dropout": 1.0}, {"depth": True}, {"rope_theta": 0}]
)
def test_impossible_values_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        decode(ModelConfig, values, "model")


def test_threads_are_no_part_of_what_makes_a_result() -> None:
    assert set(dump(ComputeConfig(threads=4))) == {"device", "dtype"}


def test_settings_load_without_torch() -> None:
    code = (
        "import sys, lmcli.models.config, lmcli.models.families, lmcli.models.shape, lmcli.generation.config;"
        "sys.exit(bool({'torch', 'numpy', 'pydantic', 'tokenizers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
