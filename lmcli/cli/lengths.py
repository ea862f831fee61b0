"""--budget, --steps and --epochs are three ways to say one setting: length."""

from __future__ import annotations

from lmcli.errors import UsageError


def one_length(budget: str | None, steps: int | None, epochs: int | None) -> str | None:
    """The `length` that the flags mean, None when none is given. Raises UsageError for more than one."""
    stated = [
        *([budget] if budget is not None else []),
        *([f"{steps} steps"] if steps is not None else []),
        *([f"{epochs} epochs"] if epochs is not None else []),
    ]
    if len(stated) > 1:
        raise UsageError("--budget, --steps and --epochs exclude each other", "give one of them")
    return stated[0] if stated else None
