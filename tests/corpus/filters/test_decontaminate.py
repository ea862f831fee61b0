from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.corpus.contamination import Evaluations, KnownRuns, known_runs, located, ngrams_of, runs_within
from lmcli.corpus.documents import Drop
from lmcli.corpus.filters.decontaminate import Decontaminate
from lmcli.corpus.ngrams import hashes, ngrams
from lmcli.errors import ConfigError, InputError
from tests.conftest import Lmcli
from tests.corpus.conftest import WriteFile
from tests.corpus.filters.test_linear_time import UNITS

CONTAMINATED = Drop("contaminated")
QUESTION = "Which of the four planets beyond the belt has the most moons, and how many were known in 1999?"  # 19 words
CHINESE = "太阳系的八大行星之中哪一颗拥有最多的卫星以及人们在上个世纪末知道多少颗卫星呢"  # 38 characters


def numbered(start: int, count: int) -> str:
    return " ".join(f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(start, start + count))


@pytest.fixture
def against(tmp_path: Path, write_file: WriteFile) -> Any:
    """The filter for a file with this content."""

    def make(content: str, name: str = "eval.txt", **given: Any) -> Decontaminate:
        write_file(name, content)
        return Decontaminate(files=(name,), **given).rooted(tmp_path)

    return make


@pytest.mark.parametrize(
    "document",
    [
        QUESTION,
        f"A page before it. {QUESTION} And a page behind it.",
        QUESTION.upper().replace(",", " -").replace("1999", "2001"),
        " ".join(QUESTION.split()[:13]),
        " ".join(QUESTION.split()[-13:]),
    ],
)
def test_a_run_in_common_is_enough(against: Any, document: str) -> None:
    assert against(QUESTION).apply(document) == CONTAMINATED


@pytest.mark.parametrize(
    "document",
    [
        "",
        "w",
        " ".join(QUESTION.split()[:12]),
        " ".join([*QUESTION.split()[:12], "other", *QUESTION.split()[13:]]),
        " ".join(sorted(QUESTION.split())),
        " ".join(reversed(QUESTION.split())),
    ],
)
def test_near_misses_stay(against: Any, document: str) -> None:
    assert against(QUESTION).apply(document) == document


def test_the_length_of_a_run_is_a_setting(against: Any) -> None:
    document = f"x {' '.join(QUESTION.split()[3:11])} y"  # 8 words
    assert against(QUESTION).apply(document) == document
    assert against(QUESTION, n=9).apply(document) == document
    assert against(QUESTION, n=8).apply(document) == CONTAMINATED


def test_so_many_different_runs(against: Any) -> None:
    document = numbered(0, 15)  # three runs of 13 words in common
    evaluation = numbered(0, 40)
    assert against(evaluation, min_matches=3).apply(document) == CONTAMINATED
    assert against(evaluation, min_matches=4).apply(document) == document
    again = "\n. x ".join([numbered(0, 13)] * 5)
    assert against(evaluation, min_matches=2).apply(again) == again


def test_scripts_without_spaces_are_compared_by_characters(against: Any) -> None:
    entry = against(CHINESE)
    assert entry.apply(f"你好。{CHINESE[5:31]}！") == CONTAMINATED
    assert entry.apply(CHINESE[5:30]) == CHINESE[5:30]
    shorter = against(CHINESE, n_characters=25)
    assert shorter.apply(CHINESE[5:30]) == CONTAMINATED
    assert against(QUESTION).apply(f"{CHINESE} {QUESTION}") == CONTAMINATED


@pytest.mark.parametrize(
    ("evaluation", "found", "near"),
    [
        ("the capital of France is", "They say the capital, of FRANCE, is big.", "the capital of Spain is"),
        ("eleven red birds sat on it", "x eleven red birds sat on it x", "eleven red birds sat on"),
        (CHINESE[:10], f"哦{CHINESE[:12]}", CHINESE[:9]),
    ],
)
def test_short_texts_count_as_a_whole(against: Any, evaluation: str, found: str, near: str) -> None:
    assert against(evaluation).apply(found) == CONTAMINATED
    assert against(evaluation).apply(near) == near


@pytest.mark.parametrize("evaluation", ["only four words here", CHINESE[:9], "!", "."])
def test_shorter_ones_count_for_nothing(against: Any, evaluation: str) -> None:
    text = f"a {evaluation} b"
    assert against(evaluation).apply(text) == text


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "x", "completion": QUESTION},
        {"prompt": QUESTION, "completion": "y"},
        {"prompt": QUESTION[:50], "completion": QUESTION[50:]},
        {"text": QUESTION, "label": 1},
        {"question": QUESTION, "choices": ["a", "b"], "answer": 1},
        {"id": 7, "problem": "x", "options": ["none", QUESTION]},
        {"messages": [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": "y"}]},
    ],
)
def test_rows_of_evaluation_sets(against: Any, row: dict[str, Any]) -> None:
    entry = against(json.dumps(row) + "\n", "eval.jsonl")
    assert entry.apply(f"A page. {QUESTION} More.") == CONTAMINATED
    assert entry.apply("A page about the four planets beyond the belt.") != CONTAMINATED


def test_formats_folders_and_a_key(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("evals/a.csv", f"answer,query\nyes,{QUESTION.replace(',', '')}\n")
    write_file("evals/b.md", f"# Title\n\n{numbered(0, 13)}\n")
    entry = Decontaminate(files=("evals",)).rooted(tmp_path)
    assert [entry.apply(text) for text in (QUESTION, numbered(0, 13))] == [CONTAMINATED] * 2
    only = Decontaminate(files=("evals/*.csv",), text_key="answer").rooted(tmp_path)
    assert only.apply(QUESTION) == QUESTION
    write_file("evals/bad.jsonl", '{"text": "x"}\n{"score": 1, "ok": true}\n')
    with pytest.raises(
        InputError, match=r"decontaminate: evals/bad\.jsonl:2: no text under a known key \(keys: score, ok\)"
    ):
        Decontaminate(files=("evals/bad.jsonl",)).rooted(tmp_path).apply("x")


def test_files_are_named_and_there(tmp_path: Path) -> None:
    assert Decontaminate().apply("x") == "x"
    with pytest.raises(ConfigError, match="decontaminate names no evaluation files"):
        Decontaminate().rooted(tmp_path)
    with pytest.raises(InputError, match=r"there is no gone\.txt"):
        Decontaminate(files=("gone.txt",)).rooted(tmp_path)
    assert Decontaminate(files=("a", "b")).inputs == ("a", "b")


def test_it_reaches_workers_and_sees_new_content(against: Any, tmp_path: Path) -> None:
    entry = pickle.loads(pickle.dumps(against(QUESTION)))
    assert entry.apply(QUESTION) == CONTAMINATED
    path = tmp_path / "eval.txt"
    before = path.stat()
    path.write_text(QUESTION[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert entry.rooted(tmp_path).apply(QUESTION) == QUESTION


@given(st.lists(st.sampled_from("abc"), max_size=40), st.sets(st.integers(1, 9), min_size=1))
@settings(deadline=None, max_examples=50)
def test_runs_of_many_lengths_in_one_go(words: list[str], lengths: set[int]) -> None:
    numbers = hashes(words)
    for length, runs in ngrams_of(numbers, sorted(lengths)):
        assert np.array_equal(runs, ngrams(numbers, length))


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=4, max_size=9), min_size=1, max_size=5), st.integers(1, 4))
@settings(deadline=None, max_examples=50)
def test_no_run_goes_on_in_the_next_text(texts: list[list[str]], length: int) -> None:
    each = [ngrams(hashes(words), length) for words in texts]
    assert np.array_equal(runs_within([hashes(words) for words in texts], length), np.concatenate(each))


@given(st.lists(st.sampled_from("abcd"), max_size=60), st.lists(st.sampled_from("abcd"), max_size=60))
@settings(deadline=None, max_examples=100)
def test_matches_are_those_of_sets(evaluation: list[str], document: list[str]) -> None:
    known = KnownRuns({3: ngrams(hashes(evaluation), 3)})
    runs = [{tuple(words[n : n + 3]) for n in range(len(words) - 2)} for words in (evaluation, document)]
    assert known.matches(" ".join(document)) == len(runs[0] & runs[1])


@given(st.text(alphabet=st.characters(exclude_categories=())))
@settings(deadline=None, max_examples=50)
def test_no_text_is_too_odd(text: str) -> None:
    assert KnownRuns({13: ngrams(hashes(QUESTION.lower().split()), 13)}).matches(text) == 0


@pytest.mark.parametrize("unit", [*UNITS.values(), "w ", "你"])
def test_a_long_text_has_no_match(against: Any, unit: str) -> None:
    text = unit * (300_000 // len(unit))
    assert against(QUESTION + "\n" + CHINESE).apply(text) == text


def test_the_set_is_read_once(against: Any) -> None:
    evaluations = against(QUESTION)._evaluations
    assert known_runs(evaluations) is known_runs(located(Evaluations(evaluations.files, evaluations.root)))


def project(folder: Path) -> None:
    (folder / "corpus").mkdir()
    (folder / "corpus" / "a.txt").write_text(f"A clean page about planets. {numbered(0, 30)}")
    (folder / "corpus" / "b.txt").write_text(f"A copied page. {QUESTION}")
    (folder / "eval.jsonl").write_text(json.dumps({"prompt": QUESTION, "completion": "Jupiter"}) + "\n")
    table = '[clean]\nfilters = ["unicode", {name = "decontaminate", files = ["eval.jsonl"]}]\n'
    (folder / "lmcli.toml").write_text(f'[project]\ninputs = ["corpus"]\n\n{table}')


def test_clean_drops_what_the_evaluation_has(lmcli: Lmcli, folder: Path) -> None:
    project(folder)
    found = lmcli("clean", "--workers", 1, "--json")
    assert found.code == 0, found.err
    assert found.json["artifacts"][0]["report"]["dropped"] == {"contaminated": 1}
    assert lmcli("clean", "--json").json["artifacts"][0]["made"] is False
    (folder / "eval.jsonl").write_text(json.dumps({"prompt": numbered(5, 20), "completion": "Jupiter"}) + "\n")
    assert "input filters changed (eval.jsonl)" in lmcli("status").out
    again = lmcli("clean", "--workers", 2, "--json").json["artifacts"][0]
    assert again["made"]
    assert again["report"]["dropped"] == {"contaminated": 1}
    shown = lmcli("show", "clean", "--rejected", "contaminated", "--json").json
    assert [row["id"] for row in shown["documents"]] == ["corpus/a.txt"]


def test_clean_says_what_is_wrong_with_the_evaluation(lmcli: Lmcli, folder: Path) -> None:
    project(folder)
    (folder / "eval.jsonl").write_text('{"score": 1}\n')
    for workers in (1, 2):
        ran = lmcli("clean", "--workers", workers)
        assert ran.code == 3
        assert "decontaminate: eval.jsonl:1: no text under" in ran.err
    (folder / "eval.jsonl").unlink()
    ran = lmcli("clean")
    assert (ran.code, "there is no eval.jsonl" in ran.err) == (3, True)
