from __future__ import annotations

import itertools

import pytest
import torch

from lmcli.generation.decoding import Decoding
from lmcli.models.qwen3 import Qwen3
from tests.models import tiny


def uncached(model: Qwen3, text: list[int], prompt: int) -> torch.Tensor:
    """Scores for the token after `text`, of which the first `prompt` tokens came at once, by reading all anew."""
    context = model.shape.context
    window = text[:prompt][-context:]
    for token in text[prompt:]:
        window = [*(window if len(window) < context else window[-(context // 2) :]), token] if context > 1 else [token]
    return model(torch.tensor([window]))[0, -1]


@torch.inference_mode()
@pytest.mark.parametrize("context", [1, 2, 7, 16])
@pytest.mark.parametrize("lengths", [(3,), (1, 5, 3), (20, 4, 16)])
def test_scores_are_those_of_reading_the_window_anew(context: int, lengths: tuple[int, ...]) -> None:
    model = tiny.model(context=context)
    texts = [tiny.tokens(1, length, seed=length)[0].tolist() for length in lengths]
    decoding = Decoding(model, texts, 40)
    for step in range(41):
        for row, text in enumerate(texts):
            expected = uncached(model, text, lengths[row])
            assert torch.allclose(decoding.logits[row], expected, atol=1e-4), (step, row)
        if step < 40:
            ids = [(7 * step + row) % 256 for row in range(len(texts))]
            decoding.feed(ids)
            texts = [[*text, token] for text, token in zip(texts, ids, strict=True)]


@torch.inference_mode()
def test_rows_can_be_copied_and_left_out() -> None:
    model = tiny.model(context=8)
    texts = [tiny.tokens(1, length, seed=length)[0].tolist() for length in (2, 6)]
    decoding = Decoding(model, texts, 20)
    decoding.select([1, 0, 0])
    rows = [texts[1], texts[0], texts[0]]
    prompts = [6, 2, 2]
    for step in itertools.count():
        for row, text in enumerate(rows):
            assert torch.allclose(decoding.logits[row], uncached(model, text, prompts[row]), atol=1e-4), (step, row)
        if step == 15:
            break
        if step == 4:
            decoding.select([1, 2])
            rows, prompts = rows[1:], prompts[1:]
        ids = [step + 10 * row for row in range(len(rows))]
        decoding.feed(ids)
        rows = [[*text, token] for text, token in zip(rows, ids, strict=True)]
