"""Trains a tokenizer and writes it as a directory that transformers loads with the same ids."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tokenizers import AddedToken

from lmcli.progress import Progress
from lmcli.project import durable
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.kinds import KINDS
from lmcli.tokens.kinds.trained import Trained
from lmcli.tokens.special import END, PAD, SPECIAL
from lmcli.units import size as readable

# A model family's own class (Qwen2Tokenizer) would add a normalizer. The length limit is how transformers says "none".
_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "eos_token": END,
    "pad_token": PAD,
    "add_bos_token": False,
    "add_prefix_space": False,
    "clean_up_tokenization_spaces": False,
    "model_input_names": ["input_ids", "attention_mask"],  # decoders refuse the default's token_type_ids
    "model_max_length": 10**30,
}


@dataclass(frozen=True)
class TokenizerReport:
    """`vocab_size` includes special tokens; `wanted_vocab_size` was asked for, None where the corpus alone decides."""

    kind: str
    vocab_size: int
    wanted_vocab_size: int | None
    text_bytes: int
    sampled_bytes: int
    left_out_characters: int


def train_tokenizer(
    texts: Iterable[str], size: int, config: TokenizerConfig, out: Path, progress: Progress
) -> TokenizerReport:
    """Train on `texts`, which hold `size` bytes, and write tokenizer.json and tokenizer_config.json below `out`.

    `char` is given the text of both sides of the split, the others that of the training side.
    """
    trained: Trained = KINDS.load(config.kind)(texts, size, config, progress)
    backend = trained.backend
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    durable.mkdir(out)
    durable.write(out / "tokenizer.json", backend.to_str(pretty=True) + "\n")
    durable.write(out / "tokenizer_config.json", json.dumps(_CONFIG, indent=2, sort_keys=True) + "\n")
    report = TokenizerReport(
        kind=config.kind,
        vocab_size=backend.get_vocab_size(with_added_tokens=True),
        wanted_vocab_size=None if trained.wanted is None else trained.wanted + len(SPECIAL),
        text_bytes=size,
        sampled_bytes=trained.sampled_bytes,
        left_out_characters=trained.left_out_characters,
    )
    _tell(report, config.sample_bytes, progress)
    return report


def _tell(report: TokenizerReport, limit: int, progress: Progress) -> None:
    if report.text_bytes > limit:
        progress.say(
            f"tokenizer trained on a sample: {readable(report.sampled_bytes)} of {readable(report.text_bytes)}"
        )
    if report.left_out_characters:
        progress.say(f"{report.left_out_characters} characters of endless words left out of the tokenizer's training")
    if report.wanted_vocab_size is not None and report.vocab_size < report.wanted_vocab_size:
        progress.say(f"the text gives {report.vocab_size} tokens, not the {report.wanted_vocab_size} wanted")
    else:
        progress.say(f"vocabulary of {report.vocab_size} tokens")
