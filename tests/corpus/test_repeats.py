from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcli.corpus import repeats
from lmcli.corpus.clusters import bucket_edges, components, smallest_hash
from lmcli.corpus.repeats import equal_runs

VALUES = st.lists(st.integers(0, 12), max_size=60)


def found(values: list[int], counted: list[bool] | None = None) -> dict[int, int]:
    array = np.array(values, dtype=np.uint64)
    marks = None if counted is None else np.array(counted, dtype=bool)
    return {
        int(later): int(first)
        for run in equal_runs(array, marks)
        for first, later in zip(*(places.tolist() for places in run), strict=True)
    }


@given(VALUES)
def test_each_repetition_is_found_once_with_its_first_place(values: list[int]) -> None:
    assert found(values) == {
        place: values.index(value) for place, value in enumerate(values) if value in values[:place]
    }


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=40))
def test_places_that_do_not_count_are_neither_first_nor_later(pairs: list[tuple[int, bool]]) -> None:
    values, counted = [value for value, _ in pairs], [mark for _, mark in pairs]
    kept = [place for place, mark in enumerate(counted) if mark]
    expected = found([values[place] for place in kept])
    assert found(values, counted) == {kept[later]: kept[first] for later, first in expected.items()}


def test_many_passes_over_the_disk_find_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).integers(0, 3000, 10_000).astype("<u8")
    values.tofile(tmp_path / "values.bin")
    expected = {int(a): int(b) for run in equal_runs(values) for b, a in zip(*run, strict=True)}
    monkeypatch.setattr(repeats, "AT_ONCE", 700)
    monkeypatch.setattr(repeats, "_WINDOW", 512)
    mapped = np.memmap(tmp_path / "values.bin", dtype="<u8", mode="r")
    assert {int(a): int(b) for run in equal_runs(mapped) for b, a in zip(*run, strict=True)} == expected
    assert len(expected) > 6000


def test_nothing_repeats_in_nothing() -> None:
    assert found([]) == {}


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_components_are_those_of_a_search(graph: tuple[int, list[tuple[int, int]]]) -> None:
    count, pairs = graph
    expected = list(range(count))
    for _ in range(count):
        for left, right in pairs:
            expected[left] = expected[right] = min(expected[left], expected[right])
    edges = np.array(pairs, dtype=np.uint64).reshape(-1, 2)
    halves = [edges[: len(edges) // 2], edges[len(edges) // 2 :]]
    assert components(count, halves).tolist() == expected


def test_a_long_chain_is_one_component() -> None:
    count = 5000
    order = np.random.default_rng(0).permutation(count).astype(np.uint64)
    labels = components(count, [np.stack([order[:-1], order[1:]], axis=1)])
    assert set(labels.tolist()) == {0}


def test_edges_leave_out_documents_without_a_signature() -> None:
    keys = np.array([7, 7, 0, 7, 0], dtype=np.uint64)
    signed = np.array([True, True, False, True, False])
    assert bucket_edges(keys, signed).tolist() == [[0, 1], [0, 3]]


def test_the_smallest_hash_of_a_cluster() -> None:
    labels = np.array([0, 1, 0, 1, 4], dtype=np.uint64)
    digests = np.array([9, 4, 3, 8, 5], dtype=np.uint64)
    assert smallest_hash(labels, digests).tolist() == [3, 4, 3, 4, 5]
