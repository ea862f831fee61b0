"""Characters: each code point of the corpus is a token, in the order of Unicode."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models

from lmcli.errors import ConfigError
from lmcli.progress import Progress
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.kinds.trained import Trained
from lmcli.tokens.special import UNKNOWN


def train(texts: Iterable[str], size: int, config: TokenizerConfig, progress: Progress) -> Trained:
    """Collect the alphabet of `texts`; what is not in it later becomes U+FFFD, which is always in the alphabet.

    BPE without merges is the representation of tokenizer.json that takes every code point, line ends included, for a
    token of its own. ConfigError when a number of tokens is asked for: the corpus decides it.
    """
    if config.vocab_size != "auto":
        raise ConfigError(
            "tokenizer.vocab_size has no meaning for char: the corpus decides how many characters there are",
            'leave it at "auto" or choose kind bpe',
        )
    alphabet = {UNKNOWN}
    sampled = 0
    with progress.task("collect characters", total=size, unit="B") as task:
        for text in texts:
            alphabet.update(text)
            read = len(text.encode())
            sampled += read
            task.advance(read)
    vocab = {character: place for place, character in enumerate(sorted(alphabet))}
    backend = Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token=UNKNOWN))
    backend.decoder = decoders.Fuse()
    return Trained(backend, sampled_bytes=sampled)
