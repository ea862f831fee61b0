from __future__ import annotations

import math
import pickle
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lmcli.config import decode, dump
from lmcli.corpus.config import CleanConfig
from lmcli.corpus.documents import Document, Drop
from lmcli.corpus.filters.quality_perplexity import QualityPerplexity
from lmcli.corpus.recipe import chain_of, model_of
from lmcli.errors import ConfigError


@dataclass(frozen=True)
class Length:
    """As perplexity the number of characters; no figure for a text that is a dash."""

    def __call__(self, text: str) -> float:
        return math.nan if text == "-" else len(text)


def config(**settings: Any) -> CleanConfig:
    return decode(CleanConfig, {"filters": ["whitespace", {"name": "quality.perplexity", "model": "m", **settings}]})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a" * 4, "quality.perplexity_low"),
        ("a" * 5, ""),
        ("a" * 10, ""),
        ("a" * 11, "quality.perplexity_high"),
        ("-", ""),
    ],
)
def test_between_the_bounds_text_stays(text: str, reason: str) -> None:
    chain = pickle.loads(pickle.dumps(chain_of(config(min=5, max=10), Path(), {"perplexity": Length()})))
    outcome = chain.clean(Document("a", text), Counter())
    assert (outcome.drop, outcome.text) == (reason, text)


def test_the_filter_judges_what_the_filters_before_it_left() -> None:
    chain = chain_of(config(max=3), Path(), {"perplexity": Length()})
    assert chain.clean(Document("a", "abc    \n\n"), Counter()).drop == ""


def test_without_a_tool_nothing_is_dropped_and_binding_makes_a_copy() -> None:
    entry = QualityPerplexity(model="m", max=1)
    bound = entry.bound({"perplexity": Length()})
    assert entry.apply("text") == "text"
    assert bound.apply("text") == Drop("quality.perplexity_high")
    assert dump(bound) == dump(entry) == {"model": "m", "max": 1, "min": 0.0}


def test_a_model_must_be_named() -> None:
    settings = decode(CleanConfig, {"filters": ["quality.perplexity"]})
    assert model_of(settings) == ""
    with pytest.raises(ConfigError, match="names no model"):
        chain_of(settings, Path(), {"perplexity": Length()})


def test_which_model_is_asked_for() -> None:
    assert model_of(config()) == "m"
    assert model_of(decode(CleanConfig, {"preset": "light"})) is None


@pytest.mark.parametrize("bounds", [{"min": 5, "max": 5}, {"min": 6, "max": 5}, {"max": 0}, {"min": -1}])
def test_bounds_that_leave_nothing_are_refused(bounds: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"quality.perplexity: min|filters\.quality\.perplexity\.(max|min) = "):
        config(**bounds)
