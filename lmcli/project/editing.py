"""Changes values in lmcli.toml; everything else in it stays as a person wrote it, comments included."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmcli.project import document, durable


def set_values(path: Path, values: Mapping[str, Any]) -> None:
    """Set dotted keys. A registry's name ("optimizer = muon") becomes a table where one of its own keys is set.

    The file is replaced atomically. Raises ConfigError when it is no TOML.
    """
    import tomlkit

    document.read(path)
    tree = tomlkit.parse(path.read_text(encoding="utf-8-sig"))
    for key in sorted(values, key=lambda key: key.count(".")):  # a name first, then the keys that belong to it
        _set(tree, key.split("."), values[key])
    durable.write(path, tomlkit.dumps(tree))


def _set(tree: Any, path: list[str], value: Any) -> None:
    import tomlkit

    for depth, part in enumerate(path[:-1]):
        if not isinstance(tree.get(part), dict):
            table = tomlkit.table() if depth == 0 else tomlkit.inline_table()
            if part in tree:
                table["name"] = tree[part]
            tree[part] = table
        tree = tree[part]
    last = path[-1]
    if isinstance(tree.get(last), dict):
        if tree[last].get("name") == value:
            return
        value = {"name": value}
    tree[last] = value
