from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lmcli.errors import ArtifactError, MachineError
from lmcli.models import directory
from lmcli.models.directory import hf_tensors, load_model, save_model
from lmcli.models.weights import write_tensors
from tests.models import tiny

FILES = {
    "README.md",
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    tokenizer = tiny.tokenizer_directory(tmp_path / "tokenizer")
    save_model(tiny.model(kv_heads=2), tokenizer, tmp_path / "model", card="# A model\n")
    return tmp_path / "model"


def edit(path: Path, **changes: Any) -> None:
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, **changes}))


def rewrite(path: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    tensors = hf_tensors(tiny.model(kv_heads=2))
    change(tensors)
    write_tensors(path / "model.safetensors", tensors)


@pytest.mark.parametrize("changes", [{}, {"kv_heads": 2, "tie_embeddings": False}, {"head_dim": 16}])
def test_a_model_comes_back_as_it_was(changes: dict[str, Any], tmp_path: Path) -> None:
    model = tiny.model(**changes)
    save_model(model, tiny.tokenizer_directory(tmp_path / "t"), tmp_path / "m", card="")
    loaded = load_model(tmp_path / "m")
    assert loaded.shape == model.shape
    assert not loaded.training
    for (name, expected), (_, found) in zip(model.named_parameters(), loaded.named_parameters(), strict=True):
        assert torch.equal(expected, found), name
    assert torch.equal(loaded(tiny.tokens(2, 9)), model(tiny.tokens(2, 9)))


def test_the_directory_is_complete_and_the_same_each_time(saved: Path, tmp_path: Path) -> None:
    assert {file.name for file in saved.iterdir()} == FILES
    assert (saved / "README.md").read_text() == "# A model\n"
    save_model(tiny.model(kv_heads=2), saved, tmp_path / "again", card="# A model\n")
    for file in saved.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_a_second_save_replaces_the_first(saved: Path) -> None:
    other = tiny.model(seed=5)
    save_model(other, saved, saved, card="")
    assert torch.equal(load_model(saved).embedding, other.embedding)


@pytest.mark.parametrize(("dtype", "tolerance"), [("bfloat16", 1e-2), ("float16", 1e-3)])
def test_half_precision_is_read_as_float32(dtype: Any, tolerance: float, saved: Path, tmp_path: Path) -> None:
    model = tiny.model(kv_heads=2)
    save_model(model, saved, tmp_path / "half", dtype=dtype, card="")
    half = load_model(tmp_path / "half")
    assert half.embedding.dtype == torch.float32
    assert torch.allclose(half.embedding, model.embedding, rtol=tolerance, atol=1e-6)
    assert (tmp_path / "half/model.safetensors").stat().st_size < 0.7 * (saved / "model.safetensors").stat().st_size


def test_shards_are_read(saved: Path) -> None:
    tensors = hf_tensors(tiny.model(kv_heads=2))
    names = sorted(tensors)
    shards = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, part in shards.items():
        write_tensors(saved / file, {name: tensors[name] for name in part})
    index = {"metadata": {}, "weight_map": {name: file for file, part in shards.items() for name in part}}
    (saved / "model.safetensors.index.json").write_text(json.dumps(index))
    before = load_model(saved)(tiny.tokens(1, 5))
    (saved / "model.safetensors").unlink()
    assert torch.equal(load_model(saved)(tiny.tokens(1, 5)), before)
    (saved / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"00002\.safetensors is missing"):
        load_model(saved)


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd", "a\\b.safetensors", "model.bin", 3])
def test_shards_lie_in_the_directory(name: Any, saved: Path) -> None:
    (saved / "model.safetensors").rename(saved.parent / "model.safetensors")
    (saved / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"model.norm.weight": name}}))
    with pytest.raises(ArtifactError, match="weight_map"):
        load_model(saved)


def test_a_tied_head_that_is_stored_too_must_be_the_embedding(saved: Path) -> None:
    rewrite(saved, lambda tensors: tensors.update({"lm_head.weight": tensors["model.embed_tokens.weight"].clone()}))
    assert torch.equal(load_model(saved).embedding, tiny.model(kv_heads=2).embedding)
    rewrite(saved, lambda tensors: tensors.update({"lm_head.weight": tensors["model.embed_tokens.weight"] + 1}))
    with pytest.raises(ArtifactError, match=r"'lm_head\.weight' differs"):
        load_model(saved)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(number: float, saved: Path) -> None:
    rewrite(saved, lambda tensors: tensors["model.layers.1.mlp.up_proj.weight"].view(-1)[3].fill_(number))
    with pytest.raises(ArtifactError, match=r"'model\.layers\.1\.mlp\.up_proj\.weight' holds numbers"):
        load_model(saved)


def renamed(tensors: dict[str, torch.Tensor]) -> None:
    tensors["model.norm.gain"] = tensors.pop("model.norm.weight")


def turned(tensors: dict[str, torch.Tensor]) -> None:
    tensors["model.layers.0.mlp.down_proj.weight"] = tensors["model.layers.0.mlp.down_proj.weight"].t()


def whole(tensors: dict[str, torch.Tensor]) -> None:
    tensors["model.norm.weight"] = torch.ones(32, dtype=torch.int64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("model.norm.weight"), "'model.norm.weight' is missing"),
        (lambda tensors: tensors.update(more=torch.ones(3)), "'more' is not part of this model"),
        (renamed, "'model.norm.weight' is missing"),
        (turned, r"has the shape \[48, 32\] and config.json says \[32, 48\]"),
        (whole, "'model.norm.weight' is torch.int64"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    change: Callable[[dict[str, torch.Tensor]], None], message: str, saved: Path
) -> None:
    rewrite(saved, change)
    with pytest.raises(ArtifactError, match=message):
        load_model(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "mamba"}, "unknown model_type 'mamba'"),
        ({"model_type": ["qwen3"]}, "unknown model_type"),
        ({"hidden_act": "gelu"}, "hidden_act = 'gelu' is not implemented"),
        ({"attention_bias": True}, "attention_bias"),
        ({"use_sliding_window": True}, "use_sliding_window"),
        ({"layer_types": ["sliding_attention", "full_attention"]}, "layer_types"),
        ({"rope_scaling": {"type": "linear", "factor": 2}}, "rope_scaling"),
        ({"rope_parameters": {"rope_type": "yarn", "factor": 2, "rope_theta": 1e4}}, "rope_parameters"),
        ({"rope_parameters": {"full_attention": {"rope_type": "yarn"}}}, "rope_parameters"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers"),
        ({"hidden_size": 10**12}, "hidden_size"),
        ({"hidden_size": 10**8}, "config.json says"),
        ({"hidden_size": 32.0}, "hidden_size = 32.0"),
        ({"hidden_size": None}, "hidden_size = None"),
        ({"vocab_size": True}, "vocab_size = True"),
        ({"head_dim": 7}, "head_dim must be even"),
        ({"num_key_value_heads": 3}, "num_key_value_heads divide"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings"),
        ({"rms_norm_eps": -1}, "rms_norm_eps"),
        ({"rope_parameters": None, "rope_theta": "big"}, "rope_theta"),
    ],
)
def test_what_the_config_may_not_say(changes: dict[str, Any], message: str, saved: Path) -> None:
    edit(saved, **changes)
    with pytest.raises(ArtifactError, match=message):
        load_model(saved)


@pytest.mark.parametrize("text", ["", "{", "[]", "\ufeff{}", '{"a":' * 100_000, "\x80"])
def test_a_damaged_config_is_refused(text: str, saved: Path) -> None:
    (saved / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"config\.json"):
        load_model(saved)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(name: str, saved: Path) -> None:
    (saved / name).unlink()
    with pytest.raises(ArtifactError, match=name):
        load_model(saved)
    with pytest.raises(ArtifactError, match="no model directory"):
        load_model(saved / "absent")


class Canary:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.safetensors"])
def test_pickles_are_never_opened(name: str, saved: Path, tmp_path: Path) -> None:
    (saved / "model.safetensors").unlink()
    torch.save({"w": Canary(tmp_path / "canary")}, saved / name)
    with pytest.raises(ArtifactError, match=name if name.endswith("safetensors") else "never opened"):
        load_model(saved)
    assert not (tmp_path / "canary").exists()


def test_code_in_the_directory_is_never_run(saved: Path, tmp_path: Path) -> None:
    """Case 42: a model whose code is its own may compute something else under a known name."""
    (saved / "modeling_x.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')")
    load_model(saved)
    edit(saved, auto_map={"AutoModelForCausalLM": "modeling_x.X"})
    with pytest.raises(ArtifactError, match="auto_map names code"):
        load_model(saved)
    assert not (tmp_path / "canary").exists()


def test_a_model_larger_than_the_memory_is_refused_before_it_is_made(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "free_memory", lambda: 1000)
    with pytest.raises(MachineError, match="GiB are free"):
        load_model(saved)


def test_free_memory_is_some() -> None:
    assert directory.free_memory() > 1 << 20
