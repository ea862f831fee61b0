from __future__ import annotations

import time

import pytest

from lmcli.corpus.marks import count_sentences

SENTENCES = [
    ("", 0),
    (" \t", 0),
    ("No full stop", 1),
    ("One.", 1),
    ("One. Two! Three?", 3),
    ("One. Two", 2),
    ("Version 3.11 of example.com is here.", 1),
    ("Wait... what?! Really.", 3),
    ('He said "no." Then he left.', 2),
    ("(One.) (Two.)", 2),
    ("一。二！三？", 3),
    ("一。二", 2),
    ("他说：“好。”然后走了。", 2),
    ("「はい。」と言った。", 2),
    ("यह एक वाक्य है। यह दूसरा है।", 2),
    ("هل هذا سؤال؟ نعم.", 2),
    ("ពាក្យ។ពាក្យ។", 2),
    ("...", 1),
]


@pytest.mark.parametrize(("line", "count"), SENTENCES)
def test_sentences_in_a_line(line: str, count: int) -> None:
    assert count_sentences(line) == count


@pytest.mark.parametrize("unit", [".", ".'", '."', "。", ".a", "。」", ". ", "a.\u3000"])
def test_time_is_linear(unit: str) -> None:
    text = "a" + unit * 100_000 + "b"
    start = time.process_time()
    count_sentences(text)
    assert time.process_time() - start < 1
