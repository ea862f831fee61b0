"""Tokens that mean nothing, and a tokenizer for them: what training costs is measured on these without a corpus."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tokenizers

from lmcli.objectives.middle import SIGNS
from lmcli.objectives.setup import Setup
from lmcli.tokens.shards import TokenStream
from lmcli.tokens.special import END, PAD, ROLES, sentinel
from lmcli.tokens.tokenizer import Tokenizer

SENTENCE, DOCUMENT = 16, 256
"""Tokens of each."""
SPECIAL = (END, PAD, *(names[0] for names in (*ROLES.values(), *SIGNS)), *map(sentinel, range(100)))
"""All that an objective may ask for."""
NOWHERE = Path("imagined")


class RandomTokens(TokenStream):
    """`count` random ids in the memory, in sentences and documents of equal length."""

    def __init__(self, vocab_size: int, count: int, seed: int) -> None:
        self.side, self.vocab_size, self.end_id = "train", vocab_size, 0
        self.sentence_ends = np.arange(SENTENCE, count + 1, SENTENCE, dtype=np.uint64)
        self.document_ends = np.arange(DOCUMENT, count + 1, DOCUMENT, dtype=np.uint64)
        self.text_bytes, self.documents = count, len(self.document_ends)
        self._shards = [np.random.default_rng(seed).integers(vocab_size, size=count)]
        self._starts = np.array([0, count])


@dataclass(frozen=True)
class AnySetup(Setup):
    """With a tokenizer of `vocab_size` tokens, the special ones first, as far as there is room for them."""

    directory: Path | None = NOWHERE
    vocab_size: int = 0

    @functools.cached_property
    def tokenizer(self) -> Tokenizer:
        special = SPECIAL[: self.vocab_size]
        names = [*special, *(f"t{number}" for number in range(len(special), self.vocab_size))]
        vocab = {name: number for number, name in enumerate(names)}
        backend = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocab, unk_token=END))
        backend.add_special_tokens(list(special))
        return Tokenizer(NOWHERE / "tokenizer.json", json.loads(backend.to_str()))
