from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.errors import ArtifactError
from lmcli.generation.sampling import Rules, choose, draw, keep_min_p, keep_top_k, keep_top_p, penalise

INF = math.inf


def row(*numbers: float) -> torch.Tensor:
    return torch.tensor([numbers], dtype=torch.float32)


def logs(*probabilities: float) -> torch.Tensor:
    return row(*(math.log(p) if p else -INF for p in probabilities))


def kept(logits: torch.Tensor) -> list[int]:
    return [place for place, number in enumerate(logits[0].tolist()) if number > -INF]


@pytest.mark.parametrize(
    ("k", "ids"), [(0, None), (1, [2]), (2, [2, 0]), (3, [2, 0, 3]), (4, None), (9, None)], ids=str
)
def test_top_k(k: int, ids: list[int] | None) -> None:
    logits = row(2.0, -1.0, 3.0, 0.0)
    values, found = keep_top_k(logits, k)
    if ids is None:
        assert found is None
        assert values is logits
    else:
        assert found is not None
        assert found[0].tolist() == ids
        assert values[0].tolist() == [logits[0, place].item() for place in ids]


@pytest.mark.parametrize(
    ("probabilities", "p", "places"),
    [
        ((0.5, 0.3, 0.2), 1.0, [0, 1, 2]),
        ((0.5, 0.3, 0.2), 0.9, [0, 1, 2]),
        ((0.5, 0.3, 0.2), 0.7, [0, 1]),
        ((0.2, 0.3, 0.5), 0.4, [2]),
        ((0.2, 0.3, 0.5), 1e-9, [2]),
        ((1.0, 0.0, 0.0), 0.99, [0]),
        ((0.25, 0.25, 0.25, 0.25), 0.45, [0, 1]),
        ((1.0,), 0.5, [0]),
    ],
)
def test_top_p(probabilities: tuple[float, ...], p: float, places: list[int]) -> None:
    assert kept(keep_top_p(logs(*probabilities), p)) == places


@pytest.mark.parametrize(
    ("probabilities", "p", "places"),
    [
        ((0.5, 0.3, 0.2), 0.0, [0, 1, 2]),
        ((0.5, 0.3, 0.2), 0.5, [0, 1]),
        ((0.5, 0.3, 0.2), 0.7, [0]),
        ((0.5, 0.3, 0.2), 0.999, [0]),
        ((0.25, 0.25, 0.25, 0.25), 0.99, [0, 1, 2, 3]),
        ((1.0, 0.0), 0.1, [0]),
    ],
)
def test_min_p(probabilities: tuple[float, ...], p: float, places: list[int]) -> None:
    assert kept(keep_min_p(logs(*probabilities), p)) == places


def test_the_penalty_lowers_what_was_seen_whatever_its_sign() -> None:
    seen = torch.tensor([[True, True, False, True]])
    assert penalise(row(2.0, -2.0, 2.0, -INF), seen, 2.0)[0].tolist() == [1.0, -4.0, 2.0, -INF]


@pytest.mark.parametrize(("uniform", "place"), [(0.0, 1), (0.49, 1), (0.51, 3), (0.999, 3), (1.0, 3)], ids=str)
def test_draw_takes_the_stretch_that_the_number_falls_into(uniform: float, place: int) -> None:
    assert draw(logs(0, 0.5, 0, 0.5, 0), torch.tensor([uniform])).item() == place


@settings(deadline=None, max_examples=50)
@given(
    scores=st.lists(st.floats(-30, 30, width=32) | st.just(-INF), min_size=1, max_size=9).filter(
        lambda s: max(s) > -INF
    ),
    uniform=st.floats(0, 1, exclude_max=True),
    temperature=st.sampled_from([1e-30, 0.5, 1.0, 100.0]),
    top_k=st.integers(0, 12),
    top_p=st.floats(1e-6, 1),
    min_p=st.floats(0, 0.999),
)
def test_what_is_chosen_is_possible(
    scores: list[float], uniform: float, temperature: float, top_k: int, top_p: float, min_p: float
) -> None:
    rules = Rules(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    chosen = int(choose(row(*scores), torch.tensor([uniform]), rules))
    assert scores[chosen] > -INF
    better = sum(score > scores[chosen] for score in scores)
    assert not top_k or better < top_k


def test_draws_follow_the_probabilities() -> None:
    draws = 20_000
    uniform = torch.rand(draws, generator=torch.Generator().manual_seed(0))
    chosen = choose(logs(0.6, 0.1, 0.3).expand(draws, 3), uniform, Rules())
    shares = torch.bincount(chosen, minlength=3) / draws
    assert torch.allclose(shares, torch.tensor([0.6, 0.1, 0.3]), atol=0.015)
    cool = choose(logs(0.6, 0.1, 0.3).expand(draws, 3), uniform, Rules(temperature=0.5))
    assert (cool == 0).float().mean().item() == pytest.approx(0.36 / 0.46, abs=0.015)


def test_temperature_zero_is_greedy() -> None:
    logits = torch.randn(20, 50, generator=torch.Generator().manual_seed(0))
    assert choose(logits, torch.rand(20), Rules(temperature=0)).tolist() == logits.argmax(-1).tolist()
    assert choose(logits, torch.rand(20), Rules(top_k=1)).tolist() == logits.argmax(-1).tolist()


@pytest.mark.parametrize("rules", [Rules(), Rules(temperature=0), Rules(top_k=1), Rules(top_p=0.5)], ids=str)
@pytest.mark.parametrize("bad", [(math.nan, 0.0), (-INF, -INF), (INF, 0.0)], ids=str)
def test_scores_of_a_damaged_model_are_an_error(rules: Rules, bad: tuple[float, float]) -> None:
    with pytest.raises(ArtifactError, match="aren't finite"):
        choose(torch.tensor([(0.0, 1.0), bad]), torch.rand(2), rules)
