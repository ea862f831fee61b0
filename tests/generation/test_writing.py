from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lmcli.errors import ArtifactError, ConfigError
from lmcli.generation.config import GenerateConfig
from lmcli.generation.writing import Sample, write
from lmcli.models.attention import Cache
from lmcli.models.decoder import Decoder
from lmcli.models.directory import load_model, save_model
from lmcli.tokens.tokenizer import Tokenizer
from tests.models import tiny

EXACT = GenerateConfig(device="cpu", dtype="float32", max_tokens=24)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return Tokenizer.load(tiny.tokenizer_directory(tmp_path_factory.mktemp("t")))


class Script(Decoder):
    """A model that says one text, whatever the prompt, and counts positions from the prompt's last token."""

    def __init__(self, ids: Sequence[int], prompt: int) -> None:
        super().__init__()
        self.shape = tiny.shape(context=512)
        self.embedding = torch.nn.Parameter(torch.zeros(258, 32))
        self.head = None
        self.ids, self.prompt = list(ids), prompt

    def new_cache(self, capacity: int) -> Cache:
        return Cache(0, capacity)

    def hidden(self, tokens_bt: Tensor, cache: Cache | None = None, padding_b: Tensor | None = None) -> Tensor:
        assert cache is not None
        cache.advance(tokens_bt.shape[1])
        return torch.full((*tokens_bt.shape, 1), float(cache.length - self.prompt))

    def logits(self, hidden: Tensor) -> Tensor:
        scores = torch.zeros(hidden.shape[0], 258)
        for row, place in enumerate(hidden[:, 0].tolist()):
            scores[row, self.ids[int(place)]] = 50.0
        return scores


def said(tokenizer: Tokenizer, text: str, config: GenerateConfig = EXACT, end: bool = True) -> tuple[Sample, list[str]]:
    """What is written by a model that says `text` and ends."""
    pieces: list[str] = []
    model = Script(tokenizer.encode(text) + [tokenizer.end_id] * end, 1)
    (sample,) = write(model, tokenizer, ["x"], config, 0, lambda index, piece: pieces.append(piece))
    return sample, pieces


def test_the_end_token_ends_and_is_not_counted(tokenizer: Tokenizer) -> None:
    sample, pieces = said(tokenizer, "hello")
    assert sample == Sample("x", "hello", 5, "end", 0, False)
    assert pieces == list("hello")


def test_characters_of_several_tokens_come_whole(tokenizer: Tokenizer) -> None:
    sample, pieces = said(tokenizer, "a😀你é", replace(EXACT, max_tokens=30))
    assert (sample.text, pieces) == ("a😀你é", ["a", "😀", "你", "é"])
    assert sample.tokens == 10


def test_half_a_character_at_the_end_is_shown_as_such(tokenizer: Tokenizer) -> None:
    sample, pieces = said(tokenizer, "a😀", replace(EXACT, max_tokens=3))
    assert (sample.text, pieces, sample.finish_reason) == ("a\ufffd", ["a", "\ufffd"], "length")


def test_a_stop_string_ends_across_tokens_and_is_held_back(tokenizer: Tokenizer) -> None:
    sample, pieces = said(tokenizer, "one. two END three", replace(EXACT, stop=(" END", "nothing")))
    assert (sample.text, sample.finish_reason, sample.tokens) == ("one. two", "stop", 12)
    assert "".join(pieces) == "one. two"


def test_min_tokens_puts_the_end_off(tokenizer: Tokenizer) -> None:
    sample, _ = said(tokenizer, "ab", replace(EXACT, min_tokens=2))
    assert (sample.tokens, sample.finish_reason) == (2, "end")
    model = Script([tokenizer.end_id] * 9, 1)
    (sample,) = write(model, tokenizer, ["x"], replace(EXACT, min_tokens=4), 0)
    assert (sample.tokens, sample.finish_reason) == (4, "end")


def test_length_ends_after_max_tokens(tokenizer: Tokenizer) -> None:
    sample, _ = said(tokenizer, "abcdef", replace(EXACT, max_tokens=4))
    assert (sample.text, sample.tokens, sample.finish_reason) == ("abcd", 4, "length")


def test_an_empty_prompt_starts_a_document(tokenizer: Tokenizer) -> None:
    model = tiny.model()
    greedy = replace(EXACT, greedy=True, max_tokens=1, min_tokens=1)
    (sample,) = write(model, tokenizer, [""], greedy, 0)
    scores = model(torch.tensor([[tokenizer.end_id]]))[0, -1]
    scores[tokenizer.end_id] = -torch.inf
    assert sample.text == tokenizer.decode([int(scores.argmax())])


PROMPTS = [
    "Once upon a time",
    "",
    "你好",
    "x",
    "Once upon a time",
    "A prompt that is longer than the context of the model",
]


@pytest.mark.parametrize(
    "config",
    [
        EXACT,
        replace(EXACT, greedy=True),
        replace(EXACT, max_tokens=40, repetition_penalty=1.3, top_k=0, top_p=0.9, min_p=0.01, stop=("e",)),
    ],
    ids=["default", "greedy", "everything"],
)
def test_a_sample_depends_on_its_seed_and_prompt_alone(config: GenerateConfig, tokenizer: Tokenizer) -> None:
    model = tiny.model()
    together = write(model, tokenizer, PROMPTS, replace(config, count=2), 5)
    assert [sample.prompt for sample in together] == [prompt for prompt in PROMPTS for _ in range(2)]
    alone = [sample for prompt in PROMPTS for sample in write(model, tokenizer, [prompt], replace(config, count=2), 5)]
    assert together == alone
    assert together == write(model, tokenizer, PROMPTS, replace(config, count=2, batch=3), 5)
    assert [sample.truncated for sample in together] == [len(sample.prompt) > 32 for sample in together]


def test_seeds_and_numbers_give_different_texts(tokenizer: Tokenizer) -> None:
    model = tiny.model()
    texts = [sample.text for seed in (1, 2) for sample in write(model, tokenizer, ["x"], replace(EXACT, count=3), seed)]
    assert len(set(texts)) == 6


def test_pieces_join_to_the_texts(tokenizer: Tokenizer) -> None:
    streamed: dict[int, str] = defaultdict(str)

    def collect(index: int, piece: str) -> None:
        assert piece
        streamed[index] += piece

    samples = write(tiny.model(), tokenizer, PROMPTS, replace(EXACT, count=2, stop=("q", "zz"), batch=5), 1, collect)
    assert [streamed[index] for index in range(len(samples))] == [sample.text for sample in samples]


def test_greedy_text_is_that_of_reading_all_anew(tokenizer: Tokenizer) -> None:
    model, text = tiny.model(kv_heads=2), tokenizer.encode("Once")
    for _ in range(20):
        text.append(int(model(torch.tensor([text]))[0, -1].argmax()))
    (sample,) = write(model, tokenizer, ["Once"], replace(EXACT, greedy=True, max_tokens=20), 0)
    assert sample.text == tokenizer.decode(text[4:])


def test_the_penalty_forbids_what_was_used(tokenizer: Tokenizer) -> None:
    config = replace(EXACT, greedy=True, max_tokens=60, min_tokens=60)
    (plain,) = write(tiny.model(), tokenizer, ["ab"], config, 0)
    (varied,) = write(tiny.model(), tokenizer, ["ab"], replace(config, repetition_penalty=1e6), 0)
    plain_ids = tokenizer.encode(plain.text)
    assert len(set(plain_ids)) < len(plain_ids)
    assert "a" not in varied.text
    assert "b" not in varied.text


def test_spare_rows_of_the_model_are_never_chosen(tokenizer: Tokenizer) -> None:
    model = tiny.model(vocab_size=300, tie_embeddings=False)
    with torch.no_grad():
        model.head[258:] *= 100  # type: ignore[index]
    for sample in write(model, tokenizer, ["abc"], replace(EXACT, count=4), 0):
        assert sample.tokens == 24 or sample.finish_reason == "end"


def test_a_tokenizer_of_another_model_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(ArtifactError, match="the tokenizer has 258 tokens and the model 200"):
        write(tiny.model(vocab_size=200), tokenizer, ["a"], EXACT, 0)


def test_an_empty_stop_string_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(ConfigError, match="empty string"):
        write(tiny.model(), tokenizer, ["a"], replace(EXACT, stop=("a", "")), 0)


def test_a_damaged_model_is_an_error(tokenizer: Tokenizer) -> None:
    model = tiny.model()
    with torch.no_grad():
        model.norm.weight[0] = torch.nan
    with pytest.raises(ArtifactError, match="aren't finite"):
        write(model, tokenizer, ["a"], EXACT, 0)


def test_no_prompts_give_no_samples(tokenizer: Tokenizer) -> None:
    assert write(tiny.model(), tokenizer, [], EXACT, 0) == []


def test_bfloat16_writes(tokenizer: Tokenizer) -> None:
    samples = write(tiny.model(), tokenizer, ["a", "bcd"], replace(EXACT, dtype="bfloat16", max_tokens=40), 0)
    assert all(sample.tokens for sample in samples)


@pytest.mark.parametrize("changes", [{}, {"kv_heads": 2, "tie_embeddings": False}])
def test_greedy_ids_are_those_of_transformers(changes: dict[str, Any], tokenizer: Tokenizer, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    save_model(tiny.model(context=64, **changes), tiny.tokenizer_directory(tmp_path / "t"), tmp_path / "m", card="")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "m")
    prompts = ["Once upon", "a", "你好"]
    samples = write(load_model(tmp_path / "m"), tokenizer, prompts, replace(EXACT, greedy=True, max_tokens=40), 0)
    for prompt, sample in zip(prompts, samples, strict=True):
        ids = torch.tensor([tokenizer.encode(prompt)])
        found = theirs.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=40)
        assert sample.text == tokenizer.decode(found[0, ids.shape[1] :].tolist())
