from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.config import decode
from lmcli.corpus.documents import Drop
from lmcli.corpus.filters.quality_repetition import REPEATED, TOP, Repetition, repetitions
from tests.corpus.filters.prose import PROSE

OFF: dict[str, object] = {
    "lines": 1.0,
    "paragraphs": 1.0,
    "line_characters": 1.0,
    "paragraph_characters": 1.0,
    "top": (9.0,) * 3,
    "repeated": (1.0,) * 6,
}


def only(**limits: object) -> Repetition:
    return decode(Repetition, {**OFF, **limits})


def reason(text: str, rules: Repetition = Repetition()) -> str:  # noqa: B008
    result = rules.apply(text)
    if isinstance(result, Drop):
        return result.reason
    assert result == text
    return ""


def numbers(start: int, count: int) -> str:
    """Words of four digits, all different."""
    return " ".join(f"{number:04d}" for number in range(start, start + count))


@pytest.mark.parametrize("text", PROSE.values(), ids=PROSE.keys())
def test_prose_passes(text: str) -> None:
    assert reason(text) == ""


def test_lines() -> None:
    lines = [f"{number} line" for number in range(7)]
    assert reason("\n".join([*lines, *lines[:3]]), only(lines=0.3)) == ""
    assert reason("\n\n".join([*lines, *lines[:3], lines[0]]), only(lines=0.3)) == "repetition.lines"
    assert reason("\n".join([*lines, *(f" {line}" for line in lines)]), only(lines=0.3)) == ""
    assert reason("\n\n\n\n".join(lines), only(lines=0.0)) == ""


def test_paragraphs() -> None:
    parts = [f"{number} of\na paragraph" for number in range(7)]
    assert reason("\n\n".join([*parts, *parts[:3]]), only(paragraphs=0.3)) == ""
    assert reason("\n\n\n".join([*parts, *parts[:4]]) + "\n\n", only(paragraphs=0.3)) == "repetition.paragraphs"
    assert reason("\n".join([*parts, *parts[:4]]), only(paragraphs=0.0)) == ""


def test_characters_in_repeated_lines() -> None:
    text = "x" * 20 + "\n" + "y" * 57 + "\n" + "x" * 20  # 99 characters, 20 of them repeated
    assert reason(text + "\n", only(line_characters=0.2)) == ""
    assert reason(text, only(line_characters=0.2)) == "repetition.line_characters"


def test_characters_in_repeated_paragraphs() -> None:
    text = "x" * 20 + "\n\n" + "y" * 55 + "\n\n" + "x" * 20  # 99 characters, 20 of them repeated
    assert reason(text + "\n", only(paragraph_characters=0.2)) == ""
    assert reason(text, only(paragraph_characters=0.2)) == "repetition.paragraph_characters"


@pytest.mark.parametrize("n", TOP)
def test_the_most_frequent_run(n: int) -> None:
    run = " ".join("abcd"[:n])
    other = [numbers(place, 3) for place in range(0, 30, 3)]
    text = " ".join(f"{run} {words}" for words in other)
    share = 10 * len(run) / len(text)
    limits = [9.0, 9.0, 9.0]
    limits[n - 2] = share
    assert reason(text, only(top=limits)) == ""
    limits[n - 2] = share - 1e-9
    assert reason(text, only(top=limits)) == f"repetition.top_{n}_grams"


@pytest.mark.parametrize("n", REPEATED)
def test_repeated_runs(n: int) -> None:
    run = numbers(0, n)
    text = f"{run} {numbers(100, 30)} {run} {numbers(200, 30)} {run}"
    share = 2 * 4 * n / len(text)
    limits = [1.0] * 6
    limits[n - 5] = share
    assert reason(text, only(repeated=limits)) == ""
    limits[n - 5] = share - 1e-9
    assert reason(text, only(repeated=limits)) == f"repetition.repeated_{n}_grams"


def test_the_published_limits() -> None:
    parts = [f"the cat {numbers(place, 7)} " for place in range(0, 56, 7)]
    assert reason("".join(parts)) == ""
    assert reason("the cat " * 10 + numbers(0, 30)) == "repetition.top_2_grams"
    sentence = "it was the best of times and the worst"  # 9 words, 30 characters of words
    rest = "".join(f"{numbers(place, 9)} " for place in range(0, 27, 9))
    assert reason(f"{sentence} {rest}{sentence} {rest}{sentence}") == "repetition.repeated_5_grams"
    assert reason(f"{sentence} {rest}{sentence} {numbers(50, 40)}") == ""


@pytest.mark.parametrize(("letters", "factor"), [("中", 2), ("あ", 2), ("ก", 4), ("ກ", 4)])
def test_runs_are_longer_in_scripts_without_spaces(letters: str, factor: int) -> None:
    base = 0x4E00 if factor == 2 else ord(letters)
    chance = random.Random(0)

    def other(count: int) -> str:
        return "".join(chance.choices([chr(base + number) for number in range(40)], k=count))

    run = other(5 * factor)
    text = letters * 3 + "".join(run + other(3 * factor) for _ in range(30))
    rules = only(repeated=[0.5] + [1.0] * 5)
    assert reason(text, rules) == "repetition.repeated_5_grams"
    short = letters * 3 + "".join(run[:-1] + other(3 * factor + 1) for _ in range(30))
    assert reason(short, rules) == ""


def test_no_spaces_are_counted_where_there_are_none() -> None:
    text = "你好吗们" * 10 + "".join(map(chr, range(0x5000, 0x5000 + 60)))  # 40 of 100 characters
    assert reason(text, only(top=[0.4, 9.0, 9.0])) == ""
    assert reason(text, only(top=[0.399, 9.0, 9.0])) == "repetition.top_2_grams"


def test_repetitions_leave_out_the_first() -> None:
    assert repetitions([]) == (0, 0)
    assert repetitions(["a", "bb"]) == (0, 0)
    assert repetitions(["a", "bb", "a", "bb", "bb"]) == (3, 5)


@pytest.mark.parametrize("text", ["", "a", "中", "\n", "\n\n\n", " \n \n", "two words.", "no word here comes twice"])
def test_small_texts(text: str) -> None:
    assert reason(text) == ""


@pytest.mark.parametrize("unit", ["a ", "ab cd ", "中", "กข", "."])
def test_nothing_but_one_unit(unit: str) -> None:
    assert reason(unit * 50_000) == "repetition.top_2_grams"
    assert reason(unit * 50_000, only(repeated=[0.15] * 6)) == "repetition.repeated_5_grams"


def naive(text: str, n: int) -> float:
    """Characters in repeated runs of words, as a share of the text, for texts of words between spaces."""
    words, seen, place, total = text.split(), set(), 0, 0
    while place <= len(words) - n:
        run = tuple(words[place : place + n])
        if run in seen:
            total += sum(map(len, run))
            place += n
        else:
            seen.add(run)
            place += 1
    return total / len(text)


@given(st.lists(st.sampled_from(["a", "bb", "ccc"]), min_size=1, max_size=60))
@settings(max_examples=100, deadline=None)
def test_decisions_are_those_of_the_definition(words: list[str]) -> None:
    text = " ".join(words)
    limits = (0.15, 0.14, 0.13, 0.12, 0.11, 0.10)
    expected = next(
        (f"repetition.repeated_{n}_grams" for n, limit in zip(REPEATED, limits, strict=True) if naive(text, n) > limit),
        "",
    )
    assert reason(text, only(repeated=limits)) == expected


@given(st.text(st.sampled_from("ab \n.。中ไ"), max_size=300) | st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_text_has_one_verdict(text: str) -> None:
    assert reason(text) == reason(str(text))
