from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests import projects
from tests.conftest import Lmcli

TABLE = """
[clean]
filters = ["light", {{name = "quality.perplexity", model = "{model}", max = {max}}}]
"""


def settings(project: Path, model: str, limit: float) -> None:
    path = project / "lmcli.toml"
    path.write_text(path.read_text().partition("\n[clean]")[0] + TABLE.format(model=model, max=limit))


@pytest.fixture
def judged(trained: Path) -> Path:
    """A project with a judge beside it, and one document of another kind."""
    shutil.copytree(trained / projects.lock(trained)["model"]["path"], trained / "judge")
    (trained / "corpus" / "noise.txt").write_text("zq " + " ".join(f"%{n * 7919 % 997}#" for n in range(300)))
    return trained


def reasons(ran: Any) -> dict[str, int]:
    found: dict[str, int] = ran.json["artifacts"][0]["report"]["dropped"]
    return found


def test_text_that_surprises_the_model_is_dropped(lmcli: Lmcli, judged: Path) -> None:
    settings(judged, "judge", 1e9)
    assert reasons(lmcli("clean", "--json")) == {}
    values = threshold(judged)
    settings(judged, "judge", values)
    assert reasons(lmcli("clean", "--json")) == {"quality.perplexity_high": 1}
    shown = lmcli("show", "clean", "--rejected", "quality.perplexity_high", "--json").json
    assert [row["id"] for row in shown["documents"]] == ["corpus/noise.txt"]


def threshold(project: Path) -> float:
    """Between the noise and the rest."""
    from lmcli.evaluation.scorer import Perplexity

    judge = Perplexity(project / "judge")
    found = {path.name: judge(path.read_text()) for path in (project / "corpus").iterdir()}
    noise = found.pop("noise.txt")
    assert noise > 1.2 * max(found.values())
    return (noise * max(found.values())) ** 0.5


def test_the_corpus_is_stale_when_the_judge_changes(lmcli: Lmcli, judged: Path) -> None:
    settings(judged, "judge", 1e9)
    assert lmcli("clean").code == 0
    assert lmcli("clean", "--json").json["artifacts"][0]["made"] is False
    (judged / "judge" / "README.md").write_text("another")
    assert "input model changed (README.md)" in lmcli("status").out


def test_shards_use_it_too(lmcli: Lmcli, judged: Path) -> None:
    settings(judged, "judge", 1e9)
    whole = lmcli("clean", "--json").json["artifacts"][0]["digest"]
    for shard in range(2):
        assert lmcli("clean", "--shard", f"{shard}/2").code == 0
    assert lmcli("clean", "--merge", "--force", "--json").json["artifacts"][0]["digest"] == whole
    (judged / "judge" / "README.md").write_text("another")
    assert lmcli("clean", "--shard", "0/2").out.startswith("shard 0/2 -> ")


@pytest.mark.parametrize("line", [("clean",), ("status",), ("clean", "--dry-run"), ("run",)])
def test_a_model_of_this_corpus_can_t_judge_it(lmcli: Lmcli, judged: Path, line: tuple[str, ...]) -> None:
    settings(judged, "model", 1e9)
    ran = lmcli(*line)
    assert ran.code == 3
    place = projects.lock(judged)["model"]["path"]
    assert "quality.perplexity judges by model, which is itself made from the cleaned corpus" in ran.err
    assert f'`cp -r {place} judge`, then model = "judge"' in ran.err


def test_a_model_of_the_project_that_does_not_read_the_cleaned_corpus_may(lmcli: Lmcli, judged: Path) -> None:
    (judged / "lmcli.toml").write_text((judged / "lmcli.toml").read_text().replace("[tokens]", "[tokens]\nraw = true"))
    settings(judged, "model", 1e9)
    (judged / "corpus" / "noise.txt").unlink()  # the model is fresh again
    made = lmcli("run", "model", "--json")
    assert made.code == 0, made.err
    assert lmcli("clean").code == 0
    assert json.loads((judged / "lmcli.lock").read_text())["artifacts"]["clean"]["inputs"]["model"]["of"] == "model"


def test_a_model_that_is_not_there(lmcli: Lmcli, judged: Path) -> None:
    settings(judged, "judeg", 1e9)
    for line in (("clean",), ("clean", "--shard", "0/2"), ("clean", "--dry-run")):
        ran = lmcli(*line)
        assert (ran.code, "no model named judeg" in ran.err) == (3, True)
