"""lmcli export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown
from lmcli.interchange.config import ExportConfig


@command(writes=True, export=ExportConfig)
def export(
    session: Session,
    format: Annotated[str, typer.Argument(metavar="hf|gguf|onnx|dir", help="What to write.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Also put a copy there: a folder or a file.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the result; made from model and format.")] = None,
) -> Shown:
    """Write a model in the form that other programs read. It is loaded again by such a program and its logits are
    compared with ours before it is published; exit code 8 when they differ.

    \b
    lmcli export hf --dtype bfloat16               a directory for transformers, vLLM and the Hugging Face hub
    lmcli export gguf --quantize q8_0 -o story.gguf    one file for llama.cpp, ollama and LM Studio
    lmcli export onnx --quantize int8              a graph for ONNX Runtime
    lmcli export dir -o story.tar.gz               model, tokenizer, model card, licence notes, manifest
    lmcli export hf --model chat -o ../chat
    """
    from lmcli.cli.exporting import exported

    return exported(session, format, out, name)
