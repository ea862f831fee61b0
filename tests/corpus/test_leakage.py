from __future__ import annotations

import random
import time

import pytest

from lmcli.corpus.leakage import Leakage, clauses

WORDS = "the of and to in that is was for on with as by at from his her they which one all there".split()


def sentences(count: int, seed: int, words: int = 12) -> list[str]:
    chance = random.Random(seed)
    return [" ".join(chance.choices(WORDS, k=words)) + f" {seed}" for _ in range(count)]


def share(units: list[str], training: list[str]) -> float | None:
    leakage = Leakage(units)
    for text in training:
        leakage.add(leakage.look(text))
    return leakage.share


@pytest.mark.parametrize("between", ["\n", ". "])
def test_near_duplicates_are_found_and_others_not(between: str) -> None:
    units = [between.join(sentences(20, seed)) for seed in range(10)]
    others = [between.join(sentences(20, seed)) for seed in range(100, 140)]
    assert share(units, others) == 0
    edited = [between.join([*sentences(20, 3)[:12], *sentences(8, 99)]), between.join(sentences(20, 4)[5:])]
    assert share(units, [*others, *edited]) == pytest.approx(0.2, abs=0.02)


def test_boilerplate_is_copied_but_no_duplicate() -> None:
    licence = "Permission to use this software for any purpose is granted, without any warranty"
    leakage = Leakage(["\n".join([licence, *sentences(20, seed)]) for seed in range(5)])
    leakage.add(leakage.look("\n".join([licence, *sentences(20, 50)])))
    assert leakage.share == 0
    assert leakage.copied is not None
    assert 0.01 < leakage.copied < 0.1


def test_short_lines_say_nothing() -> None:
    assert share(["a\nb\nimport os\n"], ["a\nb\nimport os\n"]) is None
    assert Leakage([]).share is None
    assert Leakage([]).look("x" * 100) == frozenset()


def test_chinese_clauses_are_shorter() -> None:
    text = "。".join(f"第{number}句话说的是一件很久以前发生的事情" for number in range(40))
    assert len(clauses(text)) == 40
    assert share([text], [text[100:]]) == 1.0
    assert share([text], ["另外的一段文字" * 40]) == 0


def test_time_grows_with_the_text() -> None:
    leakage = Leakage(["\n".join(sentences(100, 1))])
    for sign in ("a", "\n", ". ", "\n. "):
        start = time.process_time()
        leakage.look(sign * 1_000_000)
        assert time.process_time() - start < 2
