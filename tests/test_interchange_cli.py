"""lmcli export and lmcli import end to end: artifacts, checks, copies, cards, and what stale means for them."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from lmcli.interchange import checking, packages
from lmcli.models.directory import load_model
from lmcli.tokens.tokenizer import Tokenizer
from tests.conftest import Lmcli
from tests.projects import command, digests, lock, tree

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def exported_snapshot(snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained project with an evaluation and an export of its model."""
    root = shutil.copytree(snapshot, tmp_path_factory.mktemp("exported") / "project")
    for line in (("eval",), ("export", "hf", "--dtype", "bfloat16")):
        assert command(root, *line) == 0, line
    return root


@pytest.fixture
def exported(exported_snapshot: Path, folder: Path) -> Path:
    shutil.copytree(exported_snapshot, folder, dirs_exist_ok=True)
    return folder


def test_an_export_is_an_artifact_that_was_compared(lmcli: Lmcli, exported: Path) -> None:
    entry = lock(exported)["model-hf"]
    assert (entry["kind"], entry["inputs"]["model"]["digest"]) == ("export", digests(exported)["model"])
    (check,) = entry["report"]["checks"]
    assert check["library"] == "transformers"
    assert 0 < check["difference"] <= check["tolerance"]
    assert check["tokens"] == 2 * 32
    assert set(check) >= {"version", "agreement", "divergence", "precision"}
    place = exported / entry["path"]
    assert json.loads((place / "config.json").read_text())["dtype"] == "bfloat16"
    again = lmcli("export", "hf", "--dtype", "bfloat16")
    assert "model-hf is up to date" in again.out
    assert "logits differ by" in lmcli("show", "model-hf").out
    assert lmcli("status").code == 0
    assert lmcli("verify").code == 0


def test_a_new_model_makes_an_export_stale_and_new_tokens_do_not(lmcli: Lmcli, exported: Path) -> None:
    assert lmcli("export", "hf", "--dry-run").out.startswith("would make model-hf: export.dtype changed")
    (exported / "corpus" / "new.txt").write_text("A new text.\n" * 50)
    assert lmcli("tokenize").code == 0
    assert "input model is stale" in lmcli("status").out
    assert lmcli("train", "--steps", 3).code == 0
    ran = lmcli("export", "hf", "--dtype", "bfloat16", "--dry-run")
    assert "input model was made anew" in ran.out


def test_the_card_tells_where_the_model_comes_from(lmcli: Lmcli, exported: Path) -> None:
    entries = lock(exported)
    card = (exported / entries["model-hf"]["path"] / "README.md").read_text()
    for text in (
        "pipeline_tag: text-generation",
        "from transformers import Qwen3ForCausalLM",
        "- corpus: 3 files, ",
        "corpus/0.txt",
        "bpe, ",
        "train 1,",
        f"| eval | bpb | {entries['eval']['report']['figures']['bpb']:.6g} | bits per byte, context:32",
        *(entries[name]["digest"] for name in ("tokens", "tokenizer")),
        '"steps": 12',
        "depends on:",
    ):
        assert text in card, text
    own = (exported / entries["model"]["path"] / "README.md").read_text()
    assert "corpus/0.txt" in own
    assert "| eval |" not in own  # it was written before anything was measured


@pytest.mark.filterwarnings("default")
def test_formats_and_copies(lmcli: Lmcli, exported: Path) -> None:
    pytest.importorskip("gguf")
    ran = lmcli("export", "gguf", "--quantize", "q8_0", "-o", "out/story.gguf", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["report"]["precision"] == "q8_0"
    assert (exported / "out" / "story.gguf").read_bytes()[:4] == b"GGUF"
    assert [path.name for path in (exported / "out").iterdir()] == ["story.gguf"]
    for _ in range(2):
        assert lmcli("export", "gguf", "--quantize", "q8_0", "-o", "out/story.gguf").code == 0
    (exported / "out" / "story.gguf").write_bytes(b"other")
    refused = lmcli("export", "gguf", "--quantize", "q8_0", "-o", "out/story.gguf")
    assert (refused.code, "is there already" in refused.err) == (2, True)

    ran = lmcli("export", "dir", "-o", "story.zip", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["name"] == "model-dir"
    with zipfile.ZipFile(exported / "story.zip") as packed:
        manifest = json.loads(packed.read("model/manifest.json"))
    assert set(manifest) == {"tokenizer", "tokens", "model", "eval"}
    assert manifest["model"]["digest"] == digests(exported)["model"]


def test_a_mismatch_is_8_and_publishes_nothing(lmcli: Lmcli, exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "TOLERANCES", {"float32": -1.0})
    before = tree(exported)
    ran = lmcli("export", "hf")
    assert ran.code == 8
    assert "model-hf is not published: transformers" in ran.err
    assert ran.err.count("\n") == 2  # a remark and the error
    assert {name: content for name, (_, content) in tree(exported).items()} == {
        name: content for name, (_, content) in before.items()
    }


def test_a_missing_library_is_named_before_any_work(
    lmcli: Lmcli, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(packages, "importlib", SimpleNamespace(import_module=gone))
    ran = lmcli("export", "hf")
    assert ran.code == 5
    assert 'pip install "lmcli[hf]"' in ran.err


@pytest.mark.parametrize(
    ("line", "code", "text"),
    [
        (("hff",), 2, "did you mean hf?"),
        (("hf", "--quantize", "q8_0"), 3, "no meaning for hf"),
        (("onnx", "--dtype", "float16"), 3, "no meaning for onnx"),
        (("hf", "--model", "modle"), 3, "did you mean model?"),
    ],
)
def test_what_can_not_be_exported(lmcli: Lmcli, exported: Path, line: tuple[str, ...], code: int, text: str) -> None:
    before = tree(exported)
    ran = lmcli("export", *line)
    assert (ran.code, text in ran.err) == (code, True), ran.err
    assert tree(exported) == before


def test_an_import_is_a_model_of_the_project(
    lmcli: Lmcli, exported: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    theirs = tmp_path_factory.mktemp("theirs") / "Their model-1.5"
    shutil.copytree(exported / lock(exported)["model-hf"]["path"], theirs)
    ran = lmcli("import", theirs)
    assert ran.code == 0, ran.err
    entry = lock(exported)["Their-model-1-5"]
    assert entry["report"]["dtype"] == "bfloat16"
    assert entry["report"]["files"].keys() == {path.name for path in theirs.iterdir()}
    place = exported / entry["path"]
    assert f"Imported from {theirs}." in (place / "README.md").read_text()
    assert lmcli("generate", "The cat", "--model", "Their-model-1-5", "--max-tokens", 3, "--greedy").code == 0
    assert lmcli("eval", "--model", "Their-model-1-5").code == 0
    assert lmcli("finetune", "pairs.jsonl", "--base", "Their-model-1-5", "--steps", 2).code == 0
    assert "is up to date" in lmcli("import", theirs).out

    (theirs / "README.md").write_text("changed")
    assert "input source changed (README.md)" in lmcli("status").out
    shutil.rmtree(theirs)
    assert "Their-model-1-5 is stale" not in lmcli("status").out  # what was taken in stays
    assert lmcli("run", "Their-model-1-5").code == 0


def test_a_project_can_begin_with_an_imported_model(lmcli: Lmcli, snapshot: Path, folder: Path) -> None:
    shutil.copytree(snapshot / "corpus", folder / "corpus")
    assert lmcli("init").code == 0
    theirs = snapshot / lock(snapshot)["model"]["path"]
    ran = lmcli("import", theirs, "--name", "theirs")
    assert ran.code == 0, ran.err
    assert "`lmcli tokenize --from theirs`" in ran.out
    assert lmcli("tokenize", "corpus/", "--from", "theirs").code == 0
    ours = Path(lmcli("path", "tokenizer").out.strip())
    assert Tokenizer.load(ours).encode("The cat saw") == Tokenizer.load(theirs).encode("The cat saw")
    assert lock(folder)["tokenizer"]["inputs"]["from"]["of"] == "theirs"
    assert lmcli("train", "--continue-from", "theirs", "--name", "more", "--steps", 2).code == 0
    assert load_model(Path(lmcli("path", "more").out.strip())).shape == load_model(theirs).shape
    assert "no tokenizer yet" not in lmcli("import", theirs, "--name", "theirs").out


def test_a_name_of_the_hub_that_is_not_there(lmcli: Lmcli, exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(exported / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    ran = lmcli("import", "owner/name")
    assert ran.code == 5
    assert "the Hugging Face hub can't be reached" in ran.err
    assert lmcli("import", "no such folder").code == 3
    assert "name" not in lock(exported)
