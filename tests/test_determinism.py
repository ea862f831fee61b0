"""The same text, settings and seed give the same bytes, whatever the machine looks like around them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.texts import write_corpus

SURROUNDINGS = [
    {"LC_ALL": "C", "PYTHONHASHSEED": "0", "RAYON_NUM_THREADS": "1", "workers": "1"},
    {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1", "RAYON_NUM_THREADS": "4", "workers": "4", "TZ": "Asia/Tokyo"},
]


def digests(folder: Path, surroundings: dict[str, str]) -> dict[str, str]:
    """Digests of clean, tokenizer and tokens made by commands of their own in `folder`."""
    environment = {**os.environ, **surroundings}
    workers = surroundings["workers"]
    write_corpus(folder / "corpus", files=40, lines=30)
    (folder / "corpus" / "web.html").write_text("<html><body><p>caf&eacute; \u00e9</p><p>two</p></body></html>")
    (folder / "corpus" / "rows.jsonl").write_text('{"text": "\u4f60\u597d, \ud55c\uad6d"}\n{"text": "naive\u0301"}\n')
    for line in (["init"], ["clean", "--workers", workers], ["tokenize", "--workers", workers]):
        command = [sys.executable, "-m", "lmcli", *line, "-q"]
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return {
        name: entry["digest"] for name, entry in json.loads((folder / "lmcli.lock").read_text())["artifacts"].items()
    }


def test_surroundings_change_no_byte(tmp_path: Path) -> None:
    found = []
    for number, surroundings in enumerate(SURROUNDINGS):
        (tmp_path / str(number)).mkdir()
        found.append(digests(tmp_path / str(number), surroundings))
    assert set(found[0]) == {"clean", "tokenizer", "tokens"}
    assert found[0] == found[1]
