"""What each kind's `train(texts, size, config, progress)` returns, and how large a vocabulary it is to learn."""

from __future__ import annotations

import re
from dataclasses import dataclass

import tokenizers

from lmcli.errors import ConfigError
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.special import special_tokens

SMALLEST_AUTOMATIC = 512


@dataclass(frozen=True)
class Trained:
    """A tokenizer without its special tokens yet; `wanted` is the vocabulary asked for, special tokens left out.

    `unknown_share` is the part of its tokens, in a sample of the text, that stand for something unknown; `losses` says
    in words what else doesn't come back.
    """

    backend: tokenizers.Tokenizer
    wanted: int | None = None
    sampled_bytes: int = 0
    left_out_characters: int = 0
    unknown_share: float | None = None
    losses: str = ""


def automatic_vocab_size(size: int, *, at_2_mb: int = 4096, exponent: float = 0.4, most: int = 32768) -> int:
    """A vocabulary for `size` bytes of text, special tokens included: 640 for 20 kB, 4096 for 2 MB, at most 32768.

    Each token has to be seen often enough to learn its embedding, and a small model spends most of its parameters on
    the vocabulary. New words get rarer as a text grows (Heaps' law), so the vocabulary grows as size^0.4. Multiples
    of 128 suit matrix products.
    """
    fitting: float = at_2_mb * (size / 2_000_000) ** exponent
    return min(most, max(SMALLEST_AUTOMATIC, round(fitting / 128) * 128))


def wanted_size(config: TokenizerConfig, automatic: int, fixed: int, what: str) -> int:
    """The number of tokens to train: the special ones are added later. `automatic` is the total that `auto` means.

    ConfigError for a vocabulary that can't hold the special tokens and the `fixed` number of others, which are `what`.
    """
    special = len(special_tokens(config.special_tokens, config.reserved, config.sentinels))
    total = max(automatic, fixed + special) if config.vocab_size == "auto" else config.vocab_size
    if total < fixed + special:
        raise ConfigError(
            f"tokenizer.vocab_size = {total} is too small for {config.kind}",
            f"the {what} and {special} special tokens need {fixed + special}",
        )
    return total - special


def unknown_share(backend: tokenizers.Tokenizer, unknown: str, sample: list[str]) -> float:
    """The part of the tokens of `sample` that are `unknown`."""
    place = backend.get_vocab()[unknown]
    pieces = [piece for text in sample for piece in re.findall(r"[^\n]*\n|[^\n]+", text)]
    ids: list[int] = [
        token for item in backend.encode_batch_fast(pieces, add_special_tokens=False) for token in item.ids
    ]
    return ids.count(place) / max(1, len(ids))
