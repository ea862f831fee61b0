"""Sources and targets as batches, for each kind of model, and what their loss depends on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.config import decode
from lmcli.errors import ConfigError
from lmcli.models.encoder_decoder import EncoderDecoder, Memory
from lmcli.models.model import Kind
from lmcli.models.qwen3 import Qwen3
from lmcli.objectives.batch import IGNORED
from lmcli.objectives.causal import Causal
from lmcli.objectives.conditional import Conditional
from lmcli.objectives.denoise import Denoise
from lmcli.objectives.prefix import Prefix, split
from lmcli.objectives.setup import Setup
from lmcli.objectives.t5_spans import SpanCorruption
from lmcli.tokens.window_batch import WindowBatch
from tests.models import tiny
from tests.objectives import single
from tests.objectives.texts import END, FIRST, PAD, documents, windows

SPANS = SpanCorruption(0.15, 3.0, np.arange(99, 89, -1), END)
TEXT = np.arange(FIRST, FIRST + 33)


def objective(kind: Kind, noise: Any = SPANS) -> Conditional:
    return Conditional("denoise", noise, kind, end_id=END, start_id=PAD)


class Echo(EncoderDecoder):
    """The mean of the source that is no padding, beside the target's own tokens up to each place."""

    def __init__(self) -> None:
        super().__init__()
        self.shape = tiny.shape(vocab_size=100)
        self.embedding = torch.nn.Parameter(torch.randn(100, 32, generator=torch.Generator().manual_seed(0)))

    def encode(self, source_bs: torch.Tensor, real_bs: torch.Tensor | None = None) -> Memory:
        return Memory(self.embedding[source_bs], real_bs)

    def hidden(self, tokens_bt: torch.Tensor, memory: Memory, cache: Any = None) -> torch.Tensor:
        states, real = memory.states_bsd, memory.real_bs
        real = torch.ones(states.shape[:2], dtype=torch.bool) if real is None else real
        mean = (states * real[..., None]).sum(1, keepdim=True) / real.sum(1)[:, None, None]
        return self.embedding[tokens_bt].cumsum(1) / 8 + mean

    @property
    def output(self) -> Any:
        from lmcli.models.heads import Head

        return Head(self.embedding)


def decoder() -> Qwen3:
    return tiny.model(vocab_size=100, context=64)


def test_an_encoder_decoder_gets_both_apart() -> None:
    made = objective("encoder-decoder").batch(windows(TEXT, rows=3))
    source, target = SPANS(windows(TEXT, rows=3), 1, 33)
    assert made.source is not None
    assert made.source[1].tolist() == source.tolist()
    assert made.inputs[1].tolist() == [PAD, *target[:-1].tolist()]
    assert made.targets[1].tolist() == target.tolist()
    assert made.counts == {"denoise": 3 * len(target)}
    assert made.tokens == 3 * 32


def test_a_decoder_gets_both_in_a_row_and_sees_the_source_whole() -> None:
    batch = objective("decoder").batch(windows(TEXT, rows=3))
    assert batch.seen is not None
    assert batch.inputs.shape[1] <= 32
    for row, seen in enumerate(batch.seen.tolist()):
        assert batch.inputs[row, seen - 1] == END  # the source ends
        assert batch.targets[row, : seen - 1].tolist() == [IGNORED] * (seen - 1)
        goal = [token for token in batch.targets[row, seen - 1 :].tolist() if token != IGNORED]
        assert goal[0] == 99
        assert goal[-1] == END
        assert batch.inputs[row, seen : seen + len(goal) - 1].tolist() == goal[:-1]


@settings(deadline=None, max_examples=60)
@given(text=documents(least=12), kind=st.sampled_from(["decoder", "encoder-decoder"]), part=st.sampled_from("spb"))
def test_it_fits_the_context(text: WindowBatch, kind: Kind, part: str) -> None:
    from lmcli.objectives.bart_noise import BartNoise

    noise = {"s": SPANS, "p": split, "b": BartNoise(1.0, 0.1, 0.3, 3.0, 0.5, 2, END)}[part]
    batch = objective(kind, noise).batch(text)
    context = text.ids.shape[1] - 1
    assert batch.inputs.shape[1] <= context
    assert batch.source is None or batch.source.shape[1] <= context
    assert batch.counts["denoise"] == int((batch.targets != IGNORED).sum()) > 0


def test_a_context_that_is_too_short_is_told() -> None:
    with pytest.raises(ConfigError, match=r"model\.context = 4 is too short for denoise"):
        objective("decoder").batch(windows([11, 12, 13, 14, 15]))


@pytest.mark.parametrize("kind", ["encoder-decoder", "decoder"])
@pytest.mark.parametrize("noise", [SPANS, split])
def test_rows_that_are_padded_beside_others_cost_the_same(kind: Kind, noise: Any) -> None:
    learner = Echo() if kind == "encoder-decoder" else decoder()
    goal = objective(kind, noise)
    whole = goal.batches(windows(TEXT, rows=5), 5)
    alone = goal.batches(windows(TEXT, rows=5), 1)
    assert [len(b.inputs) for b in alone] == [1] * 5
    sums = [single.loss(goal, learner, batch) for batch in alone]
    nats, count = single.loss(goal, learner, whole[0])
    assert count == sum(own for _, own in sums)
    torch.testing.assert_close(nats, sum(own for own, _ in sums), rtol=1e-5, atol=1e-4)


def test_a_decoder_uses_the_whole_source_for_each_target_and_no_later_target() -> None:
    learner, goal = decoder(), objective("decoder", split)
    batch = goal.batch(windows(TEXT))
    assert batch.seen is not None
    seen = int(batch.seen)
    assert 2 < seen < 30
    before = learner.hidden(batch.inputs, sight=batch.seen)
    changed = batch.inputs.clone()
    changed[0, seen - 1] = 5
    assert not torch.allclose(learner.hidden(changed, sight=batch.seen)[0, 0], before[0, 0])
    changed = batch.inputs.clone()
    changed[0, seen + 1 :] = 5
    torch.testing.assert_close(learner.hidden(changed, sight=batch.seen)[0, : seen + 1], before[0, : seen + 1])


def test_its_validation_counts_for_no_text() -> None:
    goal = objective("decoder")
    assert not goal.covers_text
    sums = goal.evaluate(decoder(), goal.batch(windows(TEXT)))
    assert sums.text_nats == 0
    assert sums.nats["denoise"] > 0


def test_a_prefix_ends_at_every_place_alike() -> None:
    batch = windows(TEXT, rows=960)
    cuts = [len(split(batch, row, 33).source) for row in range(960)]
    assert (min(cuts), max(cuts)) == (1, 32)
    assert np.std(np.bincount(cuts)[1:]) < 9  # 30 each, as a Poisson number
    pair = split(batch, 0, 33)
    assert [*pair.source, *pair.target] == TEXT.tolist()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.tokenizer_directory(tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    ("config", "said", "line"),
    [
        (Denoise(), "needs sentinels such as <extra_id_0>", "sentinels = 100"),
        (Denoise(noise="gap"), r"needs a special token \[MASK\] or <mask>", '"[MASK]"'),
        (Causal(fim=0.5), r"<\|fim_prefix\|>", '"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"'),
    ],
)
def test_tokens_that_are_missing_are_told_with_the_line_to_write(
    config: Any, said: str, line: str, plain: Path
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        config.build(Setup(256, directory=plain))
    assert line in str(caught.value.hint)
    assert "lmcli tokenize --retrain" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("settings_", "said"),
    [
        ({"noise": "gap", "span": 4.0}, "span means nothing to noise = gap"),
        ({"choice": "random"}, "choice means nothing to noise = spans"),
        ({"noise": "gap", "rotate": 0.5}, "rotate means nothing to noise = gap"),
        ({"rate": 0.0}, "with rate = 0 nothing is hidden"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings_: dict[str, Any], said: str, plain: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        decode(Denoise, settings_).build(Setup(256, directory=plain))


def test_noise_without_masks_needs_no_mask_token(plain: Path) -> None:
    built = Denoise(noise="bart", rate=0.0).build(Setup(256, directory=plain, kind="encoder-decoder"))
    batch = built.batch(windows(TEXT, [10, 20, 33]))
    assert batch.source is not None
    assert sorted(batch.source[0, :-1].tolist()) == sorted(batch.targets[0, :-1].tolist())
    assert Prefix().build(Setup(256, directory=plain)).term == "prefix"
