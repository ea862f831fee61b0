from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from lmcli.errors import ArtifactError, ConfigError
from lmcli.models.config import ModelConfig
from lmcli.models.families import family_of
from lmcli.models.lstm import LstmModel
from lmcli.models.lstm_layers import Lstm, State
from lmcli.models.lstm_seq2seq import LstmSeq2Seq
from tests.models.families import DecoderChecks, EncoderDecoderChecks, noisy


class NoTransformers:
    """transformers has no class for it: what is compared with that falls away, and a config says so."""

    test_scores_loss_and_gradients_agree = None
    test_their_weights_load_here = None
    test_their_body_loads_here = None
    test_greedy_text_is_theirs = None
    by_heart: ClassVar = (150, 2e-2)
    family: ClassVar[Any]
    fresh: Any

    def test_its_config_names_no_class(self, kind: str) -> None:
        config = self.fresh(kind).hf_config(end_id=0, pad_id=1, dtype="float32")
        assert config["architectures"] is None
        assert not config["model_type"].startswith(("bert", "gpt", "t5"))

    @pytest.mark.parametrize("key", ["hidden_size", "vocab_size", "num_hidden_layers", "max_position_embeddings"])
    def test_impossible_sizes_are_refused(self, kind: str, key: str) -> None:
        config = self.fresh(kind).hf_config(end_id=0, pad_id=1, dtype="float32")
        for value in (0, -1, 1.5, None, "8", 1 << 40):
            with pytest.raises(ArtifactError, match=key):
                self.family.shape_from_hf({**config, key: value}, "here")


class TestLstm(NoTransformers, DecoderChecks):  # type: ignore[misc]
    family = LstmModel
    kinds: ClassVar = {
        "tied": {"ffn": 128, "heads": 0, "kv_heads": 0, "head_dim": 0},
        "untied-odd": {
            "width": 21,
            "ffn": 84,
            "depth": 1,
            "tie_embeddings": False,
            "heads": 0,
            "kv_heads": 0,
            "head_dim": 0,
        },
    }

    def test_sight(self, ours: LstmModel) -> None:  # type: ignore[override]
        for sight in ("both", torch.tensor([0, 6, 20])):
            with pytest.raises(ValueError, match="left to right"):
                ours.hidden(self.tokens, sight=sight)

    def test_it_is_torchs(self, kind: str, ours: LstmModel) -> None:
        """nn.LSTM has a second bias, which adds nothing."""
        shape = ours.shape
        theirs = torch.nn.LSTM(shape.width, shape.width, shape.depth, batch_first=True)
        with torch.no_grad():
            for layer, block in enumerate(ours.blocks):
                getattr(theirs, f"weight_ih_l{layer}").copy_(block.input.weight)
                getattr(theirs, f"weight_hh_l{layer}").copy_(block.recurrent.weight)
                getattr(theirs, f"bias_ih_l{layer}").copy_(block.bias)
                getattr(theirs, f"bias_hh_l{layer}").zero_()
        expected, _ = theirs(ours.embedding[self.tokens] * shape.width**0.5)
        torch.testing.assert_close(ours.hidden(self.tokens), expected, atol=1e-5, rtol=1e-5)


class TestLstmSeq2Seq(NoTransformers, EncoderDecoderChecks):  # type: ignore[misc]
    family = LstmSeq2Seq
    kinds: ClassVar = {
        "tied": {"ffn": 128, "heads": 0, "kv_heads": 0, "head_dim": 0, "decoder_depth": 2},
        "untied": {
            "width": 22,
            "ffn": 88,
            "depth": 2,
            "decoder_depth": 1,
            "tie_embeddings": False,
            "heads": 0,
            "kv_heads": 0,
            "head_dim": 0,
        },
    }

    def test_an_odd_width_is_refused(self, kind: str) -> None:
        config = self.fresh(kind).hf_config(end_id=0, pad_id=1, dtype="float32")
        with pytest.raises(ArtifactError, match="hidden_size"):
            LstmSeq2Seq.shape_from_hf({**config, "hidden_size": 33}, "here")
        dials = ModelConfig(family="lstm-seq2seq", width=33, depth=1, context=8, tie_embeddings=True)
        with pytest.raises(ConfigError, match="odd"):
            LstmSeq2Seq.shape_of(dials, 10)

    def test_rows_chosen_from_a_cache_go_on_as_they_would(self, ours: LstmSeq2Seq) -> None:
        memory, cache, rows = ours.encode(self.source, self.real), ours.new_cache(11), torch.tensor([2, 0, 0])
        ours.hidden(self.tokens[:, :4], memory, cache)
        cache.select(rows)
        found = ours.hidden(self.tokens[rows, 4:], memory.select(rows), cache)
        torch.testing.assert_close(found, self.states(ours)[rows, 4:], atol=1e-5, rtol=1e-4)


class TestLayer:
    def test_it_is_the_formula(self) -> None:
        layer = noisy(_layer(5, 4))
        x = torch.randn(2, 3, 5)
        found, left = layer(x)
        hidden, cell = torch.zeros(2, 4), torch.zeros(2, 4)
        for step in range(3):
            hidden, cell = _formula(layer, x[:, step], hidden, cell)
            torch.testing.assert_close(found[:, step], hidden)
        torch.testing.assert_close(left, State(hidden, cell))

    def test_reading_backward_is_reading_the_reversed_text(self) -> None:
        layer, x = noisy(_layer(5, 4)), torch.randn(2, 6, 5)
        found, left = layer(x, backward=True)
        expected, end = layer(x.flip(1))
        assert torch.equal(found, expected.flip(1))
        assert torch.equal(left.cell_bd, end.cell_bd)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_padding_leaves_a_state_of_zero(self, dtype: torch.dtype) -> None:
        layer, padded = noisy(_layer(8, 8)), torch.arange(6) < torch.tensor([0, 4, 6])[:, None]
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            found, left = layer(torch.randn(3, 6, 8).to(dtype) * 9, None, padded)
        assert not found[padded].any()
        assert not left.hidden_bd[2].any()
        assert not left.cell_bd[2].any()
        assert found[~padded].all()


@pytest.mark.parametrize("name", ["heads", "ffn", "kv_heads", "rope_theta"])
def test_settings_of_a_transformer_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"model.{name} means nothing to the family lstm"):
        family_of(ModelConfig(family="lstm", **{name: 4}))


def _layer(inputs: int, width: int) -> Lstm:
    layer = Lstm(inputs, width)
    layer.initialise(torch.Generator().manual_seed(0))
    return layer


def _formula(layer: Lstm, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    gates = x @ layer.input.weight.T + hidden @ layer.recurrent.weight.T + layer.bias
    entering, keeping, new, leaving = gates.chunk(4, dim=1)
    cell = keeping.sigmoid() * cell + entering.sigmoid() * new.tanh()
    return leaving.sigmoid() * cell.tanh(), cell
