"""A corpus with planted duplicates, and commands that are run on it as processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

from tests.projects import command, digests
from tests.texts import sentences

HERE = Path(__file__).parent.parent.parent
CLEAN = ("clean", "--duplicates", "near", "--set", "clean.duplicate_lines=40")
PLANTED = {"duplicate.exact": 8, "duplicate.near": 8}


def write_planted(folder: Path) -> Path:
    """English and Chinese in five files, one with most of the text; four exact and four near copies of either."""
    rng = random.Random(7)
    english = [_english(rng) for _ in range(30)]
    chinese = ["".join(chr(0x4E00 + rng.randrange(3000)) for _ in range(300)) for _ in range(30)]
    copies = [texts[place] for texts in (english, chinese) for place in (0, 3, 17, 29)]
    nearly = [f"{texts[place]} 13" for texts in (english, chinese) for place in (1, 5, 16, 28)]
    folder.mkdir(parents=True)
    _rows(folder / "a.jsonl", english[:5] + chinese[:5])
    _rows(folder / "b.jsonl", english[5:] + chinese[5:] + copies[:6])
    _rows(folder / "c.jsonl", copies[6:] + nearly[:1])
    _rows(folder / "d.jsonl", nearly[1:])
    (folder / "e.txt").write_text(sentences(20, seed=99), encoding="utf-8")
    return folder


def _english(rng: random.Random) -> str:
    words = ["".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(6)) for _ in range(80)]
    return "\n".join(" ".join(words[start : start + 20]) for start in range(0, 80, 20))


def _rows(path: Path, texts: list[str]) -> None:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")


def project(root: Path) -> Path:
    """A project with the planted corpus, and nothing made of it."""
    write_planted(root / "corpus")
    assert command(root, "init") == 0
    return root


def digest(root: Path) -> str:
    return digests(root)["clean"]


def environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LMCLI_", "SLURM_", "RAY_"))}
    return {**kept, "PYTHONPATH": str(HERE), **more}


def start(root: Path, *line: object, **more: str) -> subprocess.Popen[str]:
    """`lmcli LINE` in the project, as a process; `more` is added to its environment."""
    arguments = [sys.executable, "-m", "lmcli", *map(str, line)]
    pipe = subprocess.PIPE
    return subprocess.Popen(arguments, cwd=root, env=environment(**more), text=True, stdout=pipe, stderr=pipe)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, text on stdout and on stderr."""
    out, err = process.communicate(timeout=110)
    return process.returncode, out, err


def is_made(root: Path) -> bool:
    return (root / "lmcli.lock").exists() and "clean" in digests(root)


def working(root: Path, rank: int) -> int:
    """The process that makes a shard, as soon as there is one."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for path in root.glob(f"runs/clean/*/logs/*/shards/notes/{rank:05d}.running"):
            with contextlib.suppress(FileNotFoundError):
                return int(json.loads(path.read_bytes())["pid"])
        time.sleep(0.002)
    raise AssertionError(f"task {rank} was not started")


def remarks(err: str) -> list[str]:
    """What a command said, without the lines that tell how far it is, which a busy machine makes it write."""
    return [line for line in err.splitlines() if not line.startswith(("cleaning: ", "matching: ", "writing: "))]
