"""Where attention over learned positions begins to look, in each family that has them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lmcli.models import neighbours
from lmcli.models.bert import Bert, BertShape
from lmcli.models.electra import Electra
from lmcli.models.electra_shape import ElectraShape
from lmcli.models.gpt2 import GPT2, GPT2Shape
from lmcli.models.roberta import Roberta, RobertaShape

SIZES: dict[str, Any] = {"vocab_size": 90, "width": 96, "depth": 2, "heads": 3, "kv_heads": 3, "head_dim": 32}
SIZES |= {"ffn": 96, "context": 64}
NARROW = {"embedding_width": 48, "generator_width": 36, "generator_heads": 2, "generator_ffn": 48}
TOKENS = torch.randint(2, 90, (1, 64), generator=torch.Generator().manual_seed(0))


def weights(attention: Any, x_btd: Tensor) -> Tensor:
    """(h, t, s): where each head looks, without a mask."""
    q_bhtk, k_bhsk, _ = attention.qkv(x_btd).unflatten(2, (3, attention.heads, -1)).permute(2, 0, 3, 1, 4)
    return ((q_bhtk @ k_bhsk.mT)[0] * q_bhtk.shape[-1] ** -0.5).softmax(-1)


def entering(model: Any) -> Tensor:
    """What the first block of an encoder gets."""
    seen: list[Tensor] = []
    handle = model.blocks[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    model.hidden(TOKENS)
    handle.remove()
    return seen[0]


def check(found_hts: Tensor, offsets: tuple[int, ...]) -> None:
    places = torch.arange(8, 56)
    for head_ts, offset in zip(found_hts, offsets, strict=False):
        assert (head_ts[places].argmax(-1) == places - offset).float().mean() > 0.9, offset


@pytest.mark.parametrize("family", ["bert", "roberta", "electra", "generator"])
@torch.no_grad()
def test_heads_of_an_encoder_begin_beside_a_position(family: str) -> None:
    electra = Electra(ElectraShape(**SIZES, **NARROW)).initialise(0).eval()
    model = {
        "bert": Bert(BertShape(**SIZES)).initialise(0).eval(),
        "roberta": Roberta(RobertaShape(**SIZES)).initialise(0).eval(),
        "electra": electra,
        "generator": electra.generator,
    }[family]
    x_btd = entering(model)
    check(weights(model.blocks[0].attention, x_btd), neighbours.BOTH_SIDES)


@torch.no_grad()
def test_heads_of_gpt2_begin_to_the_left() -> None:
    model = GPT2(GPT2Shape(**SIZES)).initialise(0).eval()
    block: Any = model.blocks[0]
    x_btd = block.attention_norm(F.embedding(TOKENS, model.embedding) + model.positions[:64])
    check(weights(block.attention, x_btd), neighbours.TO_THE_LEFT)


def test_tokens_begin_without_the_channels_of_positions() -> None:
    model = Bert(BertShape(**SIZES)).initialise(0)
    count = neighbours.channels(96)
    assert not model.embedding[:, -count:].any()
    assert model.embedding[:, :-count].all()
    assert not model.positions[:, :-count].any()
    steps = model.positions[:, -count:].unflatten(1, (-1, 2))
    assert torch.allclose(steps.norm(dim=2), torch.tensor(neighbours.POSITIONS_STD * 2**0.5))


@pytest.mark.parametrize("width", [2, 3, 4, 6, 8, 10])
def test_small_widths_begin_too(width: int) -> None:
    sizes = {**SIZES, "width": width, "heads": 1, "kv_heads": 1, "head_dim": width, "ffn": 4, "context": 3}
    found = Bert(BertShape(**sizes)).initialise(0)(TOKENS[:, :3])
    assert found.isfinite().all()
