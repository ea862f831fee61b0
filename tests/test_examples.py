"""The examples and templates, run as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lmcli.project import document, scaffold
from lmcli.project.project import Project
from lmcli.project.settings import Given
from lmcli.stages.graph import graph
from tests.projects import digests, tree
from tests.texts import write_corpus

ROOT = Path(__file__).parent.parent
CI = ROOT / "examples" / "ci"
QUICKSTART = ROOT / "examples" / "quickstart" / "run.sh"


@pytest.fixture
def bin_on_path(tmp_path: Path) -> dict[str, str]:
    """An environment in which `lmcli` is this checkout's."""
    script = tmp_path / "bin" / "lmcli"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lmcli "$@"\n')
    script.chmod(0o755)
    return {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{script.parent}:{os.environ['PATH']}"}


def test_the_ci_script_fails_below_its_bound_and_repeats_nothing(tmp_path: Path, bin_on_path: dict[str, str]) -> None:
    write_corpus(tmp_path / "corpus", files=2, lines=40)
    environment = {**bin_on_path, "STEPS": "4", "BOUND": "bpb<20"}

    def run_script(**more: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", str(CI / "run.sh"), "corpus", "build"]
        return subprocess.run(command, cwd=tmp_path, env=environment | more, capture_output=True, text=True)

    failed = run_script(BOUND="bpb<0.01")
    assert failed.returncode == 8
    assert "is not < 0.01" in failed.stderr
    before, made = tree(tmp_path / "build"), digests(tmp_path / "build")
    assert set(made) == {"tokenizer", "tokens", "model", "eval"}
    again = run_script()
    assert again.returncode == 0, again.stderr
    assert digests(tmp_path / "build") == made
    after = tree(tmp_path / "build")
    changed = {name for name in after if before.get(name) != after[name]}
    assert changed <= {"tokenize.json", "train.json", "eval.json", "lmcli.lock"}  # the lock holds the other bound
    results = {name: json.loads((tmp_path / "build" / f"{name}.json").read_text()) for name in ("train", "eval")}
    assert results["train"]["artifacts"][0]["made"] is False
    assert results["eval"]["report"]["figures"]["bpb"] < 20


def test_the_workflow_calls_the_script() -> None:
    yaml = pytest.importorskip("yaml")
    workflow = yaml.safe_load((CI / "workflow.yml").read_text())
    steps = workflow["jobs"]["model"]["steps"]
    commands = [step["run"] for step in steps if "run" in step]
    script = next(match[1] for text in commands if (match := re.search(r"bash (\S+) corpus build", text)))
    assert (ROOT / script).is_file()
    given = next(step["env"] for step in steps if "env" in step)
    text = (ROOT / script).read_text()
    assert all(f"${{{name}:-" in text for name in given), "the script reads what the workflow sets"


@pytest.mark.parametrize("name", list(scaffold.templates()))
def test_a_template_decodes(name: str, tmp_path: Path) -> None:
    scaffold.init(tmp_path, name)
    nodes = graph(Project(tmp_path), Given())
    asked = document.read(tmp_path / "lmcli.toml").tables
    assert {"tokenizer", "tokens", "model"} <= set(nodes)
    assert {key for table in ("finetune", "eval", "generate") for key in asked.get(table, {})} <= set(nodes)


@pytest.mark.parametrize("name", list(scaffold.templates()))
def test_what_a_template_has_in_comments_decodes_too(name: str, tmp_path: Path) -> None:
    """Lines such as `# width = 256` are there to be uncommented."""
    scaffold.init(tmp_path, name)
    path = tmp_path / "lmcli.toml"
    path.write_text(re.sub(r"(?m)^# (?=\w+ = |\[)", "", path.read_text()))
    assert graph(Project(tmp_path), Given())


@pytest.mark.parametrize("script", sorted(ROOT.glob("examples/*/*.sh")), ids=lambda path: path.parent.name)
def test_a_script_is_valid_bash(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)


def words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.lower())


@pytest.mark.slow
def test_the_quickstart_learns_english_in_minutes(tmp_path: Path, bin_on_path: dict[str, str]) -> None:
    from lmcli.corpus.cleaning import read_clean
    from lmcli.tokens.tokenizer import Tokenizer

    started = time.monotonic()
    threads = {"OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))}
    ran = subprocess.run(
        ["bash", str(QUICKSTART), "demo"], cwd=tmp_path, env=bin_on_path | threads, capture_output=True, text=True
    )
    took = time.monotonic() - started
    assert ran.returncode == 0, ran.stderr
    root = tmp_path / "demo"
    entries = Project(root).manifest().entries
    figures = entries["text"].report["figures"]
    assert figures["bpb"] < figures["xz_bpb"] < figures["gzip_bpb"] * 1.2, figures
    samples = [json.loads(row) for row in (root / entries["samples"].path / "samples.jsonl").read_text().splitlines()]
    assert len(samples) == 3
    corpus = "\n".join(document.text for document in read_clean(root / entries["clean"].path))
    known, written = set(words(corpus)), words(" ".join(sample["text"] for sample in samples))
    assert len(written) > 60
    assert sum(word in known for word in written) >= 0.9 * len(written)
    tokenizer = Tokenizer.load(root / entries["tokenizer"].path)
    for sample in samples:
        ids = tokenizer.encode(sample["text"])
        spans = (tokenizer.decode(ids[at : at + 20]) for at in range(len(ids) - 19))
        assert not [span for span in spans if span in corpus]
    assert took < 360
