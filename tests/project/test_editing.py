from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from lmcli.errors import ConfigError
from lmcli.project.editing import set_values

PLAIN = """# mine
[train]            # how
length = "5m"      # five minutes
seed = 0

[eval]
"""
TABLE = '[train.optimizer]\nname = "muon"\nlr = 1.0\n'


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("", {"train.seed": 1}, {"train": {"seed": 1}}),
        ("[train]\nseed = 0\n", {"train.seed": 1}, {"train": {"seed": 1}}),
        ("", {"train.optimizer.lr": 0.1}, {"train": {"optimizer": {"lr": 0.1}}}),
        ('[train]\noptimizer = "adamw"\n', {"train.optimizer.lr": 0.1}, {"optimizer": {"name": "adamw", "lr": 0.1}}),
        (
            TABLE,
            {"train.optimizer": "adamw"},
            {"optimizer": {"name": "adamw"}},
        ),
        (
            TABLE,
            {"train.optimizer": "muon", "train.optimizer.lr": 2.0},
            {"optimizer": {"name": "muon", "lr": 2.0}},
        ),
        (
            "",
            {"train.optimizer.lr": 0.1, "train.optimizer": "adamw"},
            {"optimizer": {"name": "adamw", "lr": 0.1}},
        ),
        ("train.seed = 3\n", {"train.seed": 4, "model.width": 64}, {"train": {"seed": 4}, "model": {"width": 64}}),
    ],
)
def test_values_are_set_where_they_belong(
    text: str, values: dict[str, Any], expected: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "lmcli.toml"
    path.write_text(text)
    set_values(path, values)
    read = tomllib.loads(path.read_text())
    assert (read if "train" in expected else read["train"]) == expected


def test_comments_and_everything_else_stay(tmp_path: Path) -> None:
    path = tmp_path / "lmcli.toml"
    path.write_text(PLAIN)
    set_values(path, {"train.length": "10m"})
    assert path.read_text() == PLAIN.replace('"5m"', '"10m"')
    set_values(path, {"train.clip": 0.5})
    assert all(line in path.read_text() for line in ("# mine", "# how", "# five minutes", "[eval]"))


def test_what_is_no_toml_is_refused_and_left(tmp_path: Path) -> None:
    path = tmp_path / "lmcli.toml"
    path.write_text("[train\n")
    with pytest.raises(ConfigError):
        set_values(path, {"train.seed": 1})
    assert path.read_text() == "[train\n"
