"""Models that say what stands behind a mask: encoders, and the generator of ELECTRA."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from lmcli.errors import ArtifactError
from lmcli.models.directory import load_model
from lmcli.models.encoder import Encoder


def load_masked_lm(path: Path, device: str = "cpu") -> Encoder:
    """The model of a directory as `load_model` reads it, in eval mode; of ELECTRA's two networks the generator.

    Raises ArtifactError for what `load_model` refuses, for a model of another kind, and for an ELECTRA without one.
    """
    model = load_model(path, device)
    if model.kind != "encoder":
        raise ArtifactError(f"{path} holds a {model.kind}, and this needs an encoder", "take another --model")
    if "tokens" in model.heads:
        return cast(Encoder, model)
    name, generator = next(iter(model.companions().items()))
    if not (path / name).is_dir():
        hint = "take a model that was trained here, or the one that is published as its generator"
        raise ArtifactError(f"{path} tells replaced tokens and came without its {name}, which fills in masks", hint)
    return cast(Encoder, generator)
