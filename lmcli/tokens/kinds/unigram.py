"""Unigram over bytes: pieces chosen by likelihood, as in SentencePiece; every text comes back unchanged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tokenizers import Tokenizer, models

from lmcli.progress import Progress
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.kinds.bpe import BYTES, byte_level
from lmcli.tokens.kinds.trained import Trained, automatic_vocab_size, wanted_size
from lmcli.tokens.likelihood import choose_pieces
from lmcli.tokens.patterns import PATTERNS
from lmcli.tokens.pretokenization import byte_of_character
from lmcli.tokens.sampling import TrainingSample

LONGEST_WORD = 64
"""Bytes of a word that are looked at together; longer ones are cut."""
WORD_BYTES = 2_000_000
"""Bytes of different words that are learned from, the most frequent ones: time and memory grow with them."""
SEEDS = 8
"""Pieces to choose from, for each one wanted."""


def train(texts: Iterable[str], size: int, config: TokenizerConfig, progress: Progress) -> Trained:
    """Choose pieces from a sample of `texts`, which hold `size` bytes; `auto` means what it does for bpe.

    ConfigError for a vocabulary that can't hold the 256 bytes.
    """
    wanted = wanted_size(config, automatic_vocab_size(size), BYTES, "256 bytes")
    with progress.task("count words", total=size, unit="B") as task:
        sample = TrainingSample(texts, size, config.sample_bytes, task)
        counts = _words(sample, config.pattern)
    chosen = choose_pieces(_bounded(counts), wanted, config.min_frequency, max(1, SEEDS * (wanted - BYTES)))
    sign = {byte: character for character, byte in byte_of_character().items()}
    vocab = [("".join(sign[byte] for byte in piece), score) for piece, score in chosen.items()]
    backend = byte_level(Tokenizer(models.Unigram(vocab, unk_id=None, byte_fallback=False)), config.pattern)
    return Trained(backend, wanted, sample.sampled_bytes, sample.left_out_characters)


def _words(texts: Iterable[str], pattern: str) -> Counter[bytes]:
    """How often each word occurs, words of more than LONGEST_WORD bytes as parts of them."""
    import regex  # knows \p{L}; it reads the patterns as `tokenizers` does, but for a few characters of late

    found = regex.compile(PATTERNS[pattern].regex, regex.VERSION1).findall  # type: ignore[no-untyped-call]
    words = Counter[str]()
    for text in texts:
        words.update(found(text))
    counts = Counter[bytes]()
    for word, count in words.items():
        data = word.encode("utf-8", "replace")
        for start in range(0, len(data), LONGEST_WORD):
            counts[data[start : start + LONGEST_WORD]] += count
    return counts


def _bounded(counts: Counter[bytes]) -> dict[bytes, int]:
    """The most frequent words, WORD_BYTES in all, ties in the order of their bytes."""
    kept: dict[bytes, int] = {}
    room = WORD_BYTES
    for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        room -= len(word)
        if room < 0:
            break
        kept[word] = count
    return kept or {b" ": 1}
