from __future__ import annotations

import io
import json
import os
import pty
import re
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.cli import console as module
from lmcli.cli.console import Console, is_terminal, printable

Captured = pytest.CaptureFixture[str]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain progress line at every advance."""
    monkeypatch.setattr(module, "PLAIN_SECONDS", 0.0)


def test_off_a_terminal_progress_is_whole_plain_lines(capsys: Captured, hasty: None) -> None:
    with Console().task("reading", total=2000, unit="B") as task:
        task.advance(500)
        task.describe("a.txt")
        task.advance(1000)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert not re.search(r"[\x1b\r]", captured.err)
    first, second = captured.err.splitlines()
    assert re.fullmatch(r"reading: 500 B of 2\.0 kB \(25%\) \S+ [kMG]?B/s \w+ left", first)
    assert re.fullmatch(r"reading: 1\.5 kB of 2\.0 kB \(75%\) \S+ [kMG]?B/s \w+ left a\.txt", second)


def test_progress_without_a_total(capsys: Captured, hasty: None) -> None:
    with Console().task("cleaning", unit="docs") as task:
        task.advance(12345)
    assert re.fullmatch(r"cleaning: 12,345 docs [\d,]+ docs/s\n", capsys.readouterr().err)


def test_plain_progress_lines_are_seconds_apart(capsys: Captured) -> None:
    with Console().task("cleaning", total=1000) as task:
        for _ in range(1000):
            task.advance()
    assert capsys.readouterr().err == ""


def test_quiet_leaves_only_results_and_warnings(capsys: Captured, hasty: None) -> None:
    console = Console(quiet=True)
    with console.task("cleaning") as task:
        task.advance(3)
    console.say("a remark")
    console.warn("act on this")
    console.show({}, ["a result"], as_json=False)
    assert capsys.readouterr() == ("a result\n", "warning: act on this\n")


def test_a_result_is_lines_or_one_document(capsys: Captured) -> None:
    Console().show({"a": "文"}, ["one", "two"], as_json=False)
    assert capsys.readouterr().out == "one\ntwo\n"
    Console().show({"a": "文"}, ["one", "two"], as_json=True)
    out = capsys.readouterr().out
    assert json.loads(out) == {"a": "文"}
    assert "文" in out


@settings(deadline=None, max_examples=50)
@given(st.text())
def test_printable_text_cannot_steer_a_terminal(text: str) -> None:
    shown = printable(text)
    assert not [char for char in shown if unicodedata.category(char) == "Cc" and char not in "\t\n"]
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\nnaïve 文 😀", "plain\ttext\nnaïve 文 😀"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\rb\x0bc\x7f\x9b31m", "a\\x0db\\x0bc\\x7f\\x9b31m"),
        ("\0", "\\x00"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_text_of_a_model_is_escaped_on_a_terminal_and_raw_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    Console().write("\x1b[31m[red]")
    assert capsys.readouterr().out == "\x1b[31m[red]"
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    Console().write("\x1b[31m[red]")
    assert screen.getvalue() == "\\x1b[31m[red]"


def test_remarks_are_escaped_everywhere(capsys: Captured) -> None:
    Console().say("file \x1b[2J [bold]")
    assert capsys.readouterr().err == "file \\x1b[2J [bold]\n"


@pytest.mark.parametrize(("term", "expected"), [("xterm", True), ("dumb", False)])
def test_a_dumb_terminal_is_none(monkeypatch: pytest.MonkeyPatch, term: str, expected: bool) -> None:
    monkeypatch.setenv("TERM", term)
    assert is_terminal(Terminal()) is expected
    assert not is_terminal(io.StringIO())


@contextmanager
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """A terminal behind stderr; the function gives what was drawn on it since the last call."""
    ours, theirs = pty.openpty()
    for name, value in {"TERM": "xterm", "COLUMNS": "100"}.items():
        monkeypatch.setenv(name, value)
    with open(theirs, "w", encoding="utf-8") as stream, redirect_stderr(stream):  # noqa: PTH123 - a descriptor

        def drawn() -> str:
            stream.flush()
            os.write(theirs, b"\0")
            data = b""
            while not data.endswith(b"\0"):
                data += os.read(ours, 65536)
            return data[:-1].decode()

        yield drawn
    os.close(ours)


def test_on_a_terminal_a_bar_is_drawn_and_remarks_stay_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with screen(monkeypatch) as drawn:
        console = Console()
        with console.task("outer", total=10, unit="steps") as outer:
            outer.advance(4)
            with console.task("[inner]", unit="docs") as inner:
                inner.describe("loss [1.5]")
                inner.advance(3)
                console.say("a [bold] remark \x1b[2J")
                time.sleep(0.3)  # bars are drawn ten times in a second
        text = drawn()
        assert "\x1b[" in text
        plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", text)
        for part in ("outer", "4 steps/10 steps", "[inner]", "3 docs", "loss [1.5]", "a [bold] remark \\x1b[2J\r\n"):
            assert part in plain
        console.say("afterwards")
        assert drawn() == "afterwards\r\n"


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    def colours() -> list[str]:
        with screen(monkeypatch) as drawn:
            with Console().task("outer", total=10) as task:
                task.advance(4)
                time.sleep(0.2)
            return re.findall(r"\x1b\[[\d;]*(?:3[0-8]|9[0-7])[\d;]*m", drawn())

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert colours()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colours()
