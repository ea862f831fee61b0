"""Every family goes out in every format that has it, comes back, and computes the same there."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from lmcli.errors import ArtifactError
from lmcli.interchange import gguf_file, hugging_face, llama
from lmcli.interchange.config import ExportConfig
from lmcli.interchange.formats import FORMATS, Format
from lmcli.interchange.gguf_architectures import ARCHITECTURES
from lmcli.interchange.importing import take_in
from lmcli.interchange.source import Source
from lmcli.models.config import ModelConfig
from lmcli.models.directory import save_model
from lmcli.models.families import FAMILIES
from lmcli.models.model import Model
from lmcli.progress import Silent
from tests.interchange.conftest import TEXT
from tests.models.families import noisy
from tests.tokens.conftest import trained

transformers = pytest.importorskip("transformers")

SIZES = ModelConfig(
    width=32, depth=2, decoder_depth=1, heads=4, kv_heads=2, ffn=48, context=40, dropout=0.0, tie_embeddings=True,
    embedding_width=20, gated=True, positions="learned",
)  # fmt: skip
WORD_PIECES = {"bert"}
"""Families whose GGUF needs WordPiece."""


def model_of(family: str, vocab_size: int) -> Model:
    kind = cast("type[Model]", FAMILIES.load(family))
    return noisy(kind(kind.shape_of(SIZES, vocab_size)).initialise(0)).eval()


@pytest.fixture(scope="module", params=FAMILIES)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A small model of each family, read from its directory."""
    home = tmp_path_factory.mktemp(request.param)
    special = ("[CLS]", "[SEP]", "[MASK]")
    kind = {"kind": "wordpiece", "lowercase": True} if request.param in WORD_PIECES else {}
    tokenizer = trained([TEXT], home / "tokenizer", vocab_size=300, special_tokens=special, **kind)
    save_model(model_of(request.param, tokenizer.vocab_size), home / "tokenizer", home / "model", card="")
    return Source.load("small", home / "model", TEXT, card="")


def written(source: Source, out: Path, **settings: str) -> None:
    config = ExportConfig(**settings)  # type: ignore[arg-type]
    form: Format = FORMATS.load(config.format)
    form.write(source, config, out)
    for check in form.check(source, config, out):
        assert check.holds, str(check)
        assert check.largest > 0.1


def test_transformers(exported: Source, tmp_path: Path) -> None:
    if hugging_face.has_class(exported.directory):
        written(exported, tmp_path, format="hf")
        return
    with pytest.raises(ArtifactError, match="small has no counterpart there"):
        written(exported, tmp_path, format="hf")
    written(exported, tmp_path, format="dir")


def test_it_comes_in_again(exported: Source, tmp_path: Path) -> None:
    found = take_in(exported.directory, "small", tmp_path, Silent())
    assert found.drawn == ()
    ours, theirs = exported.model.state_dict(), found.model.state_dict()
    assert all(ours[name].equal(theirs[name]) for name in ours)


def test_gguf(exported: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gguf")
    monkeypatch.setattr(gguf_file, "is_there", lambda module: False)
    family = exported.model.hf_config(end_id=0, pad_id=0, dtype="float32")["model_type"]
    if family in ARCHITECTURES:
        written(exported, tmp_path, format="gguf")
        return
    with pytest.raises(ArtifactError, match=f"GGUF has no {family}"):
        written(exported, tmp_path, format="gguf")


@pytest.mark.slow
def test_llama_cpp(exported: Source, tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp")
    if exported.model.hf_config(end_id=0, pad_id=0, dtype="float32")["model_type"] not in ARCHITECTURES:
        pytest.skip("llama.cpp computes it in no file")
    gguf_file.write(exported, ExportConfig(format="gguf"), tmp_path)
    check = llama.check(exported, "float32", tmp_path / gguf_file.FILE)
    assert check.holds, str(check)


@pytest.mark.slow
def test_onnx_runtime(exported: Source, tmp_path: Path) -> None:
    for module in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(module)
    if not hugging_face.has_class(exported.directory):
        with pytest.raises(ArtifactError, match="writes no LSTM"):
            written(exported, tmp_path, format="onnx")
        return
    written(exported, tmp_path, format="onnx")
