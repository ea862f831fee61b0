"""Which tokens go on with the word that the token before them belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lmcli.tokens.tokenizer import Tokenizer
from lmcli.tokens.window_batch import Ids

Flags = npt.NDArray[np.bool_]

INSIDE = "##"
_LONE = re.compile("[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
"""Letters of scripts that put no space between words: each counts as a word."""


@dataclass(frozen=True)
class WordPieces:
    """(vocab,) for each token: whether it begins as the middle of a word may, ends so, and is one in any case."""

    begins: Flags
    ends: Flags
    inside: Flags

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> WordPieces:
        """By WordPiece's ##; elsewhere a word is a run of letters and digits."""
        begins, ends, inside = (np.zeros(tokenizer.vocab_size, dtype=bool) for _ in range(3))
        marked = (tokenizer.document["model"].get("continuing_subword_prefix") or "") == INSIDE
        texts = tokenizer.token_texts
        if marked or texts is None:
            for token, place in tokenizer.backend.get_vocab(with_added_tokens=True).items():
                inside[place] = token.startswith(INSIDE) and token != INSIDE
            return cls(begins, ends, inside)
        for place, text in enumerate(texts):
            begins[place], ends[place] = _joins(text[:4], first=True), _joins(text[-4:], first=False)
            inside[place] = bool(text) and text[0] & 0xC0 == 0x80  # it ends a character that began before it
        return cls(begins, ends, inside)

    def numbers(self, ids: Ids) -> Ids:
        """(t,): 0 for the tokens of the first word of `ids`, 1 for those of the second, and so on."""
        goes_on = self.inside[ids]
        goes_on[1:] |= self.begins[ids[1:]] & self.ends[ids[:-1]]
        goes_on[:1] = True
        return np.cumsum(~goes_on)


def _joins(edge: bytes, first: bool) -> bool:
    """Whether the character at an edge of a token is part of a word that may go on there."""
    text = edge.decode(errors="ignore")
    if not text:  # part of a character; most of those that begin with these bytes are Chinese, Japanese or Korean
        return bool(edge) and not (first and 0xE3 <= edge[0] <= 0xE9)
    sign = text[0] if first else text[-1]
    return sign.isalnum() and not _LONE.match(sign)
