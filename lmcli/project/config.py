"""Settings of the project as a whole."""

from __future__ import annotations

from typing import Annotated

from lmcli.config import section


@section
class ProjectConfig:
    inputs: Annotated[
        tuple[str, ...], "files, folders, globs, pydoc:, pydoc:code or hf:NAME, relative to the project"
    ] = ("corpus/",)
    default_model: Annotated[str, "the model that generate and eval use when none is named"] = "model"
