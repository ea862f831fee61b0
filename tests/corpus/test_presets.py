from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lmcli.config import decode, dump, name_of
from lmcli.corpus.cleaning import DATA, REJECTED, write_corpus
from lmcli.corpus.config import CleanConfig
from lmcli.corpus.filters import FILTERS
from lmcli.corpus.mapping import map_sources
from lmcli.corpus.parquet_files import read_rows
from lmcli.corpus.presets import PRESETS, expanded
from lmcli.corpus.recipe import chain_of, duplicates_of, filters_of
from lmcli.corpus.sources import resolve
from lmcli.errors import ConfigError
from lmcli.progress import Silent

NEEDS_MORE = {"quality.perplexity", "decontaminate"}  # a model, evaluation files
PIECES = st.sampled_from(
    [
        *("the cat sat on the mat and that was all there was to be said of it", "a", "\n", "\n\n", " ", "."),
        *("Read more...", "lorem ipsum", "{ x; }", "* item", "wörter donâ€™t", "天气很好，我们去公园。", "\x00", "###"),
        *("mail a@b.com or 4111 1111 1111 1111", "<p>A <b>page</b></p>", "https://a.example/x?y=1", "1234 5678"),
    ]
)
TEXTS = st.builds(" ".join, st.lists(PIECES, max_size=12))
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "filters": st.lists(st.sampled_from(sorted(set(FILTERS) - NEEDS_MORE)), min_size=1, unique=True),
        "preset": st.sampled_from(list(PRESETS)),
        "duplicates": st.sampled_from(["preset", "near", "exact", "keep"]),
        "duplicate_lines": st.sampled_from(["preset", 0, 5]),
        "min_characters": st.sampled_from([1, 20]),
    },
)


def names(config: CleanConfig) -> list[str]:
    return [name_of(FILTERS, entry) for entry in filters_of(config)]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_what_its_list_of_filters_says(preset: str) -> None:
    listed = PRESETS[preset].filters
    config = decode(CleanConfig, {"preset": preset})
    assert names(config) == [item if isinstance(item, str) else item["name"] for item in listed]
    assert duplicates_of(config) == PRESETS[preset].duplicates
    if listed:
        assert dump(decode(CleanConfig, {"filters": [preset]}))["filters"] == [
            {"name": name_of(FILTERS, entry), **dump(entry)} for entry in filters_of(config)
        ]


def test_a_filter_after_a_preset_replaces_the_one_in_it() -> None:
    shorter = {"name": "whitespace", "blank_lines": 0}
    assert expanded(["light", shorter]) == ["unicode", "html", shorter]
    assert expanded(["light", "whitespace"]) == ["unicode", "html", "whitespace"]
    assert expanded(["unicode", "light"])[:1] == ["unicode"]
    assert expanded(["light", {"name": "other"}]) == ["unicode", "html", "whitespace", {"name": "other"}]


def test_settings_of_a_duplicates_mode_win_over_the_preset() -> None:
    config = decode(CleanConfig, {"preset": "light", "duplicates": "near", "duplicate_lines": 9})
    chain = chain_of(config, Path())
    assert (duplicates_of(config), chain.lines, chain.near is not None) == ("near", 9, True)
    assert chain_of(decode(CleanConfig, {"preset": "none"}), Path()).near is None


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        (["nope"], "clean.filters: unknown filter 'nope'"),
        (["none"], 'filters = ["none"] lists no filter'),
        (3, "clean.filters must be a list of names or tables, not 3"),
        ([{"blank_lines": 1}], "each entry of clean.filters is a name or a table with a name"),
        ([3], "each entry of clean.filters is a name or a table with a name, not 3"),
        (["light", {"name": "whitespace", "blank_lines": -1}], "clean.filters.whitespace.blank_lines = -1"),
        ([{"name": "whitespace", "blank": 1}], "unknown key clean.filters.whitespace.blank"),
        ([{"name": ["a"]}], "clean.filters.name must be a string"),
    ],
)
def test_what_is_wrong_with_a_list_of_filters_is_said(listed: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode(CleanConfig, {"filters": listed}, "clean")
    assert message in caught.value.message


@given(st.lists(TEXTS, min_size=1, max_size=15), SETTINGS)
@example(["one text", "one text"], {"preset": "none"})
@settings(deadline=None, max_examples=25)
def test_in_is_kept_plus_dropped(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], chosen: dict[str, Any]
) -> None:
    root = tmp_path_factory.mktemp("clean")
    (root / "c").mkdir()
    (root / "c" / "a.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    config = decode(CleanConfig, chosen)
    sources, chain = resolve(["c"], root), chain_of(config, root)
    mapped = map_sources(sources, config, chain, root / "mapped", workers=1, progress=Silent(), chunk=100)
    audit = write_corpus([mapped], config, root / "out", Silent())
    kept = [row[0] for row in read_rows(root / "out" / DATA, ["id"], "")]
    dropped = [row[0] for row in read_rows(root / "out" / REJECTED, ["id"], "")]
    blank = [f"c/a.jsonl:{row}" for row, text in enumerate(texts, 1) if not text or text.isspace()]
    assert sorted([*kept, *dropped, *blank]) == sorted(f"c/a.jsonl:{row}" for row in range(1, len(texts) + 1))
    assert audit.documents_in == len(texts) == audit.documents_kept + sum(audit.dropped.values())
    assert (audit.documents_kept, sum(audit.dropped.values())) == (len(kept), len(dropped) + len(blank))
    reasons = [row[0] for row in read_rows(root / "out" / REJECTED, ["reason"], "")]
    assert {reason: reasons.count(reason) for reason in set(reasons) - {"empty"}} == {
        reason: count for reason, count in audit.dropped.items() if reason != "empty"
    }
