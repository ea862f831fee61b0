"""Words: each word that is common enough is a token, with the space before it; so is each mark, digit and line end.

What the vocabulary knows comes back unchanged, white space included. Other words become U+FFFD; how many is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from lmcli.corpus.words import SPACELESS
from lmcli.progress import Progress
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.kinds.trained import Trained, automatic_vocab_size, unknown_share, wanted_size
from lmcli.tokens.sampling import TrainingSample
from lmcli.tokens.special import UNKNOWN

_LETTERS = rf"[[\p{{L}}\p{{M}}]&&[^{SPACELESS}]]+"
PATTERN = (
    rf"[{SPACELESS}]| ?{_LETTERS}(?:['’]{_LETTERS})*| ?\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]|\s"  # every sign is in one
)
BOUNDARY = re.compile(rf"\S(?= )|[\r\n]|[{SPACELESS}]")
"""Spaces begin a word, line ends and the letters of scripts without spaces stand alone."""

_SINGLE = [chr(code) for code in range(0x21, 0x7F) if not chr(code).isalpha()]
ALWAYS = [UNKNOWN, "\n", "\r", "\t", " ", *_SINGLE, *(f" {sign}" for sign in _SINGLE)]
"""In every vocabulary, first: no number, mark or line end of ASCII is ever unknown."""


def train(texts: Iterable[str], size: int, config: TokenizerConfig, progress: Progress) -> Trained:
    """Collect the most frequent words of a sample of `texts`, ties in the order of Unicode.

    `auto` wants 8192 tokens for 2 MB, growing as the square root of the size, at most 65536: the number of different
    words in a text of n words grows about as n^0.5 (Heaps' law). Words seen less than `min_frequency` times stay
    unknown. ConfigError for a vocabulary that can't hold the marks and digits of ASCII.
    """
    automatic = automatic_vocab_size(size, at_2_mb=8192, exponent=0.5, most=65536)
    wanted = wanted_size(config, automatic, len(ALWAYS), f"{len(ALWAYS)} marks, digits and spaces")
    learner = Tokenizer(models.WordLevel())
    learner.pre_tokenizer = _words()
    trainer = trainers.WordLevelTrainer(
        vocab_size=wanted, min_frequency=config.min_frequency, special_tokens=[], show_progress=False
    )
    with progress.task("count words", total=size, unit="B") as task:
        sample = TrainingSample(texts, size, config.sample_bytes, task)
        learner.train_from_iterator(sample, trainer)
    learned = learner.get_vocab(with_added_tokens=False)
    tokens = dict.fromkeys([*ALWAYS, *sorted(learned, key=learned.__getitem__)])
    vocab = {token: place for place, token in enumerate(list(tokens)[:wanted])}
    backend = Tokenizer(models.WordLevel(vocab=vocab, unk_token=UNKNOWN))
    backend.pre_tokenizer = _words()
    backend.decoder = decoders.Fuse()
    share = unknown_share(backend, UNKNOWN, sample.probe)
    return Trained(backend, wanted, sample.sampled_bytes, sample.left_out_characters, share)


def _words() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Split(Regex(PATTERN), "isolated")
