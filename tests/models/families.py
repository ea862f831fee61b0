"""What is checked of every family. A test file has a class on `DecoderChecks`, `EncoderChecks` or
`EncoderDecoderChecks`, which names the family, the class of transformers and `kinds`: shapes under a name for each.

`ours` is a model of ours, `theirs` the same in transformers, read from the directory that ours was saved to.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lmcli.models.decoder import Decoder
from lmcli.models.directory import hf_tensors, load_model, save_model
from lmcli.models.encoder import Encoder
from lmcli.models.encoder_decoder import EncoderDecoder
from lmcli.models.model import Model
from lmcli.models.shape import Shape
from lmcli.objectives.batch import IGNORED
from tests.models import tiny

SIZES = {"vocab_size": 258, "width": 32, "depth": 2, "heads": 4, "kv_heads": 4, "head_dim": 8, "ffn": 48, "context": 32}
GREEDY = 10


class Checks:
    """Of a family of any kind."""

    family: ClassVar[type[Model]]
    theirs_class: ClassVar[str]
    """Which class of transformers reads what is saved."""
    kinds: ClassVar[Mapping[str, Mapping[str, Any]]] = {"plain": {}}
    """Name -> changes of the shape. The name is the parameter `kind` of each test."""
    bodies: ClassVar[bool] = True
    """Whether a body saved without its heads loads."""
    rounding: ClassVar[float] = 0.1
    """How far bfloat16 may move a score, of the largest one."""
    may_say: ClassVar[str] = ""
    """Part of a message of theirs that tells nothing wrong."""
    by_heart: ClassVar[tuple[int, float]] = (100, 1e-2)
    """Steps and learning rate that are enough to learn a batch by heart."""

    def shape(self, kind: str, **changes: Any) -> Shape:
        return self.family.shape_type(**{**SIZES, **self.kinds[kind], **changes})

    def fresh(self, kind: str, dropout: float = 0.0, **changes: Any) -> Any:
        return self.family(self.shape(kind, **changes), dropout).initialise(0)

    @pytest.fixture
    def ours(self, kind: str) -> Any:
        return noisy(self.fresh(kind)).eval()

    @pytest.fixture
    def theirs(self, ours: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Any:
        """Loads without a word about anything."""
        transformers = pytest.importorskip("transformers")
        save_model(ours, tiny.tokenizer_directory(tmp_path / "t"), tmp_path / "m", card="")
        transformers.logging.enable_propagation()
        with warnings.catch_warnings(record=True) as said:
            read = getattr(transformers, self.theirs_class).from_pretrained
            theirs, report = read(tmp_path / "m", output_loading_info=True)
        transformers.logging.disable_propagation()
        lines = [str(warning.message) for warning in said] + [record.getMessage() for record in caplog.records]
        assert not [line for line in lines if not self.may_say or self.may_say not in line]
        assert not any(report.values()), report
        return theirs.eval()

    # What differs between the kinds.

    def scores(self, model: Any) -> Tensor:
        """Logits (b, t, v) for the inputs that `their_output` has too."""
        raise NotImplementedError

    def states(self, model: Any) -> Tensor:
        """The last states (b, t, d) for the same inputs."""
        raise NotImplementedError

    def targets(self) -> Tensor:
        """(b, t): a token for each score that means something, IGNORED for the rest."""
        raise NotImplementedError

    def their_output(self, theirs: Any) -> Any:
        """With `logits` and `loss`."""
        raise NotImplementedError

    def body(self, theirs: Any) -> Any:
        """The same model without its output layer."""
        return theirs.base_model

    def their_states(self, body: Any) -> Tensor:
        raise NotImplementedError

    # Agreement with transformers.

    def test_scores_loss_and_gradients_agree(self, ours: Any, theirs: Any) -> None:
        scores, output = self.scores(ours), self.their_output(theirs)
        self.same(scores, output.logits)
        loss = F.cross_entropy(scores.flatten(0, 1), self.targets().flatten(), ignore_index=IGNORED)
        assert loss.item() == pytest.approx(output.loss.item(), abs=1e-5)
        loss.backward()
        output.loss.backward()
        expected = {name: parameter.grad for name, parameter in theirs.named_parameters()}
        for parameter in ours.parameters():  # hf_tensors then splits the gradients as it splits the weights
            parameter.data = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        fixed = {piece.name for own, _ in ours.named_buffers() for piece in ours.hf_names().get(own, ())}
        for name, gradient in hf_tensors(ours).items():
            if name in fixed:
                continue
            if expected.get(name) is None:
                assert not gradient.any(), name
            else:
                assert torch.allclose(gradient, expected[name], atol=1e-5, rtol=1e-3), name

    def test_their_weights_load_here(self, theirs: Any, tmp_path: Path) -> None:
        noisy(theirs, seed=3).save_pretrained(tmp_path / "theirs", max_shard_size="40KB")
        assert len(list((tmp_path / "theirs").glob("*.safetensors"))) > 1
        loaded = load_model(tmp_path / "theirs")
        self.same(self.scores(loaded), self.their_output(theirs).logits)

    def test_their_body_loads_here(self, kind: str, theirs: Any, tmp_path: Path) -> None:
        if not self.bodies or (self.family.kind != "encoder" and not self.shape(kind).tie_embeddings):
            pytest.skip("it predicts nothing without its output layer")
        body = self.body(noisy(theirs, seed=3))
        body.save_pretrained(tmp_path / "body")
        self.same(self.states(load_model(tmp_path / "body")), self.their_states(body))

    def same(self, found: Tensor, expected: Tensor) -> None:
        real = self.targets() != IGNORED
        torch.testing.assert_close(found[real], expected[real], atol=1e-4, rtol=1e-4)

    # Agreement with itself.

    def test_it_comes_back_as_it_was(self, ours: Any, tmp_path: Path) -> None:
        save_model(ours, tiny.tokenizer_directory(tmp_path / "t"), tmp_path / "m", card="")
        loaded = load_model(tmp_path / "m")
        assert loaded.shape == ours.shape
        for (name, expected), (_, found) in zip(ours.named_parameters(), loaded.named_parameters(), strict=True):
            assert torch.equal(expected, found), name
        assert torch.equal(self.scores(loaded), self.scores(ours))

    def test_parameters_are_counted_exactly(self, kind: str) -> None:
        shape = self.shape(kind)
        assert shape.parameters == sum(p.numel() for p in self.family(shape).parameters())

    def test_initialisation_follows_its_seed_alone(self, kind: str) -> None:
        torch.manual_seed(1)
        before, first = torch.get_rng_state(), self.fresh(kind)
        assert torch.equal(before, torch.get_rng_state())
        torch.manual_seed(2)
        again, other = self.fresh(kind), self.family(self.shape(kind)).initialise(8)
        assert all(torch.equal(x, y) for x, y in zip(first.parameters(), again.parameters(), strict=True))
        assert not torch.equal(first.embedding, other.embedding)
        assert all(torch.isfinite(p).all() for p in first.parameters())

    def test_a_plan_takes_no_memory(self, kind: str) -> None:
        with torch.device("meta"):
            plan = self.family(self.shape(kind, width=4096, heads=32, kv_heads=32, head_dim=128, context=4096))
        assert all(tensor.is_meta for tensor in (*plan.parameters(), *plan.buffers()))

    def test_dropout_acts_in_training_only(self, kind: str) -> None:
        model = noisy(self.fresh(kind, dropout=0.5)).eval()
        assert torch.equal(self.scores(model), self.scores(model))
        model.train()
        assert not torch.equal(self.scores(model), self.scores(model))

    def test_it_learns_one_batch_by_heart(self, kind: str) -> None:
        torch.manual_seed(0)
        model, targets = self.fresh(kind).train(), self.targets().flatten()
        steps, rate = self.by_heart
        optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0)
        for _ in range(steps):
            loss = F.cross_entropy(self.scores(model).flatten(0, 1), targets, ignore_index=IGNORED)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert loss.item() < 0.05

    def test_recomputing_gives_the_same_gradients(self, ours: Any) -> None:
        found = []
        for recompute in (False, True):
            ours.train().zero_grad()
            ours.recompute = recompute
            self.scores(ours).square().mean().backward()
            found.append([p.grad for p in ours.parameters() if p.grad is not None])
        assert all(torch.allclose(x, y, atol=1e-6) for x, y in zip(*found, strict=True))

    def test_bfloat16_gives_states_in_bfloat16_and_scores_in_float32(self, ours: Any) -> None:
        exact = self.scores(ours)
        with torch.autocast("cpu", torch.bfloat16):
            states, scores = self.states(ours), self.scores(ours)
        assert (states.dtype, scores.dtype) == (torch.bfloat16, torch.float32)
        assert 0 < (scores - exact).abs().max() < self.rounding * exact.abs().max()


class DecoderChecks(Checks):
    theirs_class = "AutoModelForCausalLM"
    tokens = tiny.tokens(3, 20)

    def scores(self, model: Decoder) -> Tensor:
        return model(self.tokens)

    def states(self, model: Decoder) -> Tensor:
        return model.hidden(self.tokens)

    def targets(self) -> Tensor:
        return torch.cat((self.tokens[:, 1:], torch.full((3, 1), IGNORED)), 1)

    def their_output(self, theirs: Any) -> Any:
        return theirs(self.tokens, labels=self.tokens)

    def their_states(self, body: Any) -> Tensor:
        return body(self.tokens).last_hidden_state

    def test_greedy_text_is_theirs(self, ours: Decoder, theirs: Any) -> None:
        tokens, padding = self.tokens[:, :12], torch.tensor([0, 5, 11])
        theirs.generation_config.eos_token_id = None
        mask = (torch.arange(12) >= padding[:, None]).long()
        expected = theirs.generate(tokens, attention_mask=mask, max_new_tokens=GREEDY, do_sample=False)
        found, cache, new = tokens, ours.new_cache(12 + GREEDY), tokens
        for _ in range(GREEDY):
            new = ours.logits(ours.hidden(new, cache, padding)[:, -1:]).argmax(-1)
            found = torch.cat((found, new), 1)
        assert found.tolist() == expected.tolist()

    def test_a_later_token_never_moves_an_earlier_score(self, ours: Decoder) -> None:
        changed = self.tokens.clone()
        changed[:, 12] = (changed[:, 12] + 1) % 256
        before, after = ours(self.tokens), ours(changed)
        assert torch.equal(before[:, :12], after[:, :12])
        assert not torch.allclose(before[:, 12], after[:, 12])
        assert not torch.allclose(before[:, 19], after[:, 19])

    @pytest.mark.parametrize("cuts", [(1,) * 20, (10, 3, 7), (19, 1)], ids=["singly", "parts", "last"])
    def test_scores_with_a_cache_are_those_without(self, ours: Decoder, cuts: tuple[int, ...]) -> None:
        cache, padding = ours.new_cache(20), torch.tensor([0, 3, 11])
        parts = [ours.logits(ours.hidden(part, cache, padding)) for part in self.tokens.split(cuts, dim=1)]
        scores = torch.cat(parts, 1)
        for row, pad in enumerate(padding.tolist()):
            assert torch.allclose(scores[row, pad:], ours(self.tokens[row : row + 1, pad:])[0], atol=1e-5)

    def test_padding_on_the_left_never_moves_a_real_score(self, ours: Decoder) -> None:
        padding = torch.tensor([0, 3, 19])
        scores = ours.logits(ours.hidden(self.tokens, padding_b=padding))
        assert torch.isfinite(scores).all()
        for row, pad in enumerate(padding.tolist()):
            assert torch.allclose(scores[row, pad:], ours(self.tokens[row : row + 1, pad:])[0], atol=1e-5)

    def test_sight(self, ours: Decoder) -> None:
        """A position sees what it is said to see, and nothing else."""
        seen = torch.tensor([0, 6, 20])
        both, prefix = ours.hidden(self.tokens, sight="both"), ours.hidden(self.tokens, sight=seen)
        assert torch.allclose(prefix[0], ours.hidden(self.tokens)[0], atol=1e-5)
        assert torch.allclose(prefix[2], both[2], atol=1e-5)
        for place, reached in ((5, 0), (12, 12)):
            changed = self.tokens.clone()
            changed[1, place] = (changed[1, place] + 1) % 256
            moved = (ours.hidden(changed, sight=seen)[1] - prefix[1]).abs().amax(-1) > 1e-6
            assert moved.tolist() == [position >= reached for position in range(20)]


class EncoderChecks(Checks):
    theirs_class = "AutoModelForMaskedLM"
    tokens = tiny.tokens(3, 20)
    real = torch.arange(20) < torch.tensor([20, 13, 1])[:, None]

    def scores(self, model: Encoder) -> Tensor:
        return model(self.tokens, self.real)

    def states(self, model: Encoder) -> Tensor:
        return model.hidden(self.tokens, self.real)

    def targets(self) -> Tensor:
        return tiny.tokens(3, 20, seed=5).masked_fill(~self.real, IGNORED)

    def their_output(self, theirs: Any) -> Any:
        return theirs(self.tokens, attention_mask=self.real.long(), labels=self.targets())

    def their_states(self, body: Any) -> Tensor:
        return body(self.tokens, attention_mask=self.real.long()).last_hidden_state

    def test_padding_never_moves_a_real_score(self, ours: Encoder) -> None:
        scores = ours(self.tokens, self.real)
        assert torch.isfinite(scores).all()
        for row, length in enumerate(self.real.sum(1).tolist()):
            assert torch.allclose(scores[row, :length], ours(self.tokens[row : row + 1, :length])[0], atol=1e-5)

    def test_sight(self, ours: Encoder) -> None:
        """A position sees what it is said to see, and nothing else. Heads begin with little beyond their neighbours."""
        ours = copy.deepcopy(ours).double()
        seen = torch.tensor([0, 6, 20])
        whole, prefix = ours.hidden(self.tokens), ours.hidden(self.tokens, sight=seen)
        assert torch.allclose(prefix[0], ours.hidden(self.tokens, sight="left")[0], atol=1e-5)
        assert torch.allclose(prefix[2], whole[2], atol=1e-5)
        for place, reached in ((5, 0), (12, 12)):
            changed = self.tokens.clone()
            changed[1, place] = (changed[1, place] + 1) % 256
            moved = (ours.hidden(changed, sight=seen)[1] - prefix[1]).abs().amax(-1) > 1e-10
            assert moved.tolist() == [position >= reached for position in range(20)]


class EncoderDecoderChecks(Checks):
    theirs_class = "AutoModelForSeq2SeqLM"
    source = tiny.tokens(3, 14, seed=4)
    real = torch.arange(14) < torch.tensor([14, 9, 1])[:, None]
    tokens = tiny.tokens(3, 11)

    def scores(self, model: EncoderDecoder) -> Tensor:
        return model.logits(self.states(model))

    def states(self, model: EncoderDecoder) -> Tensor:
        return model.hidden(self.tokens, model.encode(self.source, self.real))

    def targets(self) -> Tensor:
        return tiny.tokens(3, 11, seed=5)

    def _inputs(self) -> dict[str, Tensor]:
        return {"input_ids": self.source, "attention_mask": self.real.long(), "decoder_input_ids": self.tokens}

    def their_output(self, theirs: Any) -> Any:
        return theirs(**self._inputs(), labels=self.targets())

    def their_states(self, body: Any) -> Tensor:
        return body(**self._inputs()).last_hidden_state

    def test_greedy_text_is_theirs(self, ours: EncoderDecoder, theirs: Any) -> None:
        theirs.generation_config.eos_token_id = None
        inputs = {"input_ids": self.source, "attention_mask": self.real.long()}
        expected = theirs.generate(**inputs, max_new_tokens=GREEDY, do_sample=False, num_beams=1)
        memory, cache = ours.encode(self.source, self.real), ours.new_cache(1 + GREEDY)
        found = new = expected[:, :1]
        for _ in range(GREEDY):
            new = ours.logits(ours.hidden(new, memory, cache)[:, -1:]).argmax(-1)
            found = torch.cat((found, new), 1)
        assert found.tolist() == expected.tolist()

    def test_a_later_token_never_moves_an_earlier_score(self, ours: EncoderDecoder) -> None:
        memory, changed = ours.encode(self.source, self.real), self.tokens.clone()
        changed[:, 6] = (changed[:, 6] + 1) % 256
        before, after = ours.hidden(self.tokens, memory), ours.hidden(changed, memory)
        assert torch.equal(before[:, :6], after[:, :6])
        assert not torch.allclose(before[:, 6], after[:, 6])
        assert not torch.allclose(before[:, 10], after[:, 10])

    def test_padding_of_a_source_never_moves_a_score(self, ours: EncoderDecoder) -> None:
        scores = self.scores(ours)
        for row, length in enumerate(self.real.sum(1).tolist()):
            alone = ours(self.source[row : row + 1, :length], self.tokens[row : row + 1])
            assert torch.allclose(scores[row], alone[0], atol=1e-5)

    def test_every_token_of_a_source_counts(self, ours: EncoderDecoder) -> None:
        changed = self.source.clone()
        changed[:, 0] = (changed[:, 0] + 1) % 256
        moved = ours.hidden(self.tokens, ours.encode(changed, self.real)) - self.states(ours)
        assert (moved.abs().amax(-1) > 1e-6).all()

    @pytest.mark.parametrize("cuts", [(1,) * 11, (5, 3, 3), (10, 1)], ids=["singly", "parts", "last"])
    def test_scores_with_a_cache_are_those_without(self, ours: EncoderDecoder, cuts: tuple[int, ...]) -> None:
        memory, cache = ours.encode(self.source, self.real), ours.new_cache(11)
        parts = [ours.hidden(part, memory, cache) for part in self.tokens.split(cuts, dim=1)]
        assert torch.allclose(torch.cat(parts, 1), self.states(ours), atol=1e-5)


def noisy(model: Any, seed: int = 1) -> Any:
    """A model whose every weight counts: nothing is left at zero or one, and scores differ by more than rounding."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and "embed_positions" not in name:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return model
