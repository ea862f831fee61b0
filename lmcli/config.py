"""Settings: frozen dataclasses whose fields are the only place where a default and its help exist.

A field is `Annotated[type, "help", ...] = default`. Flags, TOML keys and documentation come from it. Further marks:

    Flag("--vocab-size")    it has a command-line option (Flag() names it after the field)
    Owned(REGISTRY, "muon") its value is a table {name = ..., further keys} decoded by the registered dataclass
    OwnedList(REGISTRY)     its value is a list of such tables; a bare name stands for a table with nothing but the name
    Unkeyed()               it can't change a result, so it is no part of what makes an artifact fresh or stale
    annotated_types.Ge(1)   and the other constraints that pydantic knows

Nothing here imports pydantic before a value is checked, so that `--help` stays fast.
"""

from __future__ import annotations

import dataclasses
import json
import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, Union, dataclass_transform, get_args, get_origin, get_type_hints

from lmcli.errors import ConfigError, did_you_mean
from lmcli.registry import Registry

T = TypeVar("T")


@dataclass(frozen=True)
class Flag:
    """Marks a field that has a command-line option; `names` replace the default `--field-name`."""

    names: tuple[str, ...] = ()

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)


@dataclass(frozen=True)
class Unkeyed:
    """Marks a field that can't change a result."""


@dataclass(frozen=True)
class Owned:
    """Marks a field whose table belongs to a registry entry: `name` picks the entry, the other keys are its fields.

    `by_place` is the entry that a name of the form module:Class stands for; its key `target` is that name.
    """

    registry: Registry
    default: str
    by_place: str | None = None

    def table(self, value: Any) -> Any:
        """The table that a bare name stands for; anything else as it is."""
        table = {"name": value} if isinstance(value, str) else value
        if self.by_place and isinstance(table, Mapping) and ":" in str(table.get("name", "")):
            return {"target": table["name"], **table, "name": self.by_place}
        return table


@dataclass(frozen=True)
class OwnedList:
    """Marks a field that lists registry entries, each a name or a table {name = ..., further keys}.

    `expand` replaces shorthands in a list before it is decoded.
    """

    registry: Registry
    expand: Callable[[Sequence[Any]], Sequence[Any]] = list


@dataclass_transform(frozen_default=True, kw_only_default=True)
def section(cls: type[T]) -> type[T]:
    """A stage's settings: a frozen, keyword-only dataclass."""
    return dataclass(frozen=True, kw_only=True)(cls)


@dataclass(frozen=True)
class Field:
    """One setting as the command line, the documentation and the decoder see it."""

    name: str
    type: Any
    help: str
    default: Any
    constraints: tuple[Any, ...] = ()
    flag: Flag | None = None
    owned: Owned | None = None
    owned_list: OwnedList | None = None
    unkeyed: bool = False

    @property
    def hint(self) -> Any:
        """The type with its constraints, for pydantic."""
        return Annotated[self.type, *self.constraints] if self.constraints else self.type


def fields(cls: type) -> dict[str, Field]:
    """The settings of a section, in the order of the source."""
    hints = get_type_hints(cls, include_extras=True)
    return {item.name: _field(item, hints[item.name]) for item in dataclasses.fields(cls)}


def _field(item: dataclasses.Field[Any], hint: Any) -> Field:
    base, marks = (get_args(hint)[0], get_args(hint)[1:]) if get_origin(hint) is Annotated else (hint, ())
    found: dict[type, Any] = {type(mark): mark for mark in marks}
    default = item.default
    if default is dataclasses.MISSING and item.default_factory is not dataclasses.MISSING:
        default = item.default_factory()
    return Field(
        name=item.name,
        type=base,
        help=found.get(str, ""),
        default=default,
        constraints=tuple(mark for mark in marks if not isinstance(mark, str | Flag | Owned | OwnedList | Unkeyed)),
        flag=found.get(Flag),
        owned=found.get(Owned),
        owned_list=found.get(OwnedList),
        unkeyed=Unkeyed in found,
    )


def decode(cls: type[T], values: Mapping[str, Any], path: str = "") -> T:
    """The section that `values` (as read from TOML) describe; `path` ("train") goes into error messages.

    Raises ConfigError for an unknown key, a wrong type or an impossible value.
    """
    known = fields(cls)
    for key in values:
        if key not in known:
            listed = f"known keys: {', '.join(known)}" if known else f"{path or 'this table'} has no keys"
            raise ConfigError(f"unknown key {_join(path, key)}", did_you_mean(key, known) or listed, _join(path, key))
    decoded = {key: _decode_field(known[key], value, _join(path, key)) for key, value in values.items()}
    for name, field in known.items():
        if name not in decoded and (field.owned or field.owned_list):
            decoded[name] = _decode_field(field, field.default if field.owned_list else {}, _join(path, name))
    return cls(**decoded)


def _decode_field(field: Field, value: Any, path: str) -> Any:
    if field.owned:
        return _decode_owned(field.owned, value, path, field.default)
    if field.owned_list:
        return _decode_list(field.owned_list, value, path)
    return check(field.hint, value, path)


def _decode_owned(owned: Owned, value: Any, path: str, default: Any = None) -> Any:
    """The registry entry that a name or a table describes; keys that it leaves out are those of `default`.

    `default` counts only where it is of the entry that is named: the settings of one optimizer mean nothing to another.
    """
    table = owned.table(value)
    if not isinstance(table, Mapping):
        raise ConfigError(f"{path} must be a name or a table with a name, not {value!r}", key=path)
    name = table.get("name", owned.default)
    entry = _entry(owned.registry, name, path)
    given = {key: item for key, item in table.items() if key != "name"}
    return decode(entry, {**(dump(default) if type(default) is entry else {}), **given}, path)


def _entry(registry: Registry, name: Any, path: str) -> Any:
    if not isinstance(name, str):
        raise ConfigError(f"{path}.name must be a string, not {name!r}", key=f"{path}.name")
    try:
        return registry.load(name)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error.message}", error.hint, f"{path}.name") from None


def _decode_list(owned: OwnedList, value: Any, path: str) -> tuple[Any, ...]:
    value = [value] if isinstance(value, str | Mapping) else value
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{path} must be a list of names or tables, not {value!r}", key=path)
    tables = [{"name": item} if isinstance(item, str) else item for item in owned.expand(value)]
    for table in tables:
        if not isinstance(table, Mapping) or "name" not in table:
            raise ConfigError(f"each entry of {path} is a name or a table with a name, not {table!r}", key=path)
    return tuple(_decode_owned(Owned(owned.registry, ""), table, _join_known(owned, path, table)) for table in tables)


def _join_known(owned: OwnedList, path: str, table: Mapping[str, Any]) -> str:
    """clean.filters.whitespace: which entry of a list is at fault; the list itself for a name that no entry has."""
    name = table["name"]
    return _join(path, name) if isinstance(name, str) and name in owned.registry else path


def check(hint: Any, value: Any, path: str) -> Any:
    """`value` as the type `hint`, strictly: true is no number, "3" is no number, nan is nothing."""
    try:
        encoded = json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} can't be read: {error}", key=path) from None
    return _validate(hint, encoded, path, value, "strict")


_NAME_IN_BRACKETS = re.compile(r"\[[A-Za-z]\w*\]")
"""As special tokens are called: [CLS],[SEP] is a list of two names."""


def parse(hint: Any, text: str, path: str) -> Any:
    """`text` from the environment or `--set` as the type `hint`; lists are separated by commas, or JSON in brackets."""
    if get_origin(_plain(hint)) in (tuple, list):
        items = [item.strip() for item in text.split(",") if item.strip()]
        if text.lstrip().startswith("[") and not all(map(_NAME_IN_BRACKETS.fullmatch, items)):
            return _validate(hint, text, path, text, "lax")
        return _validate(hint, json.dumps(items), path, text, "lax")
    return _validate(hint, text, path, text, "text")


def _validate(hint: Any, data: str, path: str, shown: Any, mode: Literal["strict", "lax", "text"]) -> Any:
    from pydantic import TypeAdapter, ValidationError  # 50 ms: not before a value is checked

    adapter: Any = TypeAdapter(hint, config={"allow_inf_nan": False})
    try:
        return (
            adapter.validate_strings(data) if mode == "text" else adapter.validate_json(data, strict=mode == "strict")
        )
    except ConfigError as error:  # a Predicate of the field says in its own words what is wrong
        raise ConfigError(f"{path}: {error.message}", error.hint, path) from None
    except ValidationError as error:
        reasons = dict.fromkeys(item["msg"] for item in error.errors())
        raise ConfigError(f"{path} = {shown!r} is not possible: {'; or '.join(reasons)}", key=path) from None


def _plain(hint: Any) -> Any:
    """The first member of an optional type, without annotations."""
    if get_origin(hint) is Annotated:
        return _plain(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        return _plain(next(member for member in get_args(hint) if member is not type(None)))
    return hint


def leaf(cls: type, path: tuple[str, ...], values: Mapping[str, Any], where: str) -> Any:
    """The type of the setting at `path` below a section; `values` tell which registry entry a table names."""
    known = fields(cls)
    if path[0] not in known:
        hint = did_you_mean(path[0], known) or f"known keys: {', '.join(known)}"
        raise ConfigError(f"unknown key {where}", hint, where)
    field = known[path[0]]
    if field.owned_list and len(path) == 1:
        return tuple[str, ...]
    if not field.owned:
        if len(path) == 2 and get_origin(field.type) is Mapping:
            return _one_value()
        if len(path) > 1:
            raise ConfigError(f"unknown key {where}", f"{path[0]} has no keys of its own", where)
        return field.hint
    if path[1:] == ("name",) or len(path) == 1:
        return _names(field.owned)
    table = _as_table(field.owned, values.get(path[0], {}))
    entry = _entry(field.owned.registry, table.get("name", field.owned.default), where)
    return leaf(entry, path[1:], table, where)


def _names(owned: Owned) -> Any:
    """What may name an entry."""
    known: Any = Literal[tuple(owned.registry)]
    if not owned.by_place:
        return known
    return known | Annotated[str, *fields(owned.registry.load(owned.by_place))["target"].constraints]


def _one_value() -> Any:
    """The first kind of number, flag or text as which a value in an open table can be read."""
    from pydantic import Field as Mark

    return Annotated[int | float | bool | str, Mark(union_mode="left_to_right")]


def dump(config: Any) -> dict[str, Any]:
    """The settings as JSON values, the way TOML would state them; what can't change a result is left out."""
    result: dict[str, Any] = {}
    for name, field in fields(type(config)).items():
        if field.unkeyed:
            continue
        value = getattr(config, name)
        if field.owned:
            value = _dump_owned(field.owned.registry, value)
        if field.owned_list:
            value = [_dump_owned(field.owned_list.registry, item) for item in value]
        result[name] = _plain_value(value)
    return result


def _plain_value(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dump(value)
    if isinstance(value, Mapping):
        return {key: _plain_value(item) for key, item in value.items()}
    return [_plain_value(item) for item in value] if isinstance(value, tuple | list) else value


def _dump_owned(registry: Registry, entry: Any) -> dict[str, Any]:
    return {"name": name_of(registry, entry), **dump(entry)}


def name_of(registry: Registry, entry: Any) -> str:
    """The name under which the class of `entry` is registered."""
    target = f"{type(entry).__module__}:{type(entry).__qualname__}"
    return next(name for name, place in registry.items() if place == target)


def walk(cls: type, values: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Field]]:
    """Every setting of a section with its path, those of the registry entries that `values` name included.

    `values` may change while this goes on; a name that no entry has is left to `decode`, which knows its place.
    """
    for name, field in fields(cls).items():
        yield (*prefix, name), field
        if field.owned:
            table = _as_table(field.owned, values.get(name, {}))
            chosen = table.get("name", field.owned.default)
            if isinstance(chosen, str) and chosen in field.owned.registry:
                yield from walk(field.owned.registry.load(chosen), table, (*prefix, name))


def _as_table(owned: Owned, value: Any) -> Mapping[str, Any]:
    table = owned.table(value)
    return table if isinstance(table, Mapping) else {}


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
