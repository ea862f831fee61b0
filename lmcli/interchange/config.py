"""Settings of what goes out and of what comes in."""

from __future__ import annotations

from typing import Annotated, Literal

from lmcli.config import Flag, Unkeyed, section

SAMPLE = (
    "Once upon a time, in 1987, there was a small house at the edge of a wood. Nobody knew who lived there, but each "
    'evening a light came on behind the window. "Who is it?" asked the children. "Come in, then," said a voice.\n'
)
"""What the check reads where a project has no validation text."""


@section
class ExportConfig:
    format: Annotated[Literal["hf", "gguf", "onnx", "dir"], "what to write: hf, gguf, onnx or dir"] = "hf"
    model: Annotated[
        str, "model to export: an artifact or a Hugging Face directory; empty is the default model", Flag()
    ] = ""
    dtype: Annotated[Literal["float32", "bfloat16", "float16"], "precision of the weights", Flag()] = "float32"
    quantize: Annotated[
        Literal["none", "q8_0", "int8"],
        "fewer bits for the matrices: q8_0 (gguf: 32 weights share a scale), int8 (onnx: weights and what meets them)",
        Flag(),
    ] = "none"
    archive: Annotated[
        Literal["none", "tar.gz", "zip"], "dir: one file instead of a folder, the same bytes each time", Flag()
    ] = "none"
    prompt: Annotated[str, "text that the check reads where the project has no validation text", Flag(), Unkeyed()] = (
        SAMPLE
    )


@section
class ImportConfig:
    source: Annotated[str, "a Hugging Face directory, or hf:OWNER/NAME for a model of the hub"] = ""
    revision: Annotated[str, "hub: branch, tag or commit", Flag()] = "main"
