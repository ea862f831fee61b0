from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import torch

from lmcli.errors import ArtifactError
from lmcli.interchange.config import ExportConfig
from lmcli.interchange.hugging_face import HUGGING_FACE
from lmcli.interchange.source import Source
from lmcli.models.directory import load_model
from lmcli.models.stored import hf_tensors
from lmcli.models.weights import write_tensors

pytest.importorskip("transformers")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_transformers_computes_the_same(
    dtype: Literal["float32", "bfloat16", "float16"], source: Source, tmp_path: Path
) -> None:
    config = ExportConfig(format="hf", dtype=dtype)
    HUGGING_FACE.write(source, config, tmp_path)
    (check,) = HUGGING_FACE.check(source, config, tmp_path)
    assert check.holds, str(check)
    assert check.library == "transformers"
    assert check.difference > 0 or dtype == "float32"
    assert check.tokens == 2 * 48
    assert (tmp_path / "README.md").read_text() == "# A card\n"


def test_weights_in_wrong_places_are_noticed(source: Source, tmp_path: Path) -> None:
    config = ExportConfig(format="hf")
    HUGGING_FACE.write(source, config, tmp_path)
    tensors = {name: tensor.clone() for name, tensor in hf_tensors(load_model(tmp_path)).items()}
    first, second = (f"model.layers.0.mlp.{name}_proj.weight" for name in ("gate", "up"))
    tensors[first], tensors[second] = tensors[second], tensors[first]
    write_tensors(tmp_path / "model.safetensors", tensors, torch.float32)
    (check,) = HUGGING_FACE.check(source, config, tmp_path)
    assert not check.holds


def test_a_class_that_transformers_lacks(source: Source, tmp_path: Path) -> None:
    HUGGING_FACE.write(source, ExportConfig(format="hf"), tmp_path)
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace("Qwen3ForCausalLM", "NoSuchModel"))
    with pytest.raises(ArtifactError, match="transformers has no NoSuchModel"):
        HUGGING_FACE.check(source, ExportConfig(format="hf"), tmp_path)
