from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lmcli.errors import ArtifactError, InputError
from lmcli.generation.filling import fill, masked_ids
from lmcli.models.bert import Bert, BertShape
from lmcli.models.config import ComputeConfig
from lmcli.models.device import Compute, resolve_compute
from lmcli.models.directory import save_model
from lmcli.models.electra import Electra
from lmcli.models.electra_shape import ElectraShape
from lmcli.models.masked_lm import load_masked_lm
from lmcli.tokens.tokenizer import Tokenizer
from tests.models import tiny
from tests.objectives.encoded import SPECIAL
from tests.tokens.conftest import corpus, trained

SIZES = {"width": 32, "depth": 1, "heads": 2, "kv_heads": 2, "head_dim": 16, "ffn": 64, "context": 24}


@pytest.fixture(scope="module", params=["wordpiece", "bpe", "char"])
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return trained([corpus(20_000)], tmp_path_factory.mktemp("t"), kind=request.param, special_tokens=SPECIAL)


@pytest.fixture
def compute() -> Compute:
    return resolve_compute(ComputeConfig(device="cpu", dtype="float32"))


def bert(tokenizer: Tokenizer) -> Bert:
    return Bert(BertShape(vocab_size=tokenizer.vocab_size + 3, **SIZES)).initialise(0).eval()  # type: ignore[arg-type]


def test_masks_are_tokens_between_those_around_the_text(tokenizer: Tokenizer) -> None:
    roles = tokenizer.roles
    before = "the" if tokenizer.unit != "characters" else "the "
    expected = [*tokenizer.encode(before), roles["mask_token"], *tokenizer.encode(" is"), roles["mask_token"]]
    for prompt in ("the [MASK] is[MASK]", "the <mask> is<mask>"):
        assert masked_ids(tokenizer, prompt) == [roles["cls_token"], *expected, roles["sep_token"]]


def test_the_likeliest_tokens_come_first(tokenizer: Tokenizer, compute: Compute) -> None:
    model = bert(tokenizer)
    (found,) = fill(model, tokenizer, ["the [MASK] is"], compute, count=4)
    ids = masked_ids(tokenizer, "the [MASK] is")
    place = ids.index(tokenizer.roles["mask_token"])
    shares = model(torch.tensor([ids]))[0, place, : tokenizer.vocab_size].softmax(-1)
    shares[sorted(tokenizer.special_ids)] = 0
    (candidates,) = found.masks
    assert [item.probability for item in candidates] == pytest.approx(shares.topk(4).values.tolist())
    ids[place] = int(shares.argmax())
    assert found.text == tokenizer.decode(ids).strip()


def test_prompts_that_cannot_be_filled_are_refused(tokenizer: Tokenizer, compute: Compute, tmp_path: Path) -> None:
    plain = Tokenizer.load(tiny.tokenizer_directory(tmp_path))
    with pytest.raises(InputError, match=r"no \[MASK\] in the prompt"):
        fill(bert(tokenizer), tokenizer, ["the is"], compute)
    with pytest.raises(InputError, match="the model sees 24"):
        fill(bert(tokenizer), tokenizer, ["[MASK]" * 30], compute)
    with pytest.raises(ArtifactError, match="no tokenizer of a model that fills in masks"):
        fill(bert(tokenizer), plain, ["[MASK]"], compute)


def test_of_electra_the_generator_fills_in(tmp_path: Path) -> None:
    own = {"embedding_width": 16, "generator_width": 16, "generator_heads": 1, "generator_ffn": 32}
    model = Electra(ElectraShape(vocab_size=258, **SIZES, **own)).initialise(0)  # type: ignore[arg-type]
    save_model(model, tiny.tokenizer_directory(tmp_path / "t"), tmp_path / "m", card="")
    found, tokens = load_masked_lm(tmp_path / "m"), tiny.tokens(2, 9)
    assert torch.equal(found(tokens), model.generator.eval()(tokens))
    (tmp_path / "m" / "generator").rename(tmp_path / "elsewhere")
    with pytest.raises(ArtifactError, match="came without its generator"):
        load_masked_lm(tmp_path / "m")
    save_model(tiny.model(), tmp_path / "t", tmp_path / "d", card="")
    with pytest.raises(ArtifactError, match="holds a decoder, and this needs an encoder"):
        load_masked_lm(tmp_path / "d")
