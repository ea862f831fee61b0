from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lmcli.cli import app
from lmcli.project import busy, scaffold
from tests.cli import toy
from tests.conftest import Lmcli

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def toy_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, place in toy.COMMANDS.items():
        monkeypatch.setitem(app.COMMANDS, name, place)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return scaffold.init(tmp_path / "project").root


FAILURES = [
    ("LmcliError", 1),
    ("UsageError", 2),
    ("InputError", 3),
    ("ConfigError", 3),
    ("ArtifactError", 4),
    ("MachineError", 5),
    ("OSError", 5),
    ("MemoryError", 5),
    ("BusyError", 6),
    ("DivergedError", 7),
    ("GateError", 8),
]


@pytest.mark.parametrize(("kind", "code"), FAILURES)
def test_an_error_is_one_line_and_its_exit_code(lmcli: Lmcli, kind: str, code: int) -> None:
    ran = lmcli("fail", kind)
    assert ran.code == code
    assert ran.out == ""
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(("kind", "code"), FAILURES)
def test_with_json_the_error_is_the_only_document_on_stdout(lmcli: Lmcli, kind: str, code: int) -> None:
    ran = lmcli("fail", kind, "--json")
    assert ran.code == code
    assert ran.json.keys() == {"error"}
    assert ran.json["error"]["code"] == code
    assert ran.err == f"error: {ran.json['error']['message']} - {ran.json['error']['hint']}\n"


def test_a_bug_shows_a_traceback_and_asks_for_a_report(lmcli: Lmcli) -> None:
    ran = lmcli("fail", "ValueError", "--json")
    assert ran.code == 1
    assert "Traceback" in ran.err
    assert ran.json["error"]["message"] == "ValueError: it went wrong in a.txt:3"
    assert "report it" in ran.json["error"]["hint"]


def test_a_message_of_several_lines_becomes_one(lmcli: Lmcli) -> None:
    ran = lmcli("fail", "InputError", "--message", "first\n  second\tthird")
    assert ran.err == "error: first second third - do something\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "no command named 'nonsense'"),
        ("verfy", "did you mean verify?"),
        ("verify --bad", "No such option: --bad"),
        ("path", "Missing argument"),
        ("path a b", "unexpected extra argument"),
        ("--json", "No such option: --json"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2(lmcli: Lmcli, line: str, message: str) -> None:
    ran = lmcli(*line.split())
    assert ran.code == 2
    assert message in ran.err
    assert ran.err.count("\n") == 1


def test_no_command_at_all_prints_the_help(lmcli: Lmcli) -> None:
    ran = lmcli()
    assert ran.code == 2
    assert "\nCommands:\n" in ran.out + ran.err


def test_no_project(lmcli: Lmcli, folder: Path) -> None:
    ran = lmcli("verify")
    assert ran.code == 3
    assert ran.err == f"error: no lmcli.toml in {folder.resolve()} or above - make a project with `lmcli init`\n"


def test_a_damaged_lock(lmcli: Lmcli, project: Path) -> None:
    (project / "lmcli.lock").write_text("{}")
    ran = lmcli("verify", "-C", project, "--json")
    assert ran.code == 4
    assert "lmcli.lock is damaged" in ran.json["error"]["message"]


def test_a_busy_project_names_the_holder(lmcli: Lmcli, project: Path) -> None:
    with busy.writing(project):
        ran = lmcli("gc", "-C", project)
    assert ran.code == 6
    assert f"is in use by process {os.getpid()}" in ran.err


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_results_are_on_stdout_and_remarks_on_stderr(lmcli: Lmcli, flags: list[str]) -> None:
    ran = lmcli("print", *flags)
    assert ran.code == 0
    assert ran.err == "saying 文\n"
    assert ran.out == ("line with 文\n" if not flags else '{\n "word": "文"\n}\n')


def in_shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`toy ...` in bash, the exit code of the first command that failed in a pipe."""
    script = f'set -o pipefail; toy() {{ {sys.executable} -m tests.cli.toy "$@"; }}; {line}'
    return subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=60
    )


MANY = 20_000  # lines, more than a pipe and Python's buffer hold


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("toy print <&- >&-", 0),
        ("toy print 2>&-", 0),
        ("toy print 2>/dev/full", 0),
        ("toy print --json >&-", 5),
        ("toy print >/dev/full", 5),
        (f"toy print --count {MANY} --json >/dev/full", 5),
        ("toy fail GateError >&- 2>&-", 8),
        ("toy fail GateError --json >/dev/full", 8),
        (f"toy print --count {MANY} | head -1", 141),
        (f"toy print --count {MANY} --flush | head -1", 141),
        (f"PYTHONUNBUFFERED=1 toy print --count {MANY} | head -1", 141),
        ("toy --help | true", 141),
    ],
)
def test_streams_that_are_closed_or_full(line: str, code: int) -> None:
    done = in_shell(line)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_full_stderr_takes_no_document_from_stdout() -> None:
    done = in_shell("toy fail GateError --json 2>/dev/full")
    assert done.returncode == 8
    assert json.loads(done.stdout)["error"]["code"] == 8


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "cp1252", "HOME": "/nonexistent", "COLUMNS": "1", "TERM": "dumb"},
    ],
    ids=["ascii", "C", "cp1252"],
)
def test_text_that_the_terminal_cannot_show_is_escaped(environment: dict[str, str]) -> None:
    done = in_shell("toy print", **environment)
    assert done.returncode == 0
    assert done.stdout == "line with \\u6587\n"
    assert done.stderr == "saying \\u6587\n"


def test_no_assert_and_no_warning_decides_anything() -> None:
    done = in_shell("toy verify -C /nonexistent", PYTHONOPTIMIZE="1", PYTHONWARNINGS="error")
    assert done.returncode == 3
    assert done.stderr.startswith("error: no lmcli.toml")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=lambda item: str(item)
)
def test_a_signal_ends_the_command_with_its_code(number: signal.Signals, code: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.toy", "wait", "--json"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stderr.readline() == "ready\n"
    sent = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - sent < 5
    assert process.returncode == code
    assert err == f"error: stopped by {number.name} - the same command goes on where it was\n"
    assert json.loads(out)["error"]["code"] == code
