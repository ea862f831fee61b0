"""Recognising a legacy encoding, but only where the text can be nothing else."""

from __future__ import annotations

import itertools
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from charset_normalizer import CharsetMatch

SAMPLE = 1 << 16  # bytes

# Two-byte encodings have a structure that other text breaks soon.
_DOUBLE_BYTE = {
    "gb18030", "gbk", "gb2312", "big5", "big5hkscs", "cp950", "cp932", "shift_jis", "shift_jis_2004", "shift_jisx0213",
    "euc_jp", "euc_jis_2004", "euc_jisx0213", "cp949", "euc_kr", "johab",
}  # fmt: skip

# In encodings of one byte every sequence is valid. Those of Latin letters differ in a few letters only, and no sample
# tells them apart; another script shows in its letter frequencies.
_SINGLE_BYTE = {"cp1251", "koi8_r", "cp1253", "cp874", "cp1255", "cp1256"}

_SUPERSETS = {"gbk": "gb18030", "gb2312": "gb18030", "euc_kr": "cp949"}

_NOISE = 0.02  # charset-normalizer's "chaos" of text that is beyond suspicion
_COHERENCE = 0.3  # how well letter frequencies must fit a language
_ENOUGH = 10  # characters beyond ASCII; fewer prove nothing


def certain_charset(head: bytes, invalid_at: int) -> str | None:
    """The encoding of a file that isn't UTF-8 from `invalid_at` on, or None unless it is beyond doubt."""
    from charset_normalizer import from_bytes

    sample = _sample(head, invalid_at)
    if _is_damaged_utf8(sample):
        return None
    matches = list(from_bytes(sample, cp_exclusion=["utf_8", "utf_7", "utf_16", "utf_32"]))
    if not matches:
        return None
    best, others = matches[0], matches[1:]
    sure = _sure_double_byte if best.encoding in _DOUBLE_BYTE else _sure_single_byte
    if best.chaos > _NOISE or not sure(best, others):
        return None
    return _SUPERSETS.get(best.encoding, best.encoding)


def _sample(head: bytes, invalid_at: int) -> bytes:
    """Whole lines from the first bad one on, if there are any: no character is cut in two."""
    start = head.rfind(b"\n", 0, invalid_at) + 1
    sample = head[start : start + SAMPLE]
    end = sample.rfind(b"\n") + 1
    return sample[:end] if end else sample


def _is_damaged_utf8(sample: bytes) -> bool:
    """More good multi-byte sequences than bad bytes: UTF-8 with something broken in it, and nothing else."""
    text = sample.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    return sum(character > "\x7f" for character in text) - bad >= bad


def _sure_double_byte(best: CharsetMatch, others: list[CharsetMatch]) -> bool:
    text = str(best)
    high = [index for index, character in enumerate(text) if character > "\x7f"]
    neighbours = sum(right - left == 1 for left, right in itertools.pairwise(high))
    rivals = [match for match in others if match.encoding in _DOUBLE_BYTE and match.chaos <= _NOISE]
    # Accented letters between plain ones can pass for two-byte characters, but then these stand alone.
    return len(high) >= _ENOUGH and neighbours >= len(high) / 2 and all(str(match) == text for match in rivals)


def _sure_single_byte(best: CharsetMatch, others: list[CharsetMatch]) -> bool:
    text = str(best)
    letters = [character for character in text if character > "\x7f" and character.isalpha()]
    foreign = sum(not unicodedata.name(letter, "").startswith("LATIN") for letter in letters)
    rivals = [match for match in others if match.chaos <= _NOISE]
    return (
        best.encoding in _SINGLE_BYTE
        and best.coherence >= _COHERENCE
        and len(letters) >= _ENOUGH
        and foreign > 0.9 * len(letters)
        and all(str(match) == text for match in rivals)
    )
