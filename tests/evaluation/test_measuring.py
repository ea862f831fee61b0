from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from lmcli.corpus.documents import Document
from lmcli.corpus.rows import Row
from lmcli.corpus.splits import Piece
from lmcli.errors import ArtifactError, ConfigError, InputError
from lmcli.evaluation.config import EvalConfig
from lmcli.evaluation.measuring import Subject, load, measure_documents, measure_rows, measure_stream, texts
from lmcli.evaluation.metrics.exact import Exact
from lmcli.models.device import Compute
from lmcli.models.directory import save_model
from lmcli.models.qwen3 import Qwen3
from lmcli.models.shape import Shape
from lmcli.progress import Silent
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.encoding import encode
from lmcli.tokens.shards import TokenStream
from lmcli.tokens.tokenizer import Tokenizer
from lmcli.tokens.training import train_tokenizer

TEXTS = [f"the cat {number} sat on the mat, 你好{number % 3}世界.\n" for number in range(40)]
CONFIG = EvalConfig(batch=4, max_tokens=5, device="cpu", dtype="float32", threads=1)


class Heard(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def trained(directory: Path, kind: str) -> Tokenizer:
    size = sum(len(text.encode()) for text in TEXTS)
    config = TokenizerConfig(kind=kind, vocab_size=300 if kind == "bpe" else "auto")
    train_tokenizer(TEXTS, size, config, directory, Silent())
    return Tokenizer.load(directory)


def subject_of(tokenizer: Tokenizer, **changes: Any) -> Subject:
    """A model of random weights; an output layer of its own is zero, so that all logits are equal."""
    shape = Shape(
        vocab_size=tokenizer.vocab_size, width=16, depth=1, heads=2, kv_heads=2, head_dim=8, ffn=32, context=16
    )
    model = Qwen3(dataclasses.replace(shape, **changes)).initialise(0).eval()
    if not model.shape.tie_embeddings:
        model.output.weight.data.zero_()
    return Subject(model, tokenizer, Compute("cpu", "float32", 1))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return trained(tmp_path_factory.mktemp("tokenizer"), "bpe")


@pytest.fixture(scope="module")
def subject(tokenizer: Tokenizer) -> Subject:
    return subject_of(tokenizer)


@pytest.fixture(scope="module")
def stream(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> TokenStream:
    out = tmp_path_factory.mktemp("tokens")
    pieces = [Piece(text, "validation", True) for text in TEXTS] + [Piece("a", "train", True)]
    encode(pieces, tokenizer, out, workers=1, progress=Silent())
    return TokenStream.open(out, "validation")


def documents(texts: list[str] = TEXTS) -> list[Document]:
    return [Document(str(number), text) for number, text in enumerate(texts)]


def test_a_stream_is_measured_once_and_whole(subject: Subject, stream: TokenStream) -> None:
    results = measure_stream(subject, stream, CONFIG, Silent())
    size = sum(len(text.encode()) for text in TEXTS)
    assert results.counts == {"tokens": len(stream), "text_bytes": size, "documents": 40}
    assert list(results.figures) == ["loss", "perplexity", "bpb", "unigram_bpb", "gzip_bpb", "xz_bpb"]
    assert results.figures["perplexity"] == pytest.approx(math.exp(results.figures["loss"]))
    units = {score.name: (score.n, score.unit) for score in results.scores}
    assert units["bpb"] == (40, "documents")
    assert units["gzip_bpb"] == (size, "bytes")


def test_equal_logits_cost_the_logarithm_of_the_vocabulary(tokenizer: Tokenizer, stream: TokenStream) -> None:
    results = measure_stream(subject_of(tokenizer, tie_embeddings=False), stream, CONFIG, Silent())
    assert results.figures["loss"] == pytest.approx(math.log(tokenizer.vocab_size), rel=1e-6)
    text_tokens = len(stream) - 40
    expected = text_tokens * math.log2(tokenizer.vocab_size) / stream.text_bytes
    assert results.figures["bpb"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("source", ["stream", "documents"])
def test_the_batch_size_changes_nothing(subject: Subject, stream: TokenStream, source: str) -> None:
    def measured(batch: int) -> dict[str, float]:
        config = dataclasses.replace(CONFIG, batch=batch)
        if source == "stream":
            return measure_stream(subject, stream, config, Silent()).figures
        return measure_documents(subject, documents(), config, Silent()).figures

    assert measured(1) == pytest.approx(measured(4), rel=1e-6)
    assert measured(1) == pytest.approx(measured(16), rel=1e-6)


def test_documents_of_a_file_have_the_same_text_and_baselines_as_the_stream(
    subject: Subject, stream: TokenStream
) -> None:
    of_stream = measure_stream(subject, stream, CONFIG, Silent())
    of_file = measure_documents(subject, documents(), CONFIG, Silent())
    assert {**of_stream.counts, "unknown_tokens": 0} == of_file.counts
    for name in ("unigram_bpb", "gzip_bpb"):
        assert of_file.figures[name] == of_stream.figures[name]
    assert of_file.figures["bpb"] == pytest.approx(of_stream.figures["bpb"], rel=0.2)


def test_one_document_that_fits_the_context_is_the_same_either_way(tokenizer: Tokenizer, tmp_path: Path) -> None:
    subject = subject_of(tokenizer, context=64)
    pieces = [Piece(TEXTS[0], "validation", True), Piece("a", "train", True)]
    encode(pieces, tokenizer, tmp_path, workers=1, progress=Silent())
    of_stream = measure_stream(subject, TokenStream.open(tmp_path, "validation"), CONFIG, Silent())
    of_file = measure_documents(subject, documents(TEXTS[:1]), CONFIG, Silent())
    assert of_file.figures["loss"] == pytest.approx(of_stream.figures["loss"], rel=1e-6)
    assert of_file.figures["bpb"] == pytest.approx(of_stream.figures["bpb"], rel=1e-6)


def test_texts_are_what_was_encoded(tokenizer: Tokenizer, stream: TokenStream) -> None:
    assert "".join(texts(stream, tokenizer)) == "".join(TEXTS)


def test_what_the_alphabet_lacks_is_counted_and_said(tmp_path: Path) -> None:
    subject, heard = subject_of(trained(tmp_path, "char")), Heard()
    results = measure_documents(subject, documents(["the cat Ωж"]), CONFIG, heard)
    assert results.counts["unknown_tokens"] == 2
    assert results.counts["text_bytes"] == len("the cat Ωж".encode())
    assert len(heard.warnings) == 1
    assert "2 of 11 tokens" in heard.warnings[0]


def test_metrics_need_prompts(subject: Subject, stream: TokenStream) -> None:
    config = dataclasses.replace(CONFIG, metrics=(Exact(),))
    with pytest.raises(ConfigError, match="no prompts"):
        measure_stream(subject, stream, config, Silent())
    with pytest.raises(ConfigError, match="no prompts"):
        measure_documents(subject, documents(), config, Silent())
    with pytest.raises(ConfigError, match="no prompts"):
        measure_rows(subject, [Row("1", "", "text")], config, Silent())


def test_tokens_of_another_tokenizer_are_refused(stream: TokenStream, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="another tokenizer"):
        measure_stream(subject_of(trained(tmp_path, "char")), stream, CONFIG, Silent())


ROWS = [Row(f"r:{number}", f"the cat {number}", " sat on the mat") for number in range(6)]


def test_rows_are_measured_generated_for_and_compared(subject: Subject) -> None:
    results = measure_rows(subject, ROWS, dataclasses.replace(CONFIG, limit=4), Silent())
    figures = ["loss", "perplexity", "bpb", "bleu", "chrf", "rouge1", "rouge2", "rougeL", "exact"]
    assert list(results.figures) == figures
    assert (results.counts["rows"], results.counts["rows_generated"], results.counts["rows_with_prompt"]) == (6, 4, 6)
    assert results.counts["text_bytes"] == 6 * len(" sat on the mat")
    assert len(results.samples) == 4
    for sample in results.samples:
        row = next(row for row in ROWS if row.id == sample.id)
        assert (sample.prompt, sample.reference) == (row.prompt, row.completion)
    assert {score.unit for score in results.scores} == {"rows"}


def test_only_the_completion_of_a_row_counts(tokenizer: Tokenizer) -> None:
    results = measure_rows(subject_of(tokenizer, tie_embeddings=False), ROWS, CONFIG, Silent())
    tokens = len(tokenizer.encode(" sat on the mat"))
    assert results.counts["tokens"] == 6 * (tokens + 1)
    expected = tokens * math.log2(tokenizer.vocab_size) / len(" sat on the mat")
    assert results.figures["bpb"] == pytest.approx(expected, rel=1e-6)


def test_rows_without_prompts_are_measured_only(subject: Subject) -> None:
    results = measure_rows(subject, [Row("1", "", "the cat"), Row("2", "", "sat")], CONFIG, Silent())
    assert list(results.figures) == ["loss", "perplexity", "bpb"]
    assert results.samples == ()


def test_the_same_again_and_in_any_batch(subject: Subject) -> None:
    first, second = (
        measure_rows(subject, ROWS, dataclasses.replace(CONFIG, batch=batch), Silent()) for batch in (1, 4)
    )
    assert first.samples == second.samples
    assert first.figures == pytest.approx(second.figures, rel=1e-6)
    assert first.scores == measure_rows(subject, ROWS, dataclasses.replace(CONFIG, batch=1), Silent()).scores


def test_rows_that_had_to_be_cut_are_counted(subject: Subject) -> None:
    long = Row("long", "the cat " * 30, " sat")
    results = measure_rows(subject, [*ROWS, long], CONFIG, Silent())
    assert results.counts["rows_cut"] == 1
    assert results.counts["prompts_cut"] == 1


def test_rows_without_a_completion_are_counted_and_said(subject: Subject) -> None:
    heard = Heard()
    results = measure_rows(subject, [*ROWS, Row("empty", "the cat", "")], CONFIG, heard)
    counts = results.counts
    assert (counts["rows"], counts["rows_without_completion"], counts["rows_with_prompt"]) == (6, 1, 6)
    assert results.figures == measure_rows(subject, ROWS, CONFIG, Silent()).figures
    assert heard.warnings == ["rows left out: 1 with an empty completion"]


def test_rows_that_are_all_empty_are_refused(subject: Subject) -> None:
    with pytest.raises(InputError, match="nothing to measure: 2 rows, all with an empty completion"):
        measure_rows(subject, [Row("1", "the cat", ""), Row("2", "sat", "")], CONFIG, Silent())


def test_a_model_directory_is_loaded_with_its_tokenizer(subject: Subject, tmp_path: Path, stream: TokenStream) -> None:
    model = subject.model
    save_model(model, subject.tokenizer.path.parent, tmp_path / "model", card="")
    loaded = load(tmp_path / "model", CONFIG)
    assert loaded.compute == Compute("cpu", "float32", 1)
    assert not loaded.model.training
    again = measure_stream(loaded, stream, CONFIG, Silent())
    assert again.figures == pytest.approx(measure_stream(subject, stream, CONFIG, Silent()).figures, rel=1e-6)


def test_a_tokenizer_larger_than_the_model_is_refused(subject: Subject, tmp_path: Path) -> None:
    small = Qwen3(dataclasses.replace(subject.model.shape, vocab_size=100)).initialise(0)
    save_model(small, subject.tokenizer.path.parent, tmp_path / "model", card="")
    with pytest.raises(ArtifactError, match="in the tokenizer, 100 in the model"):
        load(tmp_path / "model", CONFIG)


def test_measuring_leaves_the_random_state_alone(subject: Subject) -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    measure_rows(subject, ROWS[:2], CONFIG, Silent())
    assert torch.equal(before, torch.random.get_rng_state())
