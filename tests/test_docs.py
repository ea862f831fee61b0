"""The pages say what the program does: commands and options that they show exist, and so do the files they link to."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lmcli.cli.app import COMMANDS, load

ROOT = Path(__file__).parent.parent
PAGES = [path for glob in ("*.md", "docs/*.md", "examples/**/*.md", "templates/**/*.md") for path in ROOT.glob(glob)]
SCRIPTS = sorted(ROOT.glob("examples/**/*.sh"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(text: str) -> Iterator[str]:
    """Lines of code blocks, fenced and indented, and what stands in backticks."""
    fenced = False
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line.strip()
        else:
            yield from re.findall(r"`([^`]+)`", line)


def commands(text: str) -> Iterator[list[str]]:
    """The words after `lmcli` of each command in a page; lines with placeholders in them are left out."""
    for line in blocks(text):
        shown = re.split(r"  +", line.removeprefix("$ "))[0]  # what follows after a gap explains the command
        if shown.startswith("lmcli ") and "..." not in shown and "\u2026" not in shown:
            yield from words_of(shown)


def words_of(line: str) -> Iterator[list[str]]:
    """The words after `lmcli` of each such command in a line of shell."""
    reader = shlex.shlex(line, posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    command: list[str] = []
    for word in (*reader, ";"):
        if word.strip("();<>|&"):
            command.append(word)
            continue
        if command[:1] == ["lmcli"] and len(command) > 1:
            yield command[1:]
        command = []


SHOWN = [
    (name_of(path), tuple(words))
    for path in PAGES
    for words in commands(path.read_text(encoding="utf-8"))
    if words not in (["--help"], ["--version"])
]
SHOWN += [
    (name_of(path), tuple(words))
    for path in SCRIPTS
    for line in path.read_text(encoding="utf-8").splitlines()
    for words in words_of(line.partition("#")[0] if line.startswith("lmcli ") else "")
]


def option_names(name: str) -> dict[str, Any]:
    return {text: option for option in load(name).params for text in (*option.opts, *option.secondary_opts)}


def test_commands_are_shown() -> None:
    assert {words[0] for _, words in SHOWN if words} >= {"init", "tokenize", "train", "generate"}


@pytest.mark.parametrize(("page", "words"), SHOWN, ids=lambda item: item if isinstance(item, str) else " ".join(item))
def test_a_command_that_a_page_shows_is_one(page: str, words: tuple[str, ...]) -> None:
    if words[0] == "-C":
        words = words[2:]
    assert words[0] in COMMANDS, f"{page} shows `lmcli {' '.join(words)}`"
    known = option_names(words[0])
    given = [word.split("=")[0] for word in words[1:] if re.match(r"--?[A-Za-z]", word)]
    assert [word for word in given if word not in known] == [], f"{page} shows `lmcli {' '.join(words)}`"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_to_files(path: Path) -> None:
    text = re.sub(r"(?s)```.*?```", "", path.read_text(encoding="utf-8"))
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [target for target in targets if target and not re.match(r"[a-z]+:", target)]
    assert [target for target in local if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_files_that_a_page_names_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:lmcli|tests|docs|examples|templates|benchmarks)/[\w./-]+)`", text))
    assert sorted(name for name in named if "NAME" not in name and not (ROOT / name).exists()) == []


@pytest.mark.parametrize("name", ["commands", "filters"])
def test_a_generated_page_is_up_to_date(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERMINAL_WIDTH", "100")
    spec = importlib.util.spec_from_file_location(f"{name}_page", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") == module.page(), "run `make docs`"
