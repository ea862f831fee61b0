"""Scores a character model on held-out text: nats for each character, each of them once, in windows side by side.

    python character_loss.py lmcli MODEL TEXT HELD_OUT CONTEXT
    python character_loss.py nanogpt CHECKPOINT TEXT HELD_OUT CONTEXT     with nanoGPT's folder on PYTHONPATH

HELD_OUT is the number of characters at the end of TEXT. Windows have CONTEXT characters, or the model's own context
where that is smaller. One function scores both, in float32; only how logits come about differs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

Logits = Callable[[Tensor], Tensor]
"""Ids (rows, positions) -> logits of the characters after them (rows, positions, vocabulary)."""

ROWS = 32  # windows at once


def character_loss(logits: Logits, ids: Tensor, held_out: int, context: int) -> float:
    """Mean nats of the last `held_out` ids; the first of them is predicted from the id before it."""
    inputs, targets = ids[-held_out - 1 : -1], ids[-held_out:]
    nats, whole = 0.0, held_out // context * context
    with torch.inference_mode():
        for first in range(0, whole, ROWS * context):
            part = slice(first, min(whole, first + ROWS * context))
            nats += _nats(logits, inputs[part].view(-1, context), targets[part].view(-1, context))
        if whole < held_out:
            nats += _nats(logits, inputs[None, whole:], targets[None, whole:])
    return nats / held_out


def _nats(logits: Logits, inputs: Tensor, targets: Tensor) -> float:
    found = logits(inputs).float().flatten(0, 1)
    return float(F.cross_entropy(found, targets.flatten(), reduction="none").double().sum())


def lmcli_model(path: Path, text: str) -> tuple[Logits, Tensor, int]:
    from lmcli.models.directory import load_model
    from lmcli.tokens.tokenizer import Tokenizer

    model = load_model(path).eval()
    return model, torch.tensor(Tokenizer.load(path).encode(text)), model.shape.context


def nanogpt_model(path: Path, text: str) -> tuple[Logits, Tensor, int]:
    from model import GPT, GPTConfig  # type: ignore[import-not-found]

    saved = torch.load(path, map_location="cpu", weights_only=True)
    model = GPT(GPTConfig(**saved["model_args"]))
    model.load_state_dict(saved["model"])
    model.eval()
    place = {character: number for number, character in enumerate(sorted(set(text)))}  # as its prepare.py has them
    ids = torch.tensor([place[character] for character in text])
    # Without targets it gives the last position's logits only.
    return lambda inputs: model(inputs, inputs)[0], ids, model.config.block_size


LOADERS = {"lmcli": lmcli_model, "nanogpt": nanogpt_model}


def main() -> None:
    side, path, text = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]).read_text(encoding="utf-8")
    held_out, most = int(sys.argv[4]), int(sys.argv[5])
    logits, ids, own = LOADERS[side](path, text)
    if len(ids) != len(text):
        raise SystemExit(f"{len(ids)} ids for {len(text)} characters: this is no character model of the text")
    context = min(most, own)
    loss = character_loss(logits, ids, held_out, context)
    print(json.dumps({"loss": loss, "context": context, "characters": held_out}))


if __name__ == "__main__":
    main()
