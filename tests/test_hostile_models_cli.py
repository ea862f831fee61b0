"""Model directories that are damaged, hostile or mismatched, met by the commands that read one.

Each is one line and exit code 4: nothing is executed, nothing large is allocated, nothing is written.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lmcli.models.stored import hf_tensors
from lmcli.models.weights import read_header, read_tensor, write_tensors
from tests.conftest import Lmcli, Ran
from tests.projects import lock, tree

Damage = Callable[[Path], object]

FIRST: dict[str, tuple[object, ...]] = {
    "generate": ("generate", "The cat", "--max-tokens", 2, "--model", "theirs"),
    "import": ("import", "theirs"),
}
OTHERS: dict[str, tuple[object, ...]] = {
    "eval": ("eval", "--model", "theirs", "--name", "judged"),
    "finetune": ("finetune", "pairs.jsonl", "--base", "theirs", "--steps", 1),
    "train": ("train", "--continue-from", "theirs", "--name", "more", "--steps", 1),
    "export": ("export", "dir", "--model", "theirs"),
}
READERS = {**FIRST, **OTHERS}
TOKENIZER = ("tokenize", "--from", "theirs")


class Canary:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.fixture
def theirs(trained: Path) -> Path:
    """A good model directory beside the project's artifacts."""
    return shutil.copytree(trained / lock(trained)["model"]["path"], trained / "theirs")


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that only code out of a model directory would make."""
    return tmp_path / "canary"


def refused(lmcli: Lmcli, root: Path, line: tuple[object, ...], canary: Path) -> Ran:
    """What the command said; it is one line, exit code 4, and the project is as it was."""
    before = {name: content for name, (_, content) in tree(root).items() if not name.startswith("runs/")}
    ran = lmcli(*line)
    assert ran.code == 4, (line, ran.err)
    errors = [text for text in ran.err.splitlines() if text.startswith("error: ")]
    assert len(errors) == 1
    assert "Traceback" not in ran.err
    assert "panicked" not in ran.err
    assert not canary.exists()
    after = {name: content for name, (_, content) in tree(root).items() if not name.startswith("runs/")}
    assert after.keys() - before.keys() <= {
        f"artifacts/{name}" for name in ("theirs", "judged", "pairs", "more", "theirs-dir")
    }
    assert {name: after[name] for name in before} == before
    return ran


def edit(path: Path, **changes: Any) -> None:
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, **changes}))


def rewrite(path: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = {
        name: read_tensor(file, entry)
        for file in path.glob("*.safetensors")
        for name, entry in read_header(file).items()
    }
    change(tensors)
    write_tensors(path / "model.safetensors", tensors)


def crafted(path: Path, header: bytes) -> None:
    (path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)


def as_pickle(name: str) -> Damage:
    def change(path: Path) -> None:
        (path / "model.safetensors").unlink()
        (path / name).write_bytes(pickle.dumps({"w": Canary(path.parent / "canary")}))

    return change


def index(name: str) -> Damage:
    def change(path: Path) -> None:
        (path / "model.safetensors").rename(path.parent / "x.safetensors")
        (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"model.norm.weight": name}}))

    return change


def with_code(path: Path) -> None:
    (path / "modeling_x.py").write_text(f"open({str(path.parent / 'canary')!r}, 'w')")
    edit(path, auto_map={"AutoConfig": "modeling_x.C", "AutoModelForCausalLM": "modeling_x.M"})


EMPTY = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
MODELS: dict[str, tuple[Damage, str]] = {
    "38 empty weights": (lambda path: (path / "model.safetensors").write_bytes(b""), "damaged"),
    "38 endless header": (lambda path: (path / "model.safetensors").write_bytes(b"\xff" * 16), "damaged"),
    "38 no JSON": (lambda path: crafted(path, b"\x80\x04K\x01."), "no JSON"),
    "38 many tensors": (
        lambda path: crafted(
            path,
            json.dumps(
                {str(n): {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(50_000)}
            ).encode(),
        ),
        "names 50000 tensors",
    ),
    "38 huge tensor": (
        lambda path: crafted(path, b'{"a": {"dtype": "F32", "shape": [281474976710655], "data_offsets": [0, 4]}}'),
        "doesn't fill",
    ),
    "38 renamed": (
        lambda path: rewrite(path, lambda tensors: tensors.update(x=tensors.pop("model.norm.weight"))),
        "'model.norm.weight' is missing",
    ),
    "38 other shape": (
        lambda path: rewrite(path, lambda tensors: tensors.update({"model.norm.weight": torch.ones(7)})),
        "has the shape [7]",
    ),
    "39 cut off": (
        lambda path: os.truncate(path / "model.safetensors", (path / "model.safetensors").stat().st_size * 3 // 4),
        "cut off",
    ),
    "40 not finite": (
        lambda path: rewrite(path, lambda tensors: tensors["model.norm.weight"].view(-1)[:1].fill_(float("nan"))),
        "'model.norm.weight' holds numbers that aren't finite",
    ),
    "41 pytorch_model.bin": (as_pickle("pytorch_model.bin"), "never opened"),
    "41 ckpt.pt": (as_pickle("ckpt.pt"), "never opened"),
    "41 pickle by another name": (as_pickle("model.safetensors"), "damaged"),
    "42 auto_map": (with_code, "auto_map names code of the model's own"),
    "42 depth": (lambda path: edit(path, num_hidden_layers=10**9), "num_hidden_layers"),
    "42 deep and wide": (lambda path: edit(path, hidden_size=1 << 27, intermediate_size=1 << 27), "config.json says"),
    "42 fraction": (lambda path: edit(path, hidden_size=32.0), "hidden_size = 32.0"),
    "42 nested": (lambda path: (path / "config.json").write_text('{"a":' * 100_000), "no JSON"),
    "42 no object": (lambda path: (path / "config.json").write_text("[]"), "no JSON object"),
    "42 another computation": (lambda path: edit(path, rope_scaling={"type": "linear", "factor": 2.0}), "rope_scaling"),
    "42 unknown family": (lambda path: edit(path, model_type="mamba"), "unknown model_type 'mamba'"),
    "42 shard elsewhere": (index("../x.safetensors"), "weight_map"),
    "42 shard by absolute path": (index("/etc/passwd.safetensors"), "weight_map"),
    "42 shard that is missing": (index("y.safetensors"), "is missing"),
    "45 other sizes": (lambda path: edit(path, num_hidden_layers=3), "is missing"),
}


@pytest.mark.parametrize("reader", FIRST)
@pytest.mark.parametrize("case", MODELS)
def test_a_model_that_can_not_be_read(
    case: str, reader: str, lmcli: Lmcli, trained: Path, theirs: Path, canary: Path
) -> None:
    damage, message = MODELS[case]
    damage(theirs)
    assert message in refused(lmcli, trained, READERS[reader], canary).err


@pytest.mark.parametrize("reader", OTHERS)
@pytest.mark.parametrize("case", ["38 renamed", "40 not finite", "41 pytorch_model.bin", "42 auto_map", "42 depth"])
def test_every_command_refuses_it(
    case: str, reader: str, lmcli: Lmcli, trained: Path, theirs: Path, canary: Path
) -> None:
    damage, message = MODELS[case]
    damage(theirs)
    assert message in refused(lmcli, trained, OTHERS[reader], canary).err


def tokenizer_json(change: Callable[[dict[str, Any]], object]) -> Damage:
    def damage(path: Path) -> None:
        document = json.loads((path / "tokenizer.json").read_text())
        change(document)
        (path / "tokenizer.json").write_text(json.dumps(document))

    return damage


TOKENIZERS: dict[str, Damage] = {
    "32 truncated": lambda path: os.truncate(path / "tokenizer.json", 500),
    "32 no object": lambda path: (path / "tokenizer.json").write_text("[]"),
    "32 nested": lambda path: (path / "tokenizer.json").write_text("[" * 100_000),
    "32 merge of nothing": tokenizer_json(lambda document: document["model"]["merges"].append(["zzz", "qqq"])),
    "32 id out of range": tokenizer_json(lambda document: document["model"]["vocab"].update(zzz=1 << 40)),
    "32 two with one id": tokenizer_json(lambda document: document["model"]["vocab"].update(zzz=5)),
    "32 unknown model": tokenizer_json(lambda document: document["model"].update(type="Pickle")),
    "32 damaged config": lambda path: (path / "tokenizer_config.json").write_text("{"),
}


@pytest.mark.parametrize("reader", ["tokenize", "generate", "import"])
@pytest.mark.parametrize("case", TOKENIZERS)
def test_a_tokenizer_that_can_not_be_read(
    case: str, reader: str, lmcli: Lmcli, trained: Path, theirs: Path, canary: Path
) -> None:
    TOKENIZERS[case](theirs)
    ran = refused(lmcli, trained, TOKENIZER if reader == "tokenize" else READERS[reader], canary)
    assert "theirs" in ran.err


@pytest.mark.parametrize("reader", ["generate", "import", "eval", "export"])
def test_33_a_tokenizer_with_more_tokens_than_the_model(
    reader: str, lmcli: Lmcli, trained: Path, theirs: Path, canary: Path
) -> None:
    """Case 33: at load, never an index that is out of range later."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    document = json.loads((theirs / "tokenizer.json").read_text())
    first = max(document["model"]["vocab"].values(), default=0) + 1 + len(document["added_tokens"])
    document["added_tokens"] += [{"id": first + n, "content": f"<|more {n}|>", **flags} for n in range(3)]
    (theirs / "tokenizer.json").write_text(json.dumps(document))
    assert "tokens" in refused(lmcli, trained, READERS[reader], canary).err


def test_39_an_artifact_whose_tail_is_zero(lmcli: Lmcli, trained: Path, canary: Path) -> None:
    """Case 39: a file of the right size and structure, whose digest is another."""
    path = trained / lock(trained)["model"]["path"] / "model.safetensors"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size * 3 // 4)
        file.write(b"\0" * (size - size * 3 // 4))
    for line in (
        ("generate", "The"),
        ("eval",),
        ("export", "dir"),
        ("train", "--continue-from", "model", "--name", "m2"),
    ):
        assert "is damaged (expected content" in refused(lmcli, trained, line, canary).err


def test_43_a_chat_template_is_never_run(lmcli: Lmcli, trained: Path, theirs: Path, canary: Path) -> None:
    """Case 43: it is text that goes along; nothing here renders what came from elsewhere."""
    code = "{{ lipsum.__globals__['os'].system('touch " + str(canary) + "') }}{% for x in range(10**12) %}{% endfor %}"
    (theirs / "chat_template.jinja").write_text(code)
    started = time.monotonic()
    assert lmcli("import", "theirs").code == 0
    assert lmcli("generate", "The cat", "--model", "theirs", "--max-tokens", 2).code == 0
    assert lmcli("tokenize", "--from", "theirs").code == 0
    assert time.monotonic() - started < 30
    assert not canary.exists()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_44_weights_in_another_precision(dtype: torch.dtype, lmcli: Lmcli, trained: Path, theirs: Path) -> None:
    """Case 44: read by their description, whatever wrote them."""
    from lmcli.models.directory import load_model

    write_tensors(theirs / "model.safetensors", hf_tensors(load_model(theirs)), dtype)
    assert lmcli("import", "theirs").code == 0
    assert lock(trained)["theirs"]["report"]["dtype"] == str(dtype).removeprefix("torch.")


@pytest.mark.parametrize(
    "name", ["with space", "\u00fc\u6a21\u578b \u2603", "100%s{0}$HOME", "-o", "/".join(["deep"] * 60), "'\"`;&"]
)
def test_47_names_that_disks_allow(name: str, lmcli: Lmcli, trained: Path, theirs: Path) -> None:
    """Case 47: they work."""
    (trained / "place" / name).parent.mkdir(parents=True)
    theirs.rename(trained / "place" / name)
    path = f"place/{name}"
    assert lmcli("generate", "The cat", "--model", path, "--max-tokens", 2).code == 0
    ran = lmcli("import", path, "--name", "taken")
    assert ran.code == 0, ran.err
    assert lmcli("tokenize", "--from", path).code == 0


def test_42_what_a_config_promises_is_not_allocated(theirs: Path) -> None:
    """Case 42: a model of petabytes is refused in seconds and within the memory that torch itself needs."""
    edit(theirs, num_hidden_layers=900, vocab_size=1 << 27, max_position_embeddings=1 << 27)
    line = [sys.executable, "-m", "lmcli", "generate", "The", "--model", "theirs"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # until it becomes another program, a child counts so much
    ran = subprocess.run(line, cwd=theirs.parent, env=environment, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 4, ran.stderr
    assert "config.json says" in ran.stderr or "is missing" in ran.stderr
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < max(before, own + 100_000, 600_000)  # kB
