from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.errors import ConfigError
from lmcli.evaluation.gates import Gate, failures, judge, parse

FIGURES = {"bpb": 2.31, "rougeL": 0.25, "rouge1": 0.4, "bleu": 20.0, "perplexity": math.nan, "loss": math.inf}


@pytest.mark.parametrize(
    ("expression", "passed"),
    [
        ("bpb<2.2", False),
        ("bpb<2.4", True),
        ("bpb < 2.4", True),
        ("bpb<=2.31", True),
        ("bpb<2.31", False),
        ("bpb>=2.31", True),
        ("bpb>2.31", False),
        ("bleu==20", True),
        ("bleu==20.0001", False),
        ("bleu>1.9e1", True),
        ("bleu>-1", True),
        ("rouge.rougeL>0.2", True),
        ("bleu.bleu>18", True),
        ("loss<9", False),
        ("loss>9", True),
        ("perplexity<9", False),
        ("perplexity>9", False),
        ("perplexity>=9", False),
        ("perplexity==9", False),
    ],
)
def test_verdicts(expression: str, passed: bool) -> None:
    (verdict,) = judge([parse(expression)], FIGURES)
    assert verdict.passed is passed


@pytest.mark.parametrize(
    "expression",
    ["", "bpb", "<2", "bpb=2", "bpb=<2", "bpb!=2", "bpb<", "bpb<two", "bpb<nan", "bpb<2<3", "a.b.c<1", "bpb<2,2"],
)
def test_what_is_no_assertion_is_said_with_an_example(expression: str) -> None:
    with pytest.raises(ConfigError, match="can't be read") as caught:
        parse(expression)
    assert "bpb<2.2" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        ("bbp<2", "did you mean bpb? this evaluation gives: bpb, rougeL"),
        ("rouge.roug1>1", "did you mean rouge1?"),
        ("bleu.rougeL>1", "this evaluation gives:"),
        ("wer<1", "this evaluation gives: bpb"),
    ],
)
def test_an_unknown_figure_lists_those_there_are(expression: str, hint: str) -> None:
    with pytest.raises(ConfigError, match="no figure") as caught:
        judge([parse(expression)], FIGURES)
    assert hint in str(caught.value.hint)


def test_each_gate_that_failed_is_a_line() -> None:
    failed = failures(["bpb<2.2", "bleu>18", "rougeL>=0.3"], FIGURES)
    assert failed == ["bpb 2.31 is not < 2.2", "rougeL 0.25 is not >= 0.3"]
    assert failures(["bpb<3", "bleu>18"], FIGURES) == []
    assert failures([], FIGURES) == []


def test_a_figure_that_was_stored_as_null_passes_nothing() -> None:
    assert failures(["bpb>0", "bpb<9"], {"bpb": None}) == ["bpb nan is not > 0", "bpb nan is not < 9"]


def test_a_verdict_reads_as_a_sentence() -> None:
    assert str(judge([parse("bleu>18")], FIGURES)[0]) == "bleu 20 is > 18"


def test_rounding_does_not_hide_why_a_gate_failed() -> None:
    (verdict,) = judge([parse("bpb<2.2")], {"bpb": 2.20001})
    assert str(verdict) == "bpb 2.20001 is not < 2.2"


@given(st.sampled_from(["<", "<=", ">", ">=", "=="]), st.floats(allow_nan=False, allow_infinity=False))
@settings(deadline=None, max_examples=50)
def test_every_finite_bound_is_read_exactly(sign: str, bound: float) -> None:
    assert parse(f"bpb {sign} {bound!r}") == Gate("bpb", sign, bound)
