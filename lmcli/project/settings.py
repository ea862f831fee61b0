"""The layers of a setting: default < lmcli.toml < what the lock recorded < environment < --set < flag."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lmcli import config
from lmcli.errors import ConfigError
from lmcli.project.document import Document
from lmcli.project.lock import Override

SHORT = {"train.lr": "optimizer.lr", "finetune.lr": "optimizer.lr"}
"""What everybody writes at first -> the key within the table."""


def spelled_out(key: str) -> str:
    """A dotted key without what is short for another one."""
    table, _, inside = key.partition(".")
    return f"{table}.{SHORT.get(key, inside)}" if inside else key


def names_first(keys: Iterable[str]) -> list[str]:
    """Dotted keys in the order in which they are set: what names a registry's entry before the entry's own keys."""
    return sorted(keys, key=lambda key: _depth(key.split(".")))


def _depth(path: Sequence[str]) -> int:
    """How deep a setting lies; `optimizer.name` is as deep as `optimizer`, for it names an entry as well."""
    return len(path) - (path[-1] == "name")


@dataclass(frozen=True)
class Given:
    """What the person said when the command started. Flags are dotted keys with typed values.

    `on_top` means that it changes what an artifact was made with, where a command else follows lmcli.toml anew.
    """

    flags: Mapping[str, Any] = field(default_factory=dict)
    sets: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    on_top: bool = False

    def asked(self, key: str) -> Any:
        """What is said of a setting, in whichever form: a flag's value, else the text of --set or the environment."""
        if key in self.flags:
            return self.flags[key]
        pairs = [item.partition("=") for item in self.sets]
        texts = [text.strip() for name, _, text in pairs if name.strip() == key]
        table, _, inside = key.partition(".")
        return texts[-1] if texts else self.environment.get(variable(table, tuple(inside.split("."))))

    def only(self, sections: Mapping[str, type]) -> Given:
        """What of it concerns these sections."""
        flags = {key: value for key, value in self.flags.items() if _table_of(key, sections)}
        return Given(flags, [item for item in self.sets if belongs(item, sections)], self.environment, self.on_top)


def belongs(assignment: str, sections: Mapping[str, type]) -> bool:
    """Whether `--set KEY=VALUE` names a setting of these sections."""
    return _table_of(assignment.partition("=")[0].strip(), sections) is not None


@dataclass(frozen=True)
class Resolved:
    """The decoded sections by table name, where each given value came from, and what is not in lmcli.toml.

    `given` names the keys of each table that don't have their defaults for want of another value.
    """

    sections: Mapping[str, Any]
    origins: Mapping[str, str]
    overrides: Mapping[str, Override]
    given: Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class _Value:
    table: str
    path: tuple[str, ...]
    value: Any
    origin: str

    @property
    def key(self) -> str:
        return ".".join((self.table, *self.path))


def resolve(
    sections: Mapping[str, type],
    document: Document,
    given: Given | None = None,
    recorded: Mapping[str, Override] | None = None,
) -> Resolved:
    """Decode `sections` (table name -> dataclass) through all layers.

    `recorded` overrides hold until the lmcli.toml value that they mask changes. Raises ConfigError with the place of
    the value at fault.
    """
    given = given or Given()
    values = {table: _copy(document.table(table)) for table in sections}
    origins: dict[str, str] = {}
    overrides: dict[str, Override] = {}
    for layer in (_recorded, _environment, _sets, _flags):
        for item in layer(sections, values, document, given, recorded or {}):
            value = list(item.value) if isinstance(item.value, tuple) else item.value  # as TOML and the lock state it
            if _put(values[item.table], item.path, value):
                _forget_below(item.key, origins, overrides)
            origins[item.key] = item.origin
            masked = document.get(item.key)
            overrides.pop(item.key, None)
            if masked != value:
                overrides[item.key] = Override(value, masked)
    decoded = {table: _decode(cls, values[table], table, document, origins) for table, cls in sections.items()}
    named = {table: frozenset(given_keys) for table, given_keys in values.items()}
    return Resolved(decoded, origins, overrides, named)


def _recorded(
    sections: Mapping[str, type], values: Any, document: Document, given: Given, recorded: Mapping[str, Override]
) -> Iterator[_Value]:
    for key in names_first(recorded):
        table, override = _table_of(key, sections), recorded[key]
        if not table or document.get(key) != override.masked:
            continue
        path = _below(key, table)
        if _exists(sections[table], path, values[table]):
            yield _Value(table, path, override.value, "lmcli.lock")


def _exists(cls: type, path: tuple[str, ...], values: Mapping[str, Any]) -> bool:
    """Whether a recorded setting still has a field: its registry entry may have been replaced in lmcli.toml."""
    try:
        config.leaf(cls, path, values, ".".join(path))
    except ConfigError:
        return False
    return True


def _environment(
    sections: Mapping[str, type], values: Any, document: Document, given: Given, recorded: Any
) -> Iterator[_Value]:
    for table, cls in sections.items():
        for path, item in config.walk(cls, values[table]):
            name = variable(table, path)
            if name in given.environment:
                hint = config.leaf(cls, path, values[table], name) if item.owned else item.hint
                yield _Value(table, path, config.parse(hint, given.environment[name], name), f"${name}")


def _sets(
    sections: Mapping[str, type], values: Any, document: Document, given: Given, recorded: Any
) -> Iterator[_Value]:
    """In whatever order they are given: a name that came after its keys would begin a new table without them."""
    assignments = [_assignment(text, sections) for text in given.sets]
    for key, table, path, value in sorted(assignments, key=lambda assignment: _depth(assignment[2])):
        hint_type = config.leaf(sections[table], path, values[table], key)
        yield _Value(table, path, config.parse(hint_type, value, f"--set {key}"), f"--set {key}")


def _assignment(text: str, sections: Mapping[str, type]) -> tuple[str, str, tuple[str, ...], str]:
    """The key, table, path below it and value of `--set KEY=VALUE`."""
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals:
        raise ConfigError(f"--set {text}: no value", "write --set KEY=VALUE, for example --set train.seed=1")
    table = _table_of(key, sections)
    if table is None:
        raise ConfigError(f"--set {key}: no such setting for this command", f"it reads: {', '.join(sections)}")
    return key, table, _below(key, table), value.strip()


def _flags(
    sections: Mapping[str, type], values: Any, document: Document, given: Given, recorded: Any
) -> Iterator[_Value]:
    for key, value in given.flags.items():
        table = _table_of(key, sections)
        if table is None:
            raise LookupError(f"flag for {key}, but the command reads {list(sections)}")
        path = _below(key, table)
        yield _Value(table, path, value, f"--{path[-1].replace('_', '-')}")


def variable(table: str, path: tuple[str, ...]) -> str:
    """The environment variable of a setting: train.optimizer.lr -> LMCLI_TRAIN_OPTIMIZER_LR."""
    return re.sub(r"[^A-Z0-9]+", "_", "_".join(("LMCLI", table, *path)).upper())


def _table_of(key: str, sections: Mapping[str, type]) -> str | None:
    """The longest table that `key` lies in; `finetune.lr` also reaches the one section of that kind."""
    inside = [table for table in sections if key.startswith(f"{table}.")]
    if inside:
        return max(inside, key=len)
    kind = key.split(".")[0]
    return next((table for table in sections if table.split(".")[0] == kind and "." in table), None)


def _below(key: str, table: str) -> tuple[str, ...]:
    inside = key[len(table) + 1 :] if key.startswith(f"{table}.") else key.partition(".")[2]
    return tuple(SHORT.get(f"{key.split('.')[0]}.{inside}", inside).split("."))


def _put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> bool:
    """Set a value; a registry's name given for its table (`optimizer = muon`) starts a new table of that name.

    Whether one was started in the place of another, whose keys are gone.
    """
    for part in path[:-1]:
        below = tree.get(part)
        if not isinstance(below, dict):
            below = tree[part] = {"name": below} if isinstance(below, str) else {}
        tree = below
    last = path[-1]
    if isinstance(tree.get(last), dict) and isinstance(value, str):
        if tree[last].get("name") == value:
            return False
        tree[last] = {"name": value}
        return True
    tree[last] = value
    return False


def _forget_below(key: str, *found: dict[str, Any]) -> None:
    """Drop what is held about the keys of a table that was started anew: the lock would claim values without effect."""
    for values in found:
        for lost in [other for other in values if other.startswith(f"{key}.")]:
            del values[lost]


def _copy(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, Mapping) else value for key, value in table.items()}


def _decode(cls: type, values: Mapping[str, Any], table: str, document: Document, origins: Mapping[str, str]) -> Any:
    try:
        return config.decode(cls, values, table)
    except ConfigError as error:
        key = error.key or table
        place = next((origins[part] for part in _ancestors(key) if part in origins), document.place(key))
        raise ConfigError(f"{place}: {error.message}", error.hint, error.key) from None


def _ancestors(key: str) -> Iterator[str]:
    while key:
        yield key
        key = key.rpartition(".")[0]
