"""A model and a tokenizer small enough to make in a test."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from lmcli.models.qwen3 import Qwen3
from lmcli.models.shape import Shape

END, PAD = "<|endoftext|>", "<|pad|>"


def shape(**changes: object) -> Shape:
    sizes = {"vocab_size": 258, "width": 32, "depth": 2, "heads": 4, "kv_heads": 4, "head_dim": 8, "ffn": 48}
    return Shape(**{**sizes, "context": 32, "tie_embeddings": True, **changes})  # type: ignore[arg-type]


def model(seed: int = 0, dropout: float = 0.0, **changes: object) -> Qwen3:
    """A model whose every weight counts: nothing is left at zero or one, and scores differ by more than rounding."""
    made = Qwen3(shape(**changes), dropout).initialise(seed).eval()
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return made


def tokenizer_directory(path: Path) -> Path:
    """One token for each byte, an end token and a padding token."""
    path.mkdir(parents=True, exist_ok=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(END, special=True), AddedToken(PAD, special=True)])
    made.save(str(path / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "bos_token": END,
        "pad_token": PAD,
        "clean_up_tokenization_spaces": False,
    }
    (path / "tokenizer_config.json").write_text(json.dumps(config))
    return path


def tokens(batch: int, length: int, vocab: int = 256, seed: int = 0) -> torch.Tensor:
    return torch.randint(vocab, (batch, length), generator=torch.Generator().manual_seed(seed))
