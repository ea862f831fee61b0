from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lmcli.cli import app
from tests.cli import toy
from tests.conftest import Lmcli


@pytest.fixture(autouse=True)
def toy_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.COMMANDS, "set", toy.COMMANDS["set"])
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        ("", {}),
        ("--steps 3", {"toy.steps": 3}),
        ("--width 64", {"toy.width": 64}),
        ("--width auto", {"toy.width": "auto"}),
        ("--dropout 0", {"toy.dropout": 0.0}),
        ("--split tail", {"toy.split": "tail"}),
        ("--tie", {"toy.tie": True}),
        ("--no-tie", {"toy.tie": False}),
        ("--raw", {"toy.raw": True}),
        ("--shape false", {"toy.shape": False}),
        ("--shape auto", {"toy.shape": "auto"}),
        ("--input a,b --input c -i d", {"toy.inputs": ["a,b", "c", "d"]}),
        ("--note 12", {"toy.note": "12"}),
        ("--split=hash --steps=1", {"toy.split": "hash", "toy.steps": 1}),
    ],
)
def test_marked_fields_become_options(lmcli: Lmcli, line: str, flags: dict[str, Any]) -> None:
    ran = lmcli("set", *line.split(), "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json["flags"] == flags
    assert {key: type(value) for key, value in ran.json["flags"].items()} == {
        key: type(value) for key, value in flags.items()
    }


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("--steps x", "--steps"),
        ("--steps 1.5", "--steps"),
        ("--steps 0", "--steps"),
        ("--steps", "--steps"),
        ("--width 4", "--width"),
        ("--width wide", "--width"),
        ("--dropout 0.75", "--dropout"),
        ("--dropout nan", "--dropout"),
        ("--split middle", "--split"),
        ("--shape round", "--shape"),
        ("--raw=3", "--raw"),
        ("--hidden x", "--hidden"),
        ("--workers 3", "--workers"),
        ("--no-raw", "--no-raw"),
    ],
)
def test_a_wrong_option_is_exit_code_2_and_is_named(lmcli: Lmcli, line: str, name: str) -> None:
    ran = lmcli("set", *line.split(), "--json")
    assert ran.code == 2
    assert name in ran.json["error"]["message"]
    assert "Traceback" not in ran.err


def test_what_all_commands_share_and_their_own_options(lmcli: Lmcli, tmp_path: Path) -> None:
    ran = lmcli("set", "-C", tmp_path, "--set", "toy.steps=3", "--set", "toy.note=a=b", "--force", "--json", "-v", "-q",
                "--dry-run", "--name", "x")  # fmt: skip
    assert ran.json == {
        "flags": {}, "sets": ["toy.steps=3", "toy.note=a=b"], "folder": str(tmp_path), "name": "x",
        "on": ["json", "quiet", "verbose", "dry_run", "force"],
    }  # fmt: skip


def test_help_tells_each_option_its_values_and_default(lmcli: Lmcli) -> None:
    text = lmcli("set", "--help").out
    options = re.sub(r"\n {10,}", " ", text[text.index("Options:") :]).splitlines()[1:]
    found = {" ".join(line.split()) for line in options}
    assert {
        "--steps <int> How many steps [default: 10]",
        "--width auto|int How wide; auto is 8 [default: auto]",
        "--dropout <float> Share that is dropped [default: 0.25]",
        "--split hash|tail How to split [default: hash]",
        "--tie / --no-tie Tie both ends",
        "--raw Change nothing",
        "--shape auto Round or not [default: auto]",
        "--note <str> A remark",
        "--name <str> A name. [default: n]",
        "--dry-run Say what would be done; write nothing.",
    } <= found
    assert any(re.fullmatch(r"-i, --input \S+ What to read \[default: corpus/\]", line) for line in found)
    assert not re.search("hidden|rules|workers", text)


def test_a_command_that_writes_nothing_has_no_options_for_writing(lmcli: Lmcli) -> None:
    for option in ("--set", "--force"):
        assert lmcli("verify", option).code == 2
        assert option not in lmcli("verify", "--help").out
