"""The fastest way to encode a corpus that gives the same ids as the `tokenizers` library."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tiktoken

from lmcli.tokens.pretokenization import PATTERN, byte_of_character, has_long_whitespace
from lmcli.tokens.special import UNKNOWN
from lmcli.tokens.tokenizer import Tokenizer, guard

Ids = npt.NDArray[np.uint32]

SAMPLE_CHARACTERS = 1_000_000


@dataclass(frozen=True)
class Encoder:
    """`encode` gives the ids of a text, may be called from many threads, and lets them run at the same time."""

    name: str
    encode: Callable[[str], Ids]


def choose(tokenizer: Tokenizer, texts: Sequence[str], seed: int = 0) -> Encoder:
    """The fast encoder for this tokenizer if it agrees with `tokenizers` on a sample of `texts`, else `tokenizers`."""
    reference = Encoder("tokenizers", _reference(tokenizer))
    fast = _fast(tokenizer, reference)
    return fast if fast is not None and agree(fast, reference, _sample(texts, seed)) else reference


def agree(fast: Encoder, reference: Encoder, texts: Sequence[str]) -> bool:
    """Whether both give the same ids for every text."""
    return all(np.array_equal(fast.encode(text), reference.encode(text)) for text in texts)


def _sample(texts: Sequence[str], seed: int) -> list[str]:
    """About a million characters of `texts`, from everywhere in them."""
    total = sum(map(len, texts))
    share = min(1.0, SAMPLE_CHARACTERS / max(1, total))
    chance = random.Random(seed)
    return [text for text in texts if chance.random() < share]


def _fast(tokenizer: Tokenizer, reference: Encoder) -> Encoder | None:
    if tokenizer.unit == "characters":
        return Encoder("table", _table(tokenizer))
    if tokenizer.unit == "bytes" and _ids_are_ranks(tokenizer):
        return Encoder("tiktoken", _tiktoken(tokenizer, reference))
    return None


def _reference(tokenizer: Tokenizer) -> Callable[[str], Ids]:
    def encode(text: str) -> Ids:
        with guard(tokenizer.path):
            parts = [np.array(tokenizer.encode_part(part), dtype=np.uint32) for part in tokenizer.parts(text)]
        return np.concatenate(parts)

    return encode


def _table(tokenizer: Tokenizer) -> Callable[[str], Ids]:
    """A lookup of each code point."""
    vocab: dict[str, int] = tokenizer.document["model"]["vocab"]
    ids = np.full(0x110000, vocab[UNKNOWN], dtype=np.uint32)
    for character, place in vocab.items():
        ids[ord(character)] = place

    def encode(text: str) -> Ids:
        found: Ids = ids[np.frombuffer(text.encode("utf-32-le"), dtype="<u4")]
        return found

    return encode


def _ids_are_ranks(tokenizer: Tokenizer) -> bool:
    """Whether a token's id says when it was merged.

    tiktoken joins neighbours whenever the result is a token, the smallest id first; BPE joins only the pairs that it
    learned, in that order. Both do the same if each id above the bytes was made by its own pair, in the order of the
    ids: what lies between two places that are never joined evolves as it would alone, so a token can't arise in two
    ways.
    """
    model = tokenizer.document["model"]
    merges = (merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"])
    made = ["".join(pair) for pair in merges]
    vocab: dict[str, int] = model["vocab"]
    return [vocab[token] for token in made] == list(range(256, len(vocab)))


def _tiktoken(tokenizer: Tokenizer, reference: Encoder) -> Callable[[str], Ids]:
    table = byte_of_character()
    vocab: dict[str, int] = tokenizer.document["model"]["vocab"]
    ranks = {bytes(table[sign] for sign in token): place for token, place in vocab.items()}
    native = tiktoken.Encoding("corpus", pat_str=tokenizer.pattern or PATTERN, mergeable_ranks=ranks, special_tokens={})

    def encode(text: str) -> Ids:
        if has_long_whitespace(text):  # its regex engine gives up on some 100,000 characters of white space
            return reference.encode(text)
        return np.array(native.encode_ordinary(text), dtype=np.uint32)

    return encode
