"""Byte-level BPE by tiktoken: the ids of `tokenizers`, several times as fast, in memory that a long word can't exhaust.

Three things make it fast. tiktoken's buffer becomes an array with no Python number in between. Many texts are encoded
at once, with a character between them that no pattern joins to anything. And the pattern looks at nothing ahead, so
that a finite automaton can run it: `\\s+(?!\\S)` means all of a run of white space but its last character, if something
follows, and a mark set before that character says the same.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tiktoken

from lmcli.tokens.patterns import HAN
from lmcli.tokens.pretokenization import PATTERN, byte_of_character, has_long_whitespace
from lmcli.tokens.tokenizer import Tokenizer

Ids = npt.NDArray[np.uint32]

MARK = "\x1a"
SEPARATOR = "\x1d"
LONG = 1 << 18  # characters: a text of more is encoded word by word, and a word of more is cut

_AHEAD = r"|\s+(?!\S)|\s+"
_NEVER = {"<|never|>": 1 << 31}  # without a special token tiktoken looks for the empty one, at every character

_SPACES = np.zeros(0x3002, dtype=np.bool_)  # what \s is to Rust: White_Space; the last place is all that lies beyond
_SPACES[[*range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]] = True
_ASCII_SPACES = _SPACES[:256].tobytes()
_BLANKS = _SPACES.copy()
_BLANKS[[10, 13]] = False
_FOLLOWING = ~_SPACES
_FOLLOWING[ord(SEPARATOR)] = False  # what follows it is another text

_WINDOW = 1024  # characters of one kind, in which every pattern sees one word
_MARGIN = 8
_TRIES = 4
_ALIKE = re.compile(r"[a-z]+|[A-Z]+|[!-/:-@\[-`{-~]+|[\u4e00-\u9fff]+")


class BytePairs:
    """A tokenizer whose ids are ranks. `reference` encodes what tiktoken's own engine gives up on."""

    def __init__(self, tokenizer: Tokenizer, ranks: dict[bytes, int], reference: Callable[[str], Ids]) -> None:
        pattern = tokenizer.pattern or PATTERN
        self._plain = _encoding(pattern, ranks)
        self._reference = reference
        automatic = pattern.removesuffix(_AHEAD)
        self._marked = None
        if automatic != pattern and "(?!" not in automatic:
            automatic = automatic.replace("[^", rf"[^\x{ord(MARK):02X}\x{ord(SEPARATOR):02X}")
            self._marked = _encoding(rf"{automatic}|\s+|[{MARK}{SEPARATOR}]", ranks)
        self._marked_before = _BLANKS if r"\s*[\r\n]+" in automatic else _SPACES
        self._cuts_han = HAN in pattern
        self._mark, self._separator = ranks[MARK.encode()], ranks[SEPARATOR.encode()]
        self._lengths = np.zeros(max(ranks.values()) + 1, dtype=np.int64)
        for token, rank in ranks.items():
            self._lengths[rank] = len(token)

    def encode(self, text: str) -> Ids:
        """The ids of one text."""
        return np.concatenate(list(self._cut(text))) if len(text) > LONG else self._encode(text)

    def encode_all(self, texts: Sequence[str]) -> tuple[Ids, npt.NDArray[np.int64]]:
        """The ids of all texts, one after the other, and where those of each end."""
        joined = SEPARATOR.join((*texts, ""))
        if self._marked is None or MARK in joined or joined.count(SEPARATOR) > len(texts) or len(joined) > 2 * LONG:
            return joined_ids([self.encode(text) for text in texts])
        found = self._with_marks(joined, self._marked)
        between = found == self._separator
        ends = np.flatnonzero(between) - np.arange(len(texts))
        return found[~between], ends

    def _encode(self, text: str) -> Ids:
        if self._marked is not None and MARK not in text and SEPARATOR not in text:
            return self._with_marks(text, self._marked)
        if has_long_whitespace(text):  # an engine that looks ahead gives up on some 100,000 of them
            return self._reference(text)
        return _ids(self._plain, text)

    def _with_marks(self, text: str, encoding: tiktoken.Encoding) -> Ids:
        """The ids of a text that has no MARK.

        A mark goes before the last of several white-space characters if something follows. Where line ends have an
        alternative of their own, which takes them first, none goes before a line end.
        """
        name, width = ("ascii", np.uint8) if text.isascii() else ("utf-32-le", np.uint32)
        data = text.encode(name)
        codes: npt.NDArray[Any] = np.frombuffer(data, dtype=width)
        known = codes if width is np.uint8 else np.minimum(codes, len(_SPACES) - 1)
        spaces = np.frombuffer(data.translate(_ASCII_SPACES), dtype=np.bool_) if width is np.uint8 else _SPACES[known]
        places = np.flatnonzero(spaces[:-2] & spaces[1:-1]) + 1
        places = places[self._marked_before[known[places]] & _FOLLOWING[known[places + 1]]]
        if not len(places):
            return _ids(encoding, text)
        found = _ids(encoding, str(np.insert(codes, places, ord(MARK)).tobytes(), name))
        kept: Ids = found[found != self._mark]
        return kept

    def _cut(self, text: str) -> Iterator[Ids]:
        """The ids of a long text part by part.

        A word may be cut between two tokens that stood beside each other when more of it was encoded, if the second
        begins the rest as well. No merge crosses the cut: the first that did would join ends of these two tokens, whose
        merges are those of the two alone, where none crosses.
        """
        ends = [*self._cuts(text), len(text)]
        start, found = 0, self._encode(text[: ends[0]])
        for end, following in itertools.pairwise(ends):
            for count, place in self._between_tokens(text, end, found):
                rest = self._encode(text[place:following])
                if rest[0] == found[count]:
                    yield found[:count]
                    start, found = place, rest
                    break
            else:
                found = self._encode(text[start:following])
        yield found

    def _cuts(self, text: str) -> Iterator[int]:
        """Ends of runs of _WINDOW characters of one kind, about one for each LONG characters."""
        place = LONG
        while place + _WINDOW < len(text):
            alike = _ALIKE.fullmatch(text, place, place + _WINDOW)
            if alike and not (self._cuts_han and text[place] > "\x7f"):
                yield place + _WINDOW
                place += LONG
            else:
                place += _WINDOW

    def _between_tokens(self, text: str, end: int, found: Ids) -> Iterator[tuple[int, int]]:
        """Places between tokens in the run that ends at `end`, where `found` ends too: tokens and characters before it.

        The characters of the run have the same number of bytes. A margin makes sure that what is left and what is right
        of the place still is one word, or part of one, to the pattern.
        """
        width = len(text[end - 1].encode())
        back = np.cumsum(self._lengths[found[-_WINDOW * width :]][::-1])
        inside = (back % width == 0) & (back >= _MARGIN * width) & (back <= (_WINDOW - _MARGIN) * width)
        for place in np.flatnonzero(inside)[:_TRIES]:
            yield len(found) - 1 - int(place), end - int(back[place]) // width


def joined_ids(found: Sequence[Ids]) -> tuple[Ids, npt.NDArray[np.int64]]:
    """The ids of some texts, one after the other, and where those of each end."""
    ends = np.cumsum([len(ids) for ids in found], dtype=np.int64)
    return np.concatenate(found) if found else np.empty(0, dtype=np.uint32), ends


def _encoding(pattern: str, ranks: dict[bytes, int]) -> tiktoken.Encoding:
    return tiktoken.Encoding("corpus", pat_str=pattern, mergeable_ranks=ranks, special_tokens=_NEVER)


def _ids(encoding: tiktoken.Encoding, text: str) -> Ids:
    found: Ids = encoding.encode_to_numpy(text, disallowed_special=())
    return found


def ranks_of(tokenizer: Tokenizer) -> dict[bytes, int] | None:
    """The id of each token of a byte-level BPE by its bytes, if the ids say in which order tokens were merged.

    tiktoken joins neighbours whenever the result is a token, the smallest id first; BPE joins only the pairs that it
    learned, in that order. Both do the same if each token above the bytes was made by its own pair, in the order of the
    ids: what lies between two places that are never joined evolves as it would alone, so a token can't arise in two
    ways. Tokens that no pair makes, such as special ones, are never made from text.
    """
    model, table = tokenizer.document["model"], byte_of_character()
    vocab: dict[str, int] = model["vocab"]
    merges = (merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"])
    made = ["".join(pair) for pair in merges]
    ids = [vocab[token] for token in made]
    if any(later <= earlier for earlier, later in itertools.pairwise(ids)):
        return None
    if any(sign not in table for token in made for sign in token):
        return None
    return {bytes(table[sign] for sign in token): vocab[token] for token in (*table, *made)}
