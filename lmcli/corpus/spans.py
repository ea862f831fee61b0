"""The tokens of a text as arrays, for rules that count: ten times as fast as a list of strings.

The tokens are those of `words.tokens`, in the same order; a test compares the two on any text.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lmcli.corpus.words import PUNCTUATION, SPACELESS

Codes = npt.NDArray[np.uint8] | npt.NDArray[np.uint32]
Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Hashes = npt.NDArray[np.uint64]

# What a character is, in bits.
_INSIDE = 1  # part of a word that may have more characters
_SPACELESS = 2  # a word of its own
_MARK = 4  # a token of its own, but no word
_JOINER = 8  # a mark that belongs to the word around it
_LETTER = 16

_KNOWN = 0x32000  # code points from here on are like this one: no letters, no space, no punctuation
_BASE = 0xD6E8FEB86659FD93  # odd, so that it has an inverse modulo 2^64
_BLOCK = 1 << 15  # characters hashed at a time, with one table of powers
_LONG = 1 << 10  # characters of a word that are hashed as part of a block


@dataclass(frozen=True, eq=False)
class Spans:
    """Token i is text[starts[i] : starts[i] + lengths[i]]; all arrays are (tokens,).

    `is_word` leaves out punctuation; `is_character` are the words that are one character of a script without spaces;
    `has_letter` tells words with a letter (or, in those scripts, a vowel or tone mark) from numbers. Equal tokens have
    equal `hashes`, which mean nothing beyond this process. `is_spaceless` is that of `words`.
    """

    starts: Places
    lengths: Places
    is_word: Flags
    is_character: Flags
    has_letter: Flags
    is_spaceless: bool
    codes: Codes
    """(characters,) the code points of the text."""

    @functools.cached_property
    def hashes(self) -> Hashes:
        """(tokens,) made when they are asked for: rules that only count have dropped many texts by then."""
        return _hashes(self.codes, self.starts, self.starts + self.lengths)

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def words(self) -> int:
        """The number of tokens that are words."""
        return int(np.count_nonzero(self.is_word))


@functools.lru_cache(maxsize=2)
def spans(text: str) -> Spans:
    """The tokens of a text. The last texts are remembered, for one filter after the other asks."""
    codes: Codes
    if text.isascii():
        codes = np.frombuffer(text.encode("ascii"), dtype=np.uint8)
        kinds = _kinds(128).take(codes)
    else:
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        kinds = _kinds(_KNOWN + 1).take(np.minimum(codes, _KNOWN))
    starts, ends = _edges(kinds)
    first = kinds.take(starts)
    lengths = ends - starts
    is_word = (first & (_INSIDE | _SPACELESS)) != 0
    is_character = (first & _SPACELESS) != 0
    return Spans(
        starts=starts,
        lengths=lengths,
        is_word=is_word,
        is_character=is_character,
        has_letter=_with_letter(kinds, starts, ends),
        is_spaceless=int(np.count_nonzero(is_character)) > 0.5 * int(np.dot(lengths, is_word)),
        codes=codes,
    )


def hash_of(word: str) -> int | None:
    """The hash of a token, or None for what is no single token."""
    found = spans(word)
    return int(found.hashes[0]) if len(found) == 1 and found.lengths[0] == len(word) else None


def _edges(kinds: npt.NDArray[np.uint8]) -> tuple[Places, Places]:
    """Where tokens start, and the places after their ends."""
    count = len(kinds)
    inside = np.zeros(count + 2, dtype=bool)  # with a place before the text and one behind it
    np.not_equal(kinds & _INSIDE, 0, out=inside[1:-1])
    single = (kinds & (_SPACELESS | _MARK)) != 0
    joiners = np.flatnonzero(kinds & _JOINER)
    if len(joiners):
        joined = joiners[inside[joiners] & inside[joiners + 2]]
        single[joined] = False
        inside[joined + 1] = True
    outside = ~inside
    starts = np.flatnonzero(single | (inside[1:-1] & outside[:-2]))
    ends = np.flatnonzero(single | (inside[1:-1] & outside[2:])) + 1
    return starts, ends


def _with_letter(kinds: npt.NDArray[np.uint8], starts: Places, ends: Places) -> Flags:
    letters = np.zeros(len(kinds) + 1, dtype=np.int32)
    np.cumsum(kinds >= _LETTER, out=letters[1:])
    return letters.take(ends) > letters.take(starts)


def _hashes(codes: Codes, starts: Places, ends: Places) -> Hashes:
    """(tokens,) the polynomial of each token's characters in `_BASE` modulo 2^64.

    It is a difference of two prefix sums over the block where the token starts, divided by the power at its start. Of
    tokens longer than `_LONG`, which are few, the prefixes are hashed in the same way and the rest after them.
    """
    found = np.empty(len(starts), dtype=np.uint64)
    for block in range(0, len(codes), _BLOCK):
        first, last = starts.searchsorted([block, block + _BLOCK]) if len(codes) > _BLOCK else (0, len(starts))
        sums = _sums(codes[block : block + _BLOCK + _LONG])
        begin = starts[first:last] - block
        end = np.minimum(ends[first:last] - block, begin + _LONG)
        found[first:last] = (sums.take(end) - sums.take(begin)) * _powers(_BLOCK + _LONG)[1].take(begin)
    for token in np.flatnonzero(ends - starts > _LONG).tolist():
        found[token] = _long_hash(codes[starts[token] : ends[token]])
    return found


def _sums(codes: Codes) -> Hashes:
    sums = np.zeros(len(codes) + 1, dtype=np.uint64)
    terms = codes.astype(np.uint64)
    terms += np.uint64(1)  # so that characters of code 0 count
    terms *= _powers(_BLOCK + _LONG)[0][: len(codes)]
    np.cumsum(terms, out=sums[1:])
    return sums


def _long_hash(codes: Codes) -> np.uint64:
    import xxhash

    return np.uint64(xxhash.xxh3_64_intdigest(codes.astype("<u4").tobytes()))


@functools.cache
def _powers(count: int) -> tuple[Hashes, Hashes]:
    """The powers of `_BASE` and of its inverse, for every place in a block."""
    both = []
    for base in (_BASE, pow(_BASE, -1, 1 << 64)):
        steps = np.full(count, base, dtype=np.uint64)
        steps[0] = 1
        both.append(np.multiply.accumulate(steps))
    return both[0], both[1]


@functools.cache
def _kinds(count: int) -> npt.NDArray[np.uint8]:
    """(count,) what each of the first code points is."""
    characters = "".join(map(chr, range(count)))
    kinds = np.full(count, _INSIDE, dtype=np.uint8)
    for pattern, kind in ((r"\s", 0), (f"[{PUNCTUATION}]", _MARK), (f"[{SPACELESS}]", _SPACELESS)):
        for match in re.finditer(f"{pattern}+", characters):
            kinds[match.start() : match.end()] = kind
    for joiner in "'-’":
        if ord(joiner) < count:
            kinds[ord(joiner)] |= _JOINER
    for match in re.finditer(rf"[^\W\d_]+|[{SPACELESS}]+", characters):
        letters = [_is_letter(character) for character in match[0]]
        kinds[match.start() : match.end()] |= np.where(letters, np.uint8(_LETTER), np.uint8(0))
    return kinds


def _is_letter(character: str) -> bool:
    """A letter, or in scripts without spaces a vowel or tone mark, or the Chinese zero (a number to Unicode)."""
    if character.isalpha():
        return True
    return unicodedata.category(character)[0] == "M" or character == "〇"
