from __future__ import annotations

import subprocess
import sys

import pytest

from lmcli.config import decode, dump, fields
from lmcli.errors import ConfigError
from lmcli.training.config import FinetuneConfig, TrainConfig
from lmcli.training.optimizers.adamw import AdamW
from lmcli.training.optimizers.muon import Muon
from lmcli.training.schedules.linear import Linear
from lmcli.training.schedules.wsd import Wsd


def test_defaults_are_the_same_decoded_and_constructed() -> None:
    assert decode(TrainConfig, {}) == TrainConfig()
    assert decode(FinetuneConfig, {}) == FinetuneConfig()
    assert (TrainConfig().optimizer, TrainConfig().schedule) == (Muon(), Wsd())
    assert FinetuneConfig().schedule == Linear()


def test_the_optimizer_table_belongs_to_the_optimizer() -> None:
    config = decode(TrainConfig, {"optimizer": {"name": "adamw", "lr": 0.001}})
    assert config.optimizer == AdamW(lr=0.001)
    with pytest.raises(ConfigError, match=r"unknown key train\.optimizer\.momentum"):
        decode(TrainConfig, {"optimizer": {"name": "adamw", "momentum": 0.9}}, "train")


@pytest.mark.parametrize("values", [{"clip": -1.0}, {"batch_tokens": 0}, {"early_stop": -1}, {"seed": "x"}])
def test_impossible_values_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        decode(TrainConfig, values)


def test_what_cannot_change_a_result_is_no_part_of_the_key() -> None:
    assert {"save_every", "threads"}.isdisjoint(dump(TrainConfig()))
    assert {"eval_every", "micro_batch", "length"} <= set(dump(TrainConfig()))


@pytest.mark.parametrize("config", [TrainConfig, FinetuneConfig])
def test_every_field_has_help(config: type) -> None:
    assert all(field.help for field in fields(config).values())


def test_configs_and_registries_import_nothing_heavy() -> None:
    code = """
import sys, lmcli.training.config, lmcli.training.optimizers.adamw, lmcli.objectives, lmcli.training.length
print(sorted({"torch", "numpy", "pydantic", "datasets", "tokenizers", "pyarrow"} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
