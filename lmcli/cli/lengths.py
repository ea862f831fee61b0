"""--budget, --steps and --epochs are three ways to say one setting: length."""

from __future__ import annotations

from lmcli.errors import ConfigError, UsageError


def one_length(budget: str | None, steps: int | None, epochs: int | None) -> str | None:
    """The `length` that the flags mean, None when none is given. Raises UsageError for two of them and for no time."""
    from lmcli.training.length import parse_length

    stated = [
        *([budget] if budget is not None else []),
        *([f"{steps} steps"] if steps is not None else []),
        *([f"{epochs} epochs"] if epochs is not None else []),
    ]
    if len(stated) > 1:
        raise UsageError("--budget, --steps and --epochs exclude each other", "give one of them")
    try:
        parse_length(budget or "0 steps")
    except ConfigError as error:
        raise UsageError(f"--budget: {error.message}", error.hint) from None
    return stated[0] if stated else None
