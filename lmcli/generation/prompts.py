"""The prompts that settings name."""

from __future__ import annotations

import sys
from pathlib import Path

from lmcli.errors import InputError
from lmcli.generation.config import GenerateConfig


def read_prompts(root: Path, config: GenerateConfig) -> list[str]:
    r"""The prompts of the settings, then those of their file, one on each line; an empty one when there is none.

    A `\r` before the line end is no part of a prompt; empty lines are none. Raises InputError for a file that can't be
    read or holds no prompt.
    """
    prompts = list(config.prompts)
    if config.prompts_file:
        prompts += _lines(_text(root, config.prompts_file), config.prompts_file)
    return prompts or [""]


def _text(root: Path, name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if name == "-" else (root / name).read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8 (byte {error.start})", "save the prompts as UTF-8") from None
    except OSError as error:
        raise InputError(
            f"can't read {name}: {error.strerror}", "name a text file with a prompt on each line"
        ) from None


def _lines(text: str, name: str) -> list[str]:
    found = [line for line in (line.removesuffix("\r") for line in text.split("\n")) if line]
    if not found:
        raise InputError(f"{name} holds no prompt", "put one prompt on each line")
    return found
