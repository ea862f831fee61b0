"""Byte-level BPE: starts from the 256 bytes, so every text can be encoded and comes back unchanged."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from lmcli.errors import ConfigError
from lmcli.progress import Progress
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.kinds.trained import Trained
from lmcli.tokens.pretokenization import PATTERN
from lmcli.tokens.sampling import TrainingSample
from lmcli.tokens.special import SPECIAL

SMALLEST = 256 + len(SPECIAL)


def automatic_vocab_size(size: int) -> int:
    """A vocabulary for `size` bytes of text, special tokens included: 640 for 20 kB, 4096 for 2 MB, at most 32768.

    Each token has to be seen often enough to learn its embedding, and a small model spends most of its parameters on
    the vocabulary. New words get rarer as a text grows (Heaps' law), so the vocabulary grows as size^0.4. Multiples
    of 128 suit matrix products.
    """
    fitting: float = 4096 * (size / 2_000_000) ** 0.4
    return min(32768, max(512, round(fitting / 128) * 128))


def train(texts: Iterable[str], size: int, config: TokenizerConfig, progress: Progress) -> Trained:
    """Learn merges from a sample of `texts`, which hold `size` bytes.

    Only pairs seen twice become tokens, so a small text gives a smaller vocabulary than the one wanted. ConfigError for
    a vocabulary that can't hold the 256 bytes.
    """
    wanted = _wanted(config, size)
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=wanted,
        min_frequency=2,
        special_tokens=[],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    with progress.task("train tokenizer", total=size, unit="B") as task:
        sample = TrainingSample(texts, size, config.sample_bytes, task)
        backend.train_from_iterator(sample, trainer)
    return Trained(backend, wanted, sample.sampled_bytes, sample.left_out_characters)


def _wanted(config: TokenizerConfig, size: int) -> int:
    """The number of tokens to train: the special ones are added later."""
    total = automatic_vocab_size(size) if config.vocab_size == "auto" else config.vocab_size
    if total < SMALLEST:
        raise ConfigError(
            f"tokenizer.vocab_size = {total} is too small for bpe",
            f"the 256 bytes and {len(SPECIAL)} special tokens need {SMALLEST}",
        )
    return total - len(SPECIAL)
