from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.errors import InputError
from lmcli.models.t5 import T5
from lmcli.models.t5_shape import T5Shape
from lmcli.objectives.batch import IGNORED
from lmcli.objectives.source_to_target import SourceToTarget
from tests.objectives import single

END, PAD = 0, 1
IDS = st.lists(st.integers(2, 40), max_size=12)


def test_a_row_is_a_source_and_a_target() -> None:
    objective = SourceToTarget(END, PAD)
    examples, fitting = objective.fit([([5, 6, 7], [8, 9]), ([], [3])], context=8)
    batch = objective.batch(examples)
    assert batch.source is not None and batch.source_real is not None
    assert batch.source.tolist() == [[5, 6, 7, END], [END, PAD, PAD, PAD]]
    assert batch.source_real.tolist() == [[True] * 4, [True, False, False, False]]
    assert batch.inputs.tolist() == [[PAD, 8, 9], [PAD, 3, PAD]]
    assert batch.targets.tolist() == [[8, 9, END], [3, END, IGNORED]]
    assert (fitting.rows, fitting.trained_tokens, fitting.truncated, batch.counts) == (2, 5, 0, {"supervised": 5})


@given(st.lists(st.tuples(IDS, IDS), max_size=6), st.integers(2, 14))
@settings(max_examples=80, deadline=None)
def test_rows_fit_and_what_was_lost_is_counted(rows: list[tuple[list[int], list[int]]], context: int) -> None:
    objective = SourceToTarget(END, PAD)
    wanted = [row for row in rows if row[1]]
    if not wanted:
        with pytest.raises(InputError):
            objective.fit(rows, context)
        return
    examples, fitting = objective.fit(rows, context)
    for (prompt, completion), example in zip(wanted, examples, strict=True):
        source, target = example.tokens[: example.trained_from].tolist(), example.trained.tolist()
        assert source == [*prompt[: context - 1], END]
        assert target == [*completion, END][:context]
    assert fitting.completions_cut == sum(len(completion) + 1 > context for _, completion in wanted)
    assert fitting.truncated == sum(max(map(len, row)) + 1 > context for row in wanted)
    assert fitting.empty == len(rows) - len(wanted)


def test_the_loss_of_a_batch_is_that_of_its_rows() -> None:
    shape = T5Shape(
        vocab_size=50, width=32, depth=1, heads=2, kv_heads=2, head_dim=16, ffn=64, context=16, decoder_depth=1
    )
    model, objective = T5(shape).initialise(1), SourceToTarget(END, PAD)
    examples, _ = objective.fit([([5, 6, 7], [8, 9]), ([4], [3] * 6), ([], [7])], context=16)
    together, count = single.loss(objective, model, objective.batch(examples))
    alone = [single.loss(objective, model, objective.batch([example]))[0] for example in examples]
    assert torch.allclose(together, torch.stack(alone).sum(), atol=1e-4)
    assert count == 3 + 7 + 2
