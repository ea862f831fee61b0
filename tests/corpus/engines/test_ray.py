from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpus import planted


@pytest.mark.slow
def test_the_corpus_is_that_of_one_process(root: Path, expected: str) -> None:
    """Ray itself, on the loopback interface with two processors."""
    line = (*planted.CLEAN, "--engine", "ray", "--tasks", 3, "--workers", 2)
    code, _, err = planted.finish(planted.start(root, *line))
    assert (code, planted.digest(root)) == (0, expected), err
    assert planted.remarks(err) == ["merging 3 shards"]


def test_a_cluster_that_is_not_there(root: Path) -> None:
    line = (*planted.CLEAN, "--engine", "ray", "--tasks", 3, "--ray-address", "nowhere:1")
    code, _, err = planted.finish(planted.start(root, *line))
    assert code == 5
    assert err.startswith("error: can't reach the Ray cluster at nowhere:1: ")
