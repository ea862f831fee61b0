from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.errors import ConfigError
from lmcli.models.qwen3 import Qwen3
from lmcli.models.shape import Shape
from lmcli.objectives.mixed import Mixed
from lmcli.objectives.next_token import RunningText
from lmcli.tokens.shards import TokenStream
from lmcli.tokens.window_batch import WindowBatch
from lmcli.tokens.windows import Windows
from tests.objectives import single
from tests.tokens.test_windows import counting

END = 0


class Backward(RunningText):
    """The same with its tokens in the other order."""

    term = "backward"
    covers_text = False

    def batch(self, ids: np.ndarray) -> object:  # type: ignore[override]
        return super().batch(ids[:, ::-1].copy())


def mixed(*shares: float) -> Mixed:
    return Mixed({"causal": RunningText(END), "backward": Backward(END)}, shares)


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> TokenStream:
    return counting(tmp_path_factory.mktemp("stream"), 90)


def model() -> Qwen3:
    shape = Shape(vocab_size=91, width=16, depth=1, heads=1, kv_heads=1, head_dim=16, ffn=32, context=8)
    return Qwen3(shape).initialise(0)


@settings(deadline=None, max_examples=30)
@given(share=st.floats(0.1, 10), micro_rows=st.integers(1, 9))
def test_windows_are_dealt_out_in_their_shares(stream: TokenStream, share: float, micro_rows: int) -> None:
    objective = mixed(share, 1)
    windows = Windows(stream, 8, 50, seed=0)
    parts = [batch for step in range(4) for batch in objective.batches(windows.at(step), micro_rows)]
    dealt = {name: sum(len(b.inputs) for b in parts if b.part == name) for name in ("causal", "backward")}
    assert sum(dealt.values()) == 200
    assert dealt["causal"] == pytest.approx(200 * share / (1 + share), abs=3)
    assert all(len(batch.inputs) <= micro_rows for batch in parts)


def test_each_objective_has_its_own_term_in_the_weighted_sum(stream: TokenStream) -> None:
    objective, learner = mixed(3, 1), model()
    assert objective.weights == {"causal": 0.75, "backward": 0.25}
    for batch in objective.batches(Windows(stream, 8, 10, seed=0).at(0), 4):
        own = {"causal": RunningText(END), "backward": Backward(END)}[batch.part]
        assert list(objective.losses(learner, batch)) == [batch.part]
        torch.testing.assert_close(single.loss(objective, learner, batch), single.loss(own, learner, batch))


def test_validation_shows_the_side_to_each_objective_and_text_once(stream: TokenStream) -> None:
    objective, learner = mixed(1, 1), model().eval()
    stream.end_id = END
    sums = [objective.evaluate(learner, batch) for batch in objective.validation(stream, 8, 4)]
    whole = sum(sums[1:], sums[0])
    assert whole.counts == {"causal": 90, "backward": 90}


def test_objectives_that_share_no_kind_of_model_are_refused() -> None:
    class Other(RunningText):
        needs = ("encoder-decoder",)

    with pytest.raises(ConfigError, match="no model can be trained for all of these objectives"):
        Mixed({"causal": RunningText(END), "denoise": Other(END)}, [1, 1])


def test_which_windows_come_beside_one_changes_nothing_about_it(tmp_path: Path) -> None:
    windows = Windows(counting(tmp_path, 500), 10, 12, seed=5).at(3)
    parts = list(windows.cut(5))
    assert [len(part) for part in parts] == [5, 5, 2]
    assert parts[1].rng(2).integers(1 << 30) == windows.rng(7).integers(1 << 30)
    assert windows.rng(6).integers(1 << 30) != windows.rng(7).integers(1 << 30)
    assert np.array_equal(np.concatenate([part.ids for part in parts]), windows.ids)


def test_ends_are_found_in_windows_that_reach_over_the_end_of_the_text(tmp_path: Path) -> None:
    stream = counting(tmp_path, 10)
    stream.document_ends = np.array([4, 10], dtype=np.uint64)
    ids = np.stack([stream.take(start, 9) for start in (0, 3, 8)])
    batch = WindowBatch(ids, np.array([0, 3, 8]), np.arange(3), 0, stream)
    assert [batch.document_ends(row).tolist() for row in range(3)] == [[4], [1, 7], [2, 6]]
    with pytest.raises(ConfigError, match="where sentences end"):
        batch.sentence_ends(0)
