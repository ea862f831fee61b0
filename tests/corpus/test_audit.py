from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcli.corpus.audit import EXAMPLES, EXCERPT, Audit, excerpt

WHAT = st.sampled_from(["kept", "duplicate.exact", "quality.too_short", "empty"])


@given(st.lists(st.tuples(WHAT, st.text(max_size=40))))
def test_every_document_is_counted_once(events: Sequence[tuple[str, str]]) -> None:
    audit = Audit()
    for place, (what, text) in enumerate(events):
        if what == "kept":
            audit.keep(text, len(text.encode()), "", "")
        else:
            audit.drop(str(place), text, what)
    report = json.loads(json.dumps(audit.report()))
    assert report["documents_in"] == len(events) == report["documents_kept"] + sum(report["dropped"].values())
    assert sum(report["lengths"]["kept"].values()) == report["documents_kept"]
    assert sum(report["lengths"]["dropped"].values()) == sum(report["dropped"].values())
    assert sum(report["scripts"].values()) == report["documents_kept"]
    assert report["bytes_out"] == sum(len(text.encode()) for what, text in events if what == "kept")
    for reason, examples in report["examples"].items():
        first = [{"id": str(n), "text": excerpt(text)} for n, (what, text) in enumerate(events) if what == reason]
        assert examples == first[:EXAMPLES]


def test_lengths_are_counted_by_powers_of_two() -> None:
    audit = Audit()
    for length in (0, 1, 2, 3, 4, 1023, 1024, 2047, 2048):
        audit.keep("x" * length, length, "", "")
    assert audit.report()["lengths"]["kept"] == {"0": 1, "1": 1, "2": 2, "4": 1, "512": 1, "1024": 2, "2048": 1}


def test_sources_and_languages_are_counted_in_bytes_where_they_are_known() -> None:
    audit = Audit()
    audit.keep("天气", 6, "web", "zh")
    audit.keep("weather", 7, "web", "")
    report = audit.report()
    assert (report["languages_bytes"], report["sources_bytes"]) == ({"zh": 6}, {"web": 13})
    assert report["scripts"] == {"Han": 1, "Latin": 1}


def test_clusters_come_with_the_largest_first() -> None:
    audit = Audit()
    for documents, name in ((2, "b"), (5, "c"), (2, "a")):
        audit.cluster(documents, name, "text")
    assert [item["id"] for item in audit.duplicates] == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", ""), (" a\n\n b\t", "a b"), ("x" * EXCERPT, "x" * EXCERPT), ("x" * 500, "x" * (EXCERPT - 1) + "…")],
)
def test_an_excerpt_is_one_line(text: str, expected: str) -> None:
    assert excerpt(text) == expected
