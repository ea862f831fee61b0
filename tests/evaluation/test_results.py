from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from lmcli.errors import ArtifactError
from lmcli.evaluation.results import Results, Sample, read, write
from lmcli.evaluation.scores import Interval, Score

RESULTS = Results(
    scores=(
        Score("bpb", 2.25, "bits per byte", 12, "documents", Interval(2.0, 2.5, 0.95, 1000, 0)),
        Score("perplexity", math.inf, "per token", 12, "documents", Interval(10.0, math.inf, 0.95, 1000, 0)),
        Score("gzip_bpb", 2.9, "gzip -9", 100, "bytes"),
    ),
    counts={"tokens": 40, "documents": 12},
    samples=(
        Sample("a.jsonl:1", "你好\u2028", "世界", "\n", "end", False),
        Sample("a.jsonl:2", "p", "r", "q", "length", True),
    ),
)


def test_results_hold_figures_signatures_intervals_and_settings(tmp_path: Path) -> None:
    write(RESULTS, tmp_path / "out", {"model": "model", "seed": 0})
    document = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert document["figures"] == {"bpb": 2.25, "perplexity": None, "gzip_bpb": 2.9}
    assert document["counts"] == {"tokens": 40, "documents": 12}
    assert document["settings"] == {"model": "model", "seed": 0}
    assert document["scores"][0] == {
        "name": "bpb",
        "value": 2.25,
        "signature": "bits per byte",
        "n": 12,
        "unit": "documents",
        "interval": {"low": 2.0, "high": 2.5, "level": 0.95, "resamples": 1000, "seed": 0},
    }


def test_samples_are_one_json_object_for_each_line(tmp_path: Path) -> None:
    write(RESULTS, tmp_path, {})
    lines = (tmp_path / "samples.jsonl").read_bytes().split(b"\n")
    assert lines[-1] == b""
    assert json.loads(lines[0]) == {
        "id": "a.jsonl:1",
        "prompt": "你好\u2028",
        "reference": "世界",
        "prediction": "\n",
        "finish_reason": "end",
        "prompt_cut": False,
    }
    assert len(lines) == 3


def test_no_samples_no_file(tmp_path: Path) -> None:
    write(Results(RESULTS.scores), tmp_path, {})
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_same_results_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(RESULTS, tmp_path / name, {"b": 1, "a": 2} if name == "one" else {"a": 2, "b": 1})
    for file in ("results.json", "samples.jsonl"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_read_gives_back_what_was_written_and_nan_for_what_was_not_finite(tmp_path: Path) -> None:
    write(RESULTS, tmp_path, {})
    found = read(tmp_path)
    assert found.scores[0] == RESULTS.scores[0]
    assert found.scores[2] == RESULTS.scores[2]
    assert math.isnan(found.figures["perplexity"])
    assert found.counts == RESULTS.counts


@pytest.mark.parametrize(
    "content", [None, "", "[]", '{"scores": []}', '{"scores": [{"name": "bpb"}], "counts": {}}', "\0"]
)
def test_damage_is_an_artifact_error(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "results.json").write_text(content)
    with pytest.raises(ArtifactError, match=r"results\.json"):
        read(tmp_path)
