from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.models.attention import MASKED, Cache, attend


def by_definition(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float, mask: torch.Tensor) -> torch.Tensor:
    """One head at a time, with the sums written out."""
    group = q.shape[1] // k.shape[1]
    heads = []
    for head in range(q.shape[1]):
        scores = scale * q[:, head] @ k[:, head // group].mT + mask
        heads.append(torch.softmax(scores, -1) @ v[:, head // group])
    return torch.stack(heads, 1)


@settings(deadline=None, max_examples=40)
@given(
    groups=st.sampled_from([(4, 4), (4, 2), (3, 1)]),
    positions=st.integers(1, 5),
    earlier=st.integers(0, 4),
    causal=st.booleans(),
    biased=st.booleans(),
    scale=st.sampled_from([1.0, 0.3]),
)
def test_attention_is_its_definition(
    groups: tuple[int, int], positions: int, earlier: int, causal: bool, biased: bool, scale: float
) -> None:
    torch.manual_seed(0)
    keys = positions + earlier
    q = torch.randn(2, groups[0], positions, 8)
    k, v = torch.randn(2, groups[1], keys, 8), torch.randn(2, groups[1], keys, 8)
    bias = torch.randn(1, 1, positions, keys) if biased else None
    mask = torch.zeros(positions, keys) if bias is None else bias[0, 0].clone()
    if causal:
        for position in range(positions):
            mask[position, earlier + position + 1 :] = MASKED
    found = attend(q, k, v, scale=scale, causal=causal, bias=bias)
    assert torch.allclose(found, by_definition(q, k, v, scale, mask), atol=1e-5)


def filled(rows: int, length: int, start: int = 0) -> Cache:
    cache = Cache(1, 8)
    values = (start + torch.arange(rows * length, dtype=torch.float32)).view(rows, 1, length, 1)
    cache.append(0, values, values)
    cache.advance(length)
    return cache


def held(cache: Cache) -> list[list[float]]:
    return cache.keys[0][:, 0, : cache.length, 0].tolist()


def test_cache_appends_selects_drops_and_puts_rows() -> None:
    cache = filled(2, 3)
    assert held(cache) == [[0, 1, 2], [3, 4, 5]]
    cache.select(torch.tensor([1, 0, 1]))
    assert held(cache) == [[3, 4, 5], [0, 1, 2], [3, 4, 5]]
    cache.put_rows(torch.tensor([2, 0]), filled(2, 2, start=70))
    assert held(cache) == [[3, 72, 73], [0, 1, 2], [3, 70, 71]]
    cache.drop_left(1)
    assert held(cache) == [[72, 73], [1, 2], [70, 71]]
    keys, _ = cache.append(0, torch.full((3, 1, 1, 1), 9.0), torch.zeros(3, 1, 1, 1))
    assert keys[:, 0, :, 0].tolist() == [[72, 73, 9], [1, 2, 9], [70, 71, 9]]
