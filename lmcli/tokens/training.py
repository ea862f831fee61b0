"""Trains a tokenizer and writes it as a directory that transformers loads with the same ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tokenizers
from tokenizers import AddedToken

from lmcli.errors import ConfigError
from lmcli.progress import Progress
from lmcli.tokens import chat
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.directory import write_tokenizer
from lmcli.tokens.kinds import KINDS
from lmcli.tokens.kinds.trained import Trained
from lmcli.tokens.special import END, PAD, UNKNOWN, special_tokens
from lmcli.units import size as readable

_READ_BY = {
    "pattern": ("bpe", "unigram"),
    "lowercase": ("wordpiece",),
    "min_frequency": ("bpe", "unigram", "word", "wordpiece"),
}


@dataclass(frozen=True)
class TokenizerReport:
    """`vocab_size` includes special tokens; `wanted_vocab_size` was asked for, None where the corpus alone decides.

    `unknown_share` is the part of the tokens of a sample that stand for something unknown, None where nothing is.
    """

    kind: str
    vocab_size: int
    wanted_vocab_size: int | None
    text_bytes: int
    sampled_bytes: int
    left_out_characters: int
    unknown_share: float | None = None
    losses: str = ""


def train_tokenizer(
    texts: Iterable[str], size: int, config: TokenizerConfig, out: Path, progress: Progress
) -> TokenizerReport:
    """Train on `texts`, which hold `size` bytes, and write tokenizer.json and tokenizer_config.json below `out`.

    `char` is given the text of both sides of the split, the others that of the training side.
    """
    _check(config)
    special = special_tokens(config.special_tokens, config.reserved, config.sentinels)
    template = chat.chosen(config.chat_template, special)
    trained: Trained = KINDS.load(config.kind)(texts, size, config, progress)
    backend = trained.backend
    add_special(backend, special)
    write_tokenizer(
        out,
        backend.to_str(pretty=True),
        end=END,
        pad=PAD,
        template=template.text if template else None,
        more={"unk_token": UNKNOWN} if trained.unknown_share is not None else None,
    )
    report = TokenizerReport(
        kind=config.kind,
        vocab_size=backend.get_vocab_size(with_added_tokens=True),
        wanted_vocab_size=None if trained.wanted is None else trained.wanted + len(special),
        text_bytes=size,
        sampled_bytes=trained.sampled_bytes,
        left_out_characters=trained.left_out_characters,
        unknown_share=trained.unknown_share,
        losses=trained.losses,
    )
    _tell(report, config.sample_bytes, progress)
    return report


def _check(config: TokenizerConfig) -> None:
    """Refuse settings that the kind doesn't read."""
    plain = TokenizerConfig()
    for name, kinds in _READ_BY.items():
        if config.kind not in kinds and getattr(config, name) != getattr(plain, name):
            message = f"tokenizer.{name} has no meaning for {config.kind}"
            raise ConfigError(message, f"it belongs to kind {', '.join(kinds)}", f"tokenizer.{name}")


def add_special(backend: tokenizers.Tokenizer, names: Sequence[str]) -> None:
    """Give special tokens the next ids. ConfigError for one that is an ordinary token already: text would make it."""
    known = backend.get_vocab(with_added_tokens=True)
    taken = next((name for name in names if name in known), None)
    if taken is not None:
        message = f"the special token {taken} is an ordinary token of this vocabulary already"
        raise ConfigError(message, "choose another name for it, such as <|name|>", "tokenizer.special_tokens")
    backend.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])


def _tell(report: TokenizerReport, limit: int, progress: Progress) -> None:
    if report.text_bytes > limit:
        progress.say(
            f"tokenizer trained on a sample: {readable(report.sampled_bytes)} of {readable(report.text_bytes)}"
        )
    if report.left_out_characters:
        progress.say(f"{report.left_out_characters} characters of endless words left out of the tokenizer's training")
    if report.losses:
        progress.say(f"{report.kind}: {report.losses}, so texts don't come back as they were")
    if report.unknown_share:
        progress.say(f"{report.unknown_share:.2%} of the tokens of the text are unknown and come back as U+FFFD")
    if report.wanted_vocab_size is not None and report.vocab_size < report.wanted_vocab_size:
        progress.say(f"the text gives {report.vocab_size} tokens, not the {report.wanted_vocab_size} wanted")
    else:
        progress.say(f"vocabulary of {report.vocab_size} tokens")
