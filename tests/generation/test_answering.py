"""Writing by encoder-decoders, whose prompt is the source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lmcli.errors import ArtifactError
from lmcli.generation.config import GenerateConfig
from lmcli.generation.writing import Sample, write
from lmcli.models.directory import load_decoder, load_writer, save_model
from lmcli.models.encoder_decoder import EncoderDecoder
from lmcli.models.marian import Marian
from lmcli.models.t5 import T5
from lmcli.tokens.tokenizer import Tokenizer
from tests.models import families, tiny

EXACT = GenerateConfig(device="cpu", dtype="float32", max_tokens=24)
PROMPTS = ["To be, or not", "a", "", "what a piece of work is a man! how noble in reason"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.tokenizer_directory(tmp_path_factory.mktemp("t"))


@pytest.fixture(scope="module")
def tokenizer(directory: Path) -> Tokenizer:
    return Tokenizer.load(directory)


def small(family: Any) -> EncoderDecoder:
    shape = family.shape_type(**families.SIZES, decoder_depth=2)
    made: EncoderDecoder = families.noisy(family(shape).initialise(0)).eval()
    return made


@pytest.mark.parametrize("family", [T5, Marian])
def test_greedy_text_is_that_of_transformers(
    family: Any, directory: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers")
    model = small(family)
    save_model(model, directory, tmp_path / "m", card="")
    theirs = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "m")
    for sample in write(model, tokenizer, PROMPTS[:2], replace(EXACT, greedy=True), seed=0):
        source = torch.tensor([[*tokenizer.encode(sample.prompt), tokenizer.end_id]])
        ids = theirs.generate(source, max_new_tokens=24, do_sample=False, num_beams=1)[0, 1:].tolist()
        ends = [place for place, token in enumerate(ids) if token == tokenizer.end_id]
        assert sample.text == tokenizer.decode(ids[: ends[0]] if ends else ids)
        assert not sample.goes_on


def texts(samples: list[Sample]) -> list[tuple[str, str]]:
    return [(sample.prompt, sample.text) for sample in samples]


def test_what_is_written_beside_a_text_does_not_move_it(tokenizer: Tokenizer) -> None:
    model, rules = small(T5), replace(EXACT, count=2, repetition_penalty=1.3, top_p=0.9)
    together = texts(write(model, tokenizer, PROMPTS, rules, seed=5))
    alone = [pair for prompt in PROMPTS for pair in texts(write(model, tokenizer, [prompt], rules, seed=5))]
    assert together == alone
    assert len({text for _, text in together}) > 4


def test_a_text_ends_with_the_context_and_a_long_source_is_cut(tokenizer: Tokenizer) -> None:
    rules = replace(EXACT, greedy=True, max_tokens=100, min_tokens=100)
    short, long = write(small(Marian), tokenizer, ["a", PROMPTS[3]], rules, seed=0)
    assert (short.tokens, short.finish_reason, short.truncated) == (32, "length", False)
    assert (long.tokens, long.truncated) == (32, True)


def test_only_what_was_written_counts_as_repeated(tokenizer: Tokenizer) -> None:
    """As in transformers, a source may be quoted at no cost: its own tokens are not penalised at the first step."""
    model = small(T5)
    plain = write(model, tokenizer, ["abc"], replace(EXACT, greedy=True, max_tokens=1), seed=0)
    penalised = write(
        model, tokenizer, ["abc"], replace(EXACT, greedy=True, max_tokens=1, repetition_penalty=50), seed=0
    )
    assert texts(plain) == texts(penalised)


def test_kinds(directory: Path, tmp_path: Path) -> None:
    save_model(small(T5), directory, tmp_path / "m", card="")
    assert load_writer(tmp_path / "m").kind == "encoder-decoder"
    with pytest.raises(ArtifactError, match="encoder-decoder"):
        load_decoder(tmp_path / "m")
