"""Small projects: commands run on a folder, a corpus trained to a model once, and what a folder holds at a moment."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

from lmcli.cli import boundary
from tests.texts import write_corpus

TINY = (
    *("--set", "model.width=32", "--set", "model.depth=2", "--set", "model.context=32"),
    *("--set", "train.batch_tokens=256", "--set", "train.eval_every=4", "--set", "train.save_every=4"),
)
"""Flags of `train` for a model that takes a fraction of a second."""

STEPS = 12


def command(root: Path, *line: object) -> int:
    """The exit code of `lmcli LINE` in the project `root`; only what it says when it fails is passed on."""
    name, *rest = (str(item) for item in line)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as errors:
        code = boundary.run([name, "-C", str(root), *rest])
    if code:
        sys.stderr.write(errors.getvalue())
    return code


def make_trained(root: Path) -> Path:
    """A project with a corpus, rows to tune on, a tokenizer, tokens and a model that has seen a few steps."""
    write_corpus(root / "corpus", files=3, lines=60)
    write_rows(root / "pairs.jsonl")
    for line in (("init",), ("tokenize", "corpus/", "--workers", 1), ("train", "--steps", STEPS, *TINY)):
        assert command(root, *line) == 0, line
    return root


def write_rows(path: Path, count: int = 60) -> Path:
    """Rows with a prompt and a completion that depends on it."""
    colours = ("red", "green", "blue")
    rows = ({"prompt": f"The cat {n} is ", "completion": colours[n % 3]} for n in range(count))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def digests(root: Path) -> dict[str, str]:
    """The digest of every artifact, by name, as lmcli.lock has them."""
    return {name: entry["digest"] for name, entry in lock(root).items()}


def lock(root: Path) -> dict[str, Any]:
    """The entries of lmcli.lock by name."""
    found: dict[str, Any] = json.loads((root / "lmcli.lock").read_bytes())["artifacts"]
    return found


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    """Everything below `root` outside of .lmcli/: the time of its last change and its content."""
    return {
        path.relative_to(root).as_posix(): (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(root.rglob("*"))
        if ".lmcli" not in path.relative_to(root).parts
    }
