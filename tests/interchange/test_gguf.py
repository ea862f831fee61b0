from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lmcli.errors import ArtifactError
from lmcli.generation.config import GenerateConfig
from lmcli.generation.writing import write
from lmcli.interchange import gguf_file, llama
from lmcli.interchange.config import ExportConfig
from lmcli.interchange.gguf_file import FILE, GGUF
from lmcli.interchange.gguf_vocabulary import CONTROL, NORMAL, UNUSED, vocabulary
from lmcli.interchange.source import Source
from lmcli.models.decoder import Decoder
from tests.interchange.conftest import SPARE, TEXT
from tests.tokens.conftest import trained

gguf = pytest.importorskip("gguf")

PRECISIONS: list[dict[str, Any]] = [{}, {"dtype": "float16"}, {"dtype": "bfloat16"}, {"quantize": "q8_0"}]


@pytest.fixture(autouse=True)
def only_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """llama.cpp has tests of its own below."""
    monkeypatch.setattr(gguf_file, "is_there", lambda module: False)


@pytest.mark.parametrize("settings", PRECISIONS, ids=["float32", "float16", "bfloat16", "q8_0"])
def test_the_file_holds_the_model(settings: dict[str, Any], source: Source, tmp_path: Path) -> None:
    config = ExportConfig(format="gguf", **settings)
    GGUF.write(source, config, tmp_path)
    (check,) = GGUF.check(source, config, tmp_path)
    assert check.holds, str(check)
    assert check.precision == (settings.get("quantize") or settings.get("dtype", "float32"))
    assert (check.difference == 0) == (not settings)
    kinds = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(tmp_path / FILE).tensors}
    stored = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "q8_0": "Q8_0"}[check.precision]
    assert kinds["token_embd.weight"] == kinds["blk.1.attn_q.weight"] == stored
    assert kinds["output_norm.weight"] == kinds["blk.0.attn_q_norm.weight"] == "F32"
    assert kinds["blk.0.ffn_down.weight"] == ("F16" if stored == "Q8_0" else stored)  # rows of 48 are no blocks of 32
    assert "output.weight" not in kinds


def test_the_same_model_gives_the_same_bytes(source: Source, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        GGUF.write(source, ExportConfig(format="gguf"), tmp_path / name)
    assert (tmp_path / "one" / FILE).read_bytes() == (tmp_path / "two" / FILE).read_bytes()


def test_numbers_and_words_of_the_file(source: Source, tmp_path: Path) -> None:
    GGUF.write(source, ExportConfig(format="gguf"), tmp_path)
    reader = gguf.GGUFReader(tmp_path / FILE)

    def value(key: str) -> Any:
        return reader.get_field(key).contents()

    assert value("general.architecture") == "qwen3"
    assert value("general.name") == "story"
    assert value("qwen3.context_length") == 48
    assert value("qwen3.attention.key_length") == 16
    assert (value("qwen3.attention.head_count"), value("qwen3.attention.head_count_kv")) == (4, 2)
    assert value("qwen3.rope.freq_base") == 10_000.0
    assert (value("tokenizer.ggml.model"), value("tokenizer.ggml.pre")) == ("gpt2", "qwen2")
    assert len(value("tokenizer.ggml.tokens")) == source.model.shape.vocab_size
    assert value("tokenizer.ggml.eos_token_id") == source.tokenizer.end_id
    assert value("tokenizer.chat_template") == (source.directory / "chat_template.jinja").read_text()


def test_the_vocabulary_has_a_token_for_each_row(source: Source) -> None:
    size = source.tokenizer.vocab_size
    words = vocabulary(source.tokenizer, size + SPARE)
    assert words.kinds[-SPARE:] == [UNUSED] * SPARE
    assert words.kinds.count(CONTROL) == 4
    assert words.kinds.count(NORMAL) == size - 4
    assert words.kinds[source.tokenizer.end_id] == CONTROL
    assert len(set(words.tokens)) == size + SPARE
    assert words.tokens[source.tokenizer.encode("The")[0]].startswith("T")
    assert all(len(merge.split(" ")) == 2 for merge in words.merges)


@pytest.mark.parametrize(("kind", "pattern"), [("bpe", "gpt4"), ("char", "qwen2"), ("unigram", "qwen2")])
def test_a_tokenizer_that_llama_cpp_would_read_differently_is_refused(kind: str, pattern: Any, tmp_path: Path) -> None:
    tokenizer = trained([TEXT], tmp_path, kind, pattern=pattern)
    with pytest.raises(ArtifactError, match=r"llama\.cpp has no word for"):
        vocabulary(tokenizer, tokenizer.vocab_size)


def test_a_file_with_other_numbers_is_noticed(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = ExportConfig(format="gguf")
    with monkeypatch.context() as patch:
        patch.setattr(gguf_file, "_array", lambda tensor: tensor.float().flip(0).contiguous().numpy())
        GGUF.write(source, config, tmp_path)
    (check,) = GGUF.check(source, config, tmp_path)
    assert not check.holds


@pytest.mark.slow
@pytest.mark.parametrize("settings", PRECISIONS, ids=["float32", "float16", "bfloat16", "q8_0"])
def test_llama_cpp_computes_the_same(settings: dict[str, Any], source: Source, tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp")
    config = ExportConfig(format="gguf", **settings)
    GGUF.write(source, config, tmp_path)
    precision = settings.get("quantize") or settings.get("dtype", "float32")
    check = llama.check(source, precision, tmp_path / FILE)
    assert check.holds, str(check)


@pytest.mark.slow
def test_llama_cpp_writes_the_same(source: Source, tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp")
    GGUF.write(source, ExportConfig(format="gguf"), tmp_path)
    running = llama.load(tmp_path / FILE, 48)
    assert isinstance(source.model, Decoder)
    for prompt in ("The cat", "In 1987", "\u4f60\u597d, Isn't"):
        ids = source.tokenizer.encode(prompt)
        assert running.tokenize(prompt.encode(), add_bos=False, special=False) == ids
        theirs = list(ids)
        for _ in range(12):
            theirs.append(int(llama.logits(running, theirs)[-1, : source.tokenizer.vocab_size].argmax()))
        settings = GenerateConfig(greedy=True, max_tokens=12, dtype="float32", device="cpu")
        (ours,) = write(source.model, source.tokenizer, [prompt], settings, 0)
        end = theirs.index(source.tokenizer.end_id) if source.tokenizer.end_id in theirs else len(theirs)
        assert source.tokenizer.decode(theirs[len(ids) : end]) == ours.text
    assert torch.isfinite(llama.logits(running, ids)).all()
