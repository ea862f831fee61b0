"""Values of a Hugging Face config.json, checked. `where` names the file in messages.

Raised is always ArtifactError: for what is missing or impossible, and for what would change the computation in a way
that is not implemented.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lmcli.errors import ArtifactError

MAX_SIZE = 1 << 27
MAX_DEPTH = 1_000

Fixed = Mapping[str, tuple[Any, ...]]
"""Keys that change what is computed -> the values that mean what is implemented here (None: absent)."""

PLAIN_ROPE: Fixed = {
    "rope_type": ("default",),
    "type": ("default",),
    "partial_rotary_factor": (1.0, None),
}


def check_fixed(config: Mapping[str, Any], fixed: Fixed, where: str) -> None:
    """Refuse every key of `fixed` that has another value than those."""
    for key, allowed in fixed.items():
        if config.get(key) not in allowed:
            raise unsupported(where, key, config[key])


def size_of(config: Mapping[str, Any], key: str, where: str, default: int | None = None) -> int:
    """A whole number from 1 on, small enough for a tensor; `default` where the key is absent or null."""
    value = config.get(key)
    if value is None:
        value = default
    if type(value) is not int or not 1 <= value <= MAX_SIZE:
        raise ArtifactError(f"{where}: {key} = {value!r} is not possible", f"a whole number up to {MAX_SIZE}")
    return value


def depth_of(config: Mapping[str, Any], key: str, where: str, default: int | None = None) -> int:
    """A number of blocks."""
    depth = size_of(config, key, where, default)
    if depth > MAX_DEPTH:
        raise ArtifactError(f"{where}: {key} {depth} is not possible (at most {MAX_DEPTH})")
    return depth


def number_of(config: Mapping[str, Any], key: str, where: str, default: float) -> float:
    """A positive number."""
    value = config.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e30:
        raise ArtifactError(f"{where}: {key} = {value!r} is not possible", "a positive number")
    return float(value)


def flag_of(config: Mapping[str, Any], key: str, where: str, default: bool) -> bool:
    """True or False."""
    value = config.get(key, default)
    if not isinstance(value, bool):
        raise ArtifactError(f"{where}: {key} = {value!r} is not possible", "true or false")
    return value


def list_of(config: Mapping[str, Any], key: str) -> list[str]:
    """A list of names; a single one counts as a list, none as an empty one."""
    value = config.get(key) or []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def rope_theta(config: Mapping[str, Any], where: str, *, plain: bool = True) -> float:
    """The base of the rotary wavelengths, from where version 4 or version 5 of transformers keeps it.

    Where all must be `plain`, anything that changes the wavelengths is refused.
    """
    theta = config.get("rope_theta", 10_000.0)
    for key, rope in ropes(config, where):
        theta = rope.get("rope_theta", theta)
        if plain and any(value not in PLAIN_ROPE.get(name, ()) for name, value in rope.items() if name != "rope_theta"):
            raise unsupported(where, key, rope)
    return number_of({"rope_theta": theta}, "rope_theta", where, theta)


def ropes(config: Mapping[str, Any], where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Where either version of transformers keeps what it knows of rotary positions: key and value."""
    for key in ("rope_scaling", "rope_parameters"):
        rope = config.get(key) or {}
        if not isinstance(rope, dict):
            raise unsupported(where, key, rope)
        yield key, rope


def unsupported(where: str, key: str, value: Any) -> ArtifactError:
    return ArtifactError(f"{where}: {key} = {value!r} is not implemented", "take a model without it")
