"""The formats that a model goes out in: what each takes, writes and reads again. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmcli.errors import ConfigError
from lmcli.interchange.config import ExportConfig
from lmcli.registry import Registry

if TYPE_CHECKING:
    from lmcli.interchange.checking import Check
    from lmcli.interchange.source import Source


@dataclass(frozen=True)
class Format:
    """`write` fills an empty directory; `check` reads it again with another library and compares.

    `packages` maps the modules that both need to the extra that brings them; `main_file` names the one file that can
    stand alone, given the settings ("" where only the whole directory can).
    """

    write: Callable[[Source, ExportConfig, Path], None]
    check: Callable[[Source, ExportConfig, Path], Sequence[Check]]
    packages: Mapping[str, str] = field(default_factory=dict)
    main_file: Callable[[ExportConfig], str] = lambda config: ""


FORMATS = Registry(
    "export format",
    {
        "hf": "lmcli.interchange.hugging_face:HUGGING_FACE",
        "gguf": "lmcli.interchange.gguf_file:GGUF",
        "onnx": "lmcli.interchange.onnx_file:ONNX",
        "dir": "lmcli.interchange.bundle:BUNDLE",
    },
)

_ANY = ("float32", "bfloat16", "float16")
_DTYPES: Mapping[str, tuple[str, ...]] = {"hf": _ANY, "gguf": _ANY, "onnx": ("float32",), "dir": _ANY}
_QUANTIZED: Mapping[str, tuple[str, ...]] = {"gguf": ("q8_0",), "onnx": ("int8",)}


def check_settings(config: ExportConfig) -> None:
    """ConfigError for settings that a format can't have."""
    taken: dict[str, tuple[str, tuple[str, ...]]] = {
        "dtype": ("float32", _DTYPES[config.format]),
        "quantize": ("none", ("none", *_QUANTIZED.get(config.format, ()))),
        "archive": ("none", ("none", "tar.gz", "zip") if config.format == "dir" else ("none",)),
    }
    for key, (default, allowed) in taken.items():
        value: Any = getattr(config, key)
        if value not in allowed:
            others = f"it takes {', '.join(allowed)}" if len(allowed) > 1 else f"leave it at {default}"
            raise ConfigError(f"export.{key} = {value} has no meaning for {config.format}", others, f"export.{key}")
    if config.quantize != "none" and config.dtype != "float32":
        message = f"export.quantize = {config.quantize} and export.dtype = {config.dtype} exclude each other"
        raise ConfigError(message, "take one of them", "export.quantize")


def precision(config: ExportConfig) -> str:
    """How the weights are stored, in one word."""
    return config.dtype if config.quantize == "none" else config.quantize
