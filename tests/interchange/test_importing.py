from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from lmcli.errors import ArtifactError, InputError
from lmcli.interchange.importing import files_of, take_in
from lmcli.models.directory import load_model
from lmcli.models.stored import hf_tensors
from lmcli.models.weights import write_tensors
from lmcli.progress import Silent
from lmcli.tokens.tokenizer import Tokenizer
from tests.interchange.conftest import SPARE


@pytest.fixture
def theirs(directory: Path, tmp_path: Path) -> Path:
    return shutil.copytree(directory, tmp_path / "theirs")


def test_model_tokenizer_and_licence_are_taken_in(theirs: Path, tmp_path: Path) -> None:
    (theirs / "README.md").write_text("---\nlicense: apache-2.0\ntags: [x]\n---\n# A model\nlicense: mit\n")
    (theirs / "LICENSE.txt").write_text("terms")
    (theirs / "pytorch_model.bin").write_bytes(b"never read")
    found = take_in(theirs, "theirs", tmp_path / "out", Silent())
    assert (found.dtype, found.drawn, found.licence) == ("float32", (), "apache-2.0")
    assert torch.equal(found.model.embedding, load_model(theirs).embedding)
    assert Tokenizer.load(tmp_path / "out").encode("The cat") == Tokenizer.load(theirs).encode("The cat")
    assert (tmp_path / "out" / "LICENSE.txt").read_text() == "terms"
    assert "pytorch_model.bin" not in {path.name for path in files_of(theirs)}


def test_shards_of_half_precision_stay_so(theirs: Path, tmp_path: Path) -> None:
    tensors = hf_tensors(load_model(theirs))
    (theirs / "model.safetensors").unlink()
    names = sorted(tensors)
    shards = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, part in shards.items():
        write_tensors(theirs / file, {name: tensors[name] for name in part}, torch.bfloat16)
    index = {"weight_map": {name: file for file, part in shards.items() for name in part}}
    (theirs / "model.safetensors.index.json").write_text(json.dumps(index))
    assert take_in(theirs, "theirs", tmp_path / "out", Silent()).dtype == "bfloat16"
    assert set(shards) <= {path.name for path in files_of(theirs)}


def test_a_tokenizer_of_another_model_is_refused(theirs: Path, tmp_path: Path) -> None:
    """Case 33: more tokens than the model has rows."""
    path = theirs / "tokenizer.json"
    document = json.loads(path.read_text())
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    first = Tokenizer.load(theirs).vocab_size
    added = [{"id": first + n, "content": f"<|more {n}|>", **flags} for n in range(SPARE + 1)]
    document["added_tokens"] += added
    path.write_text(json.dumps(document))
    with pytest.raises(ArtifactError, match="tokens in the tokenizer, "):
        take_in(theirs, "theirs", tmp_path / "out", Silent())


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such folder"):
        files_of(tmp_path / "absent")
    with pytest.raises(InputError, match=r"it has no config\.json"):
        files_of(tmp_path)
