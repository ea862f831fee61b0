"""The fastest way to encode a corpus that gives the same ids as the `tokenizers` library."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lmcli.tokens.byte_pairs import BytePairs, Ids, joined_ids, ranks_of
from lmcli.tokens.special import UNKNOWN
from lmcli.tokens.tokenizer import Tokenizer, guard

Ends = npt.NDArray[np.int64]

SAMPLES = 64
SAMPLE_CHARACTERS = 4_000


@dataclass(frozen=True)
class Encoder:
    """`encode` gives the ids of a text, may be called from many threads, and lets them run at the same time.

    `together` gives those of several texts at once, one after the other, and where those of each end.
    """

    name: str
    encode: Callable[[str], Ids]
    together: Callable[[Sequence[str]], tuple[Ids, Ends]] | None = None

    def encode_all(self, texts: Sequence[str]) -> tuple[Ids, Ends]:
        """(tokens,) ids of all texts, one after the other, and (texts,) where those of each end."""
        return self.together(texts) if self.together else joined_ids([self.encode(text) for text in texts])


def choose(tokenizer: Tokenizer, texts: Sequence[str]) -> Encoder:
    """The fast encoder for this tokenizer if it agrees with `tokenizers` on a sample of `texts`, else `tokenizers`."""
    reference = _reference(tokenizer)
    fast = _fast(tokenizer, reference)
    return fast if fast is not None and agree(fast, reference, list(_sample(texts))) else reference


def agree(fast: Encoder, reference: Encoder, texts: Sequence[str]) -> bool:
    """Whether both give the same ids for every text."""
    (ids, ends), (other_ids, other_ends) = fast.encode_all(texts), reference.encode_all(texts)
    return np.array_equal(ids, other_ids) and np.array_equal(ends, other_ends)


def _sample(texts: Sequence[str]) -> Iterator[str]:
    """A quarter of a million characters from everywhere in `texts`."""
    step = max(1, sum(map(len, texts)) // SAMPLES)
    wanted = passed = 0
    for text in texts:
        while wanted < passed + len(text):
            yield text[wanted - passed : wanted - passed + SAMPLE_CHARACTERS]
            wanted += step
        passed += len(text)


def _fast(tokenizer: Tokenizer, reference: Encoder) -> Encoder | None:
    if tokenizer.unit == "characters":
        return _table(tokenizer)
    ranks = ranks_of(tokenizer) if tokenizer.unit == "bytes" else None
    if ranks is None:
        return None
    byte_pairs = BytePairs(tokenizer, ranks, reference.encode)
    return Encoder("tiktoken", byte_pairs.encode, byte_pairs.encode_all)


def _reference(tokenizer: Tokenizer) -> Encoder:
    def together(texts: Sequence[str]) -> tuple[Ids, Ends]:
        parts = [list(tokenizer.parts(text)) for text in texts]
        with guard(tokenizer.path):
            found = tokenizer.backend.encode_batch_fast(
                [part for cut in parts for part in cut], add_special_tokens=False
            )
            ids, ends = joined_ids([np.array(encoding.ids, dtype=np.uint32) for encoding in found])
        return ids, np.append(0, ends)[np.cumsum([len(cut) for cut in parts], dtype=np.int64)]

    return Encoder("tokenizers", lambda text: together([text])[0], together)


def _table(tokenizer: Tokenizer) -> Encoder:
    """A lookup of each code point."""
    vocab: dict[str, int] = tokenizer.document["model"]["vocab"]
    ids = np.full(0x110000, vocab[UNKNOWN], dtype=np.uint32)
    for character, place in vocab.items():
        ids[ord(character)] = place

    def encode(text: str) -> Ids:
        found: Ids = ids[np.frombuffer(text.encode("utf-32-le"), dtype="<u4")]
        return found

    def together(texts: Sequence[str]) -> tuple[Ids, Ends]:
        return encode("".join(texts)), np.cumsum([len(text) for text in texts], dtype=np.int64)

    return Encoder("table", encode, together)
