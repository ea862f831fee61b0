"""Byte-level BPE: starts from the 256 bytes, so every text can be encoded and comes back unchanged."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from lmcli.progress import Progress
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.kinds.trained import Trained, automatic_vocab_size, wanted_size
from lmcli.tokens.patterns import PATTERNS
from lmcli.tokens.sampling import TrainingSample

BYTES = 256

__all__ = ["automatic_vocab_size", "byte_level", "train"]


def train(texts: Iterable[str], size: int, config: TokenizerConfig, progress: Progress) -> Trained:
    """Learn merges from a sample of `texts`, which hold `size` bytes.

    Only pairs seen `min_frequency` times become tokens, so a small text gives a smaller vocabulary than the one wanted.
    ConfigError for a vocabulary that can't hold the 256 bytes.
    """
    wanted = wanted_size(config, automatic_vocab_size(size), BYTES, "256 bytes")
    backend = byte_level(Tokenizer(models.BPE()), config.pattern)
    trainer = trainers.BpeTrainer(
        vocab_size=wanted,
        min_frequency=config.min_frequency,
        special_tokens=[],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    with progress.task("train tokenizer", total=size, unit="B") as task:
        sample = TrainingSample(texts, size, config.sample_bytes, task)
        backend.train_from_iterator(sample, trainer)
    return Trained(backend, wanted, sample.sampled_bytes, sample.left_out_characters)


def byte_level(backend: Tokenizer, pattern: str) -> Tokenizer:
    """Let `backend` cut text by a pattern and read it as bytes."""
    split = pre_tokenizers.Split(Regex(PATTERNS[pattern].regex), "isolated")
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    backend.decoder = decoders.ByteLevel()
    return backend
