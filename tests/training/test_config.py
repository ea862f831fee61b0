from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lmcli.config import decode, dump, fields
from lmcli.errors import ConfigError
from lmcli.project.document import Document
from lmcli.project.settings import Given, resolve
from lmcli.training.config import FinetuneConfig, TrainConfig
from lmcli.training.optimizers.adamw import AdamW
from lmcli.training.optimizers.custom import Custom
from lmcli.training.optimizers.muon import Muon
from lmcli.training.optimizers.sgd import Sgd
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


def test_a_class_can_be_named_by_its_place() -> None:
    expected = Custom(target="torch.optim:RAdam", options={"lr": 0.01})
    short = {"optimizer": {"name": "torch.optim:RAdam", "options": {"lr": 0.01}}}
    long = {"optimizer": {"name": "custom", "target": "torch.optim:RAdam", "options": {"lr": 0.01}}}
    assert decode(TrainConfig, short).optimizer == decode(TrainConfig, long).optimizer == expected
    assert decode(TrainConfig, {"optimizer": "torch.optim:RAdam"}).optimizer == Custom(target="torch.optim:RAdam")
    written = dump(decode(TrainConfig, short))
    assert written["optimizer"] == long["optimizer"]
    assert decode(TrainConfig, written).optimizer == expected


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        (["train.optimizer=torch.optim:RAdam"], Custom(target="torch.optim:RAdam")),
        (
            ["train.optimizer=torch.optim:RAdam", "train.optimizer.options.lr=0.5"],
            Custom(target="torch.optim:RAdam", options={"lr": 0.5}),
        ),
        (
            ["train.optimizer=custom", "train.optimizer.options.n=3", "train.optimizer.options.flag=true"],
            Custom(options={"n": 3, "flag": True}),
        ),
        (["train.optimizer=sgd", "train.optimizer.momentum=0.5"], Sgd(momentum=0.5)),
    ],
)
def test_optimizers_set_on_the_command_line(sets: list[str], expected: object, tmp_path: Path) -> None:
    resolved = resolve({"train": TrainConfig}, Document(tmp_path / "lmcli.toml"), Given(sets=sets))
    assert resolved.sections["train"].optimizer == expected
    again = resolve({"train": TrainConfig}, Document(tmp_path / "lmcli.toml"), None, resolved.overrides)
    assert again.sections["train"].optimizer == expected


@pytest.mark.parametrize("name", ["torch.optim:", "a b:C", "unknown"])
def test_a_name_that_is_neither_known_nor_a_place(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        decode(TrainConfig, {"optimizer": name})
    with pytest.raises(ConfigError):
        resolve({"train": TrainConfig}, Document(tmp_path / "lmcli.toml"), Given(sets=[f"train.optimizer={name}"]))
