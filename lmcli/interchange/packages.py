"""Libraries that only some users need, each behind an extra of its own."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from typing import Any

from lmcli.errors import MachineError


def needed(module: str, extra: str) -> Any:
    """The module, imported now; MachineError with the extra to install when it isn't there."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = error.name or module
        raise MachineError(f"the package {package} is not installed", f'pip install "lmcli[{extra}]"') from None


def is_there(module: str) -> bool:
    """Whether a library can be imported; it isn't."""
    return importlib.util.find_spec(module) is not None


def version(package: str) -> str:
    return importlib.metadata.version(package)
