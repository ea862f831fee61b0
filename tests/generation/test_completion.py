from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.generation.completion import Completion


class Pieces:
    """A stream decoder whose tokens are places in a list of pieces."""

    def __init__(self, pieces: list[str], rest: str = "") -> None:
        self.pieces, self.rest = pieces, rest

    def push(self, token: int) -> str:
        return self.pieces[token]

    def flush(self) -> str:
        rest, self.rest = self.rest, ""
        return rest


def run(pieces: list[str], stops: list[str], rest: str = "") -> tuple[Completion, list[str]]:
    emitted: list[str] = []
    completion = Completion(Pieces(pieces, rest), stops, emitted.append)
    for token in range(len(pieces)):
        completion.push(token)
        if completion.stopped:
            break
    completion.finish()
    return completion, emitted


@pytest.mark.parametrize(
    ("pieces", "stops", "emitted", "stopped"),
    [
        (["ab", "", "cd"], [], ["ab", "cd"], False),
        (["ab", "cd"], ["cd"], ["ab"], True),
        (["ab", "cd"], ["bc"], ["a"], True),
        (["a", "b", "c", "d"], ["abcd"], [], True),
        (["a", "b", "c", "x"], ["abcd"], ["abcx"], False),
        (["a", "b"], ["bz"], ["a", "b"], False),
        (["aab"], ["ab", "aab"], [], True),
        (["xEND1", "y"], ["END"], ["x"], True),
        (["a\n", "\nb"], ["\n\n"], ["a"], True),
        (["aaa", "b"], ["aab"], ["a"], True),
    ],
)
def test_text_ends_before_the_first_stop_string(
    pieces: list[str], stops: list[str], emitted: list[str], stopped: bool
) -> None:
    completion, found = run(pieces, stops)
    assert (found, completion.stopped) == (emitted, stopped)
    assert completion.text == "".join(emitted)


def test_what_the_decoder_held_back_comes_at_the_end() -> None:
    assert run(["a"], [], rest="\ufffd")[1] == ["a", "\ufffd"]
    assert run(["a"], ["\ufffd"], rest="\ufffd")[1] == ["a"]
    assert run(["a"], ["a"], rest="\ufffd")[1] == []


@settings(deadline=None, max_examples=50)
@given(
    pieces=st.lists(st.text("abc", max_size=4), max_size=12),
    stops=st.lists(st.text("abc", min_size=1, max_size=4), max_size=3),
)
def test_it_is_the_text_cut_at_the_first_stop(pieces: list[str], stops: list[str]) -> None:
    completion, emitted = run(pieces, stops)
    assert "".join(emitted) == completion.text
    # However the text comes in pieces, it is as if each character came alone.
    alone, _ = run(list("".join(pieces)), stops)
    ends = [at for stop in stops if (at := "".join(pieces).find(stop)) >= 0]
    assert completion.stopped == bool(ends)
    assert not any(stop in completion.text for stop in stops)
    if ends and len(set(map(len, stops))) == 1:
        assert completion.text == alone.text == "".join(pieces)[: min(ends)]
    if not ends:
        assert completion.text == "".join(pieces)
