"""An encoded corpus of a few words with the special tokens of encoders, for tests of what is trained on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lmcli.corpus.splits import Piece
from lmcli.objectives.setup import Setup
from lmcli.progress import Silent
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.encoding import encode
from lmcli.tokens.shards import TokenStream
from lmcli.tokens.tokenizer import Tokenizer
from lmcli.tokens.training import train_tokenizer

SUBJECTS, VERBS = ["The cat", "A dog", "My rat", "The old owl", "This hen"], ["sat", "lay", "ran", "slept", "hid"]
PLACES = ["on the mat", "under the log", "in a box", "behind the barn", "near the oak"]
SPECIAL = ("[CLS]", "[SEP]", "[MASK]")


def documents(count: int = 24, sentences: int = 9) -> list[str]:
    made = []
    for number in range(count):
        parts = [
            f"{SUBJECTS[(number + 2 * k) % 5]} {VERBS[(number * k + k) % 5]} {PLACES[(3 * number + k) % 5]}."
            for k in range(sentences)
        ]
        made.append(" ".join(parts))
    return made


def corpus(path: Path, *, sentences: bool = True, held_out: int = 4, **tokenizer: Any) -> Path:
    """The folder of the tokens; that of the tokenizer lies beside it."""
    texts = documents()
    config = TokenizerConfig(**{"kind": "word", "special_tokens": SPECIAL, "min_frequency": 1, **tokenizer})
    train_tokenizer(texts, sum(map(len, texts)), config, path / "tokenizer", Silent())
    pieces = [Piece(text, "validation" if n < held_out else "train", True) for n, text in enumerate(texts)]
    made = Tokenizer.load(path / "tokenizer")
    encode(pieces, made, path / "tokens", workers=1, progress=Silent(), sentences=sentences)
    return path / "tokens"


def vocab_size(tokens: Path) -> int:
    return TokenStream.open(tokens, "train").vocab_size


def setup(tokens: Path) -> Setup:
    return Setup(TokenStream.open(tokens, "train").end_id, directory=tokens.parent / "tokenizer")
