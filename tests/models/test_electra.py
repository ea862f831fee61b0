from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import torch.nn.functional as F

from lmcli.models.directory import load_model, save_model
from lmcli.models.electra import Electra, Generator
from lmcli.models.electra_shape import ElectraShape
from tests.models import tiny
from tests.models.families import EncoderChecks, noisy

ODD = {"width": 24, "heads": 3, "kv_heads": 3, "ffn": 50, "context": 21}


class TestGenerator(EncoderChecks):
    family = Generator
    kinds: ClassVar = {"narrow": {"embedding_width": 20}, "same": {"embedding_width": 24, **ODD}}


class TestElectra:
    REAL = EncoderChecks.real
    TOKENS = EncoderChecks.tokens

    @pytest.fixture(params=[20, 32], ids=["narrow", "same"])
    def ours(self, request: pytest.FixtureRequest) -> Electra:
        return noisy(Electra(shape(embedding_width=request.param)).initialise(0)).eval()

    def test_it_is_theirs(self, ours: Electra, tmp_path: Path) -> None:
        transformers = pytest.importorskip("transformers")
        save_model(ours, tiny.tokenizer_directory(tmp_path / "t"), tmp_path / "m", card="")
        read = transformers.ElectraForPreTraining.from_pretrained
        theirs, report = read(tmp_path / "m", output_loading_info=True)
        assert not any(report.values()), report
        labels = (tiny.tokens(3, 20, seed=5) < 60).long()
        found = ours.replaced_logits(ours.hidden(self.TOKENS, self.REAL))
        expected = theirs.eval()(self.TOKENS, attention_mask=self.REAL.long(), labels=labels)
        torch.testing.assert_close(found[self.REAL], expected.logits[self.REAL], atol=1e-4, rtol=1e-4)
        F.binary_cross_entropy_with_logits(found[self.REAL], labels[self.REAL].float()).backward()
        expected.loss.backward()
        gradient = theirs.electra.embeddings.word_embeddings.weight.grad
        torch.testing.assert_close(ours.embedding.grad, gradient, atol=1e-5, rtol=1e-3)

    def test_the_generator_lies_beside_it_and_is_theirs(self, ours: Electra, tmp_path: Path) -> None:
        transformers = pytest.importorskip("transformers")
        save_model(ours, tiny.tokenizer_directory(tmp_path / "t"), tmp_path / "m", card="")
        read = transformers.AutoModelForMaskedLM.from_pretrained
        theirs, report = read(tmp_path / "m" / "generator", output_loading_info=True)
        assert not any(report.values()), report
        expected = theirs.eval()(self.TOKENS, attention_mask=self.REAL.long()).logits[self.REAL]
        own, alone = ours.generator, load_model(tmp_path / "m" / "generator")
        for model in (own, alone):
            found = model(self.TOKENS, self.REAL)[self.REAL]
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)

    def test_it_comes_back_with_shared_vectors(self, ours: Electra, tmp_path: Path) -> None:
        save_model(ours, tiny.tokenizer_directory(tmp_path / "t"), tmp_path / "m", card="")
        loaded = load_model(tmp_path / "m")
        assert isinstance(loaded, Electra)
        assert loaded.generator.embedding is loaded.embedding
        assert loaded.generator.embedding_norm.weight is loaded.embedding_norm.weight
        for (name, expected), (_, found) in zip(ours.named_parameters(), loaded.named_parameters(), strict=True):
            assert torch.equal(expected, found), name

    def test_a_discriminator_alone_gets_a_generator(self, ours: Electra, tmp_path: Path) -> None:
        transformers = pytest.importorskip("transformers")
        own = ours.hf_config(end_id=0, pad_id=0, dtype="float32")
        config = transformers.ElectraConfig(**{key: x for key, x in own.items() if "generator" not in key})
        theirs: Any = noisy(transformers.ElectraForPreTraining(config)).eval()
        theirs.save_pretrained(tmp_path / "theirs")
        loaded = load_model(tmp_path / "theirs")
        assert isinstance(loaded, Electra)
        expected = theirs(self.TOKENS, attention_mask=self.REAL.long()).logits[self.REAL]
        found = loaded.replaced_logits(loaded.hidden(self.TOKENS, self.REAL))[self.REAL]
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
        assert loaded.generator.shape.width == 8
        assert all(torch.isfinite(p).all() for p in loaded.parameters())

    def test_parameters_are_counted_exactly(self, ours: Electra) -> None:
        assert ours.shape.parameters == sum(p.numel() for p in ours.parameters())


def shape(**changes: Any) -> ElectraShape:
    generator = {"generator_width": 12, "generator_heads": 3, "generator_ffn": 10}
    sizes = {"vocab_size": 258, "width": 32, "depth": 2, "heads": 4, "kv_heads": 4, "head_dim": 8, "ffn": 48}
    return ElectraShape(**{**sizes, "context": 32, **generator, **changes})
