"""Derives a command's options from the fields of its sections, so that a default and its help exist only once."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer

from lmcli import config
from lmcli.cli.session import Session, Shown
from lmcli.errors import ConfigError, UsageError

Command = Callable[..., Shown | None]

SHARED: dict[str, Any] = {
    "folder": Annotated[
        Path,
        typer.Option("--project", "-C", show_default=False, help="Its folder; found here or above by its lmcli.toml."),
    ],
    "json": Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no remarks.")],
    "verbose": Annotated[bool, typer.Option("--verbose", "-v", help="More remarks.")],
}
SETTINGS: dict[str, Any] = {
    "sets": Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting, as in train.optimizer.lr=0.01.")
    ],
}
WRITERS: dict[str, Any] = {
    **SETTINGS,
    "dry_run": Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")],
    "force": Annotated[bool, typer.Option("--force", help="Make it again even when it is fresh.")],
}
_DEFAULTS = {"folder": Path(), "sets": None}


def command(
    *, writes: bool = False, settings: bool = False, **sections: type
) -> Callable[[Command], Callable[..., None]]:
    """Turn `function(session, ...) -> Shown` into a typer command.

    `sections` maps a table of lmcli.toml to the dataclass whose marked fields become options; their values arrive in
    `session.flags` under dotted keys. The function's own parameters stay as they are. Commands that write also get
    --set, --dry-run and --force; `settings` gives --set alone.
    """
    shared = {**SHARED, **(WRITERS if writes else SETTINGS if settings else {})}

    def wrap(function: Command) -> Callable[..., None]:
        own = _own(function)
        derived = {
            name: (table, field)
            for table, cls in sections.items()
            for name, field in _flagged(cls).items()
            if name not in own  # a command may give a setting a place of its own, as an argument
        }

        def run(**values: Any) -> None:
            given = {name: values.pop(name) for name in derived}
            flags = {
                f"{table}.{name}": _typed(field, given[name])
                for name, (table, field) in derived.items()
                if given[name] not in (None, [])
            }
            common = {name: values.pop(name) for name in shared}
            common["sets"] = tuple(common.get("sets") or ())
            session = Session(flags=flags, **common)
            result = function(session, **values)
            if result is not None:
                session.console.show(result.data, result.lines, as_json=session.json)

        parameters = [
            *own.values(),
            *(_parameter(name, _option(field), None) for name, (_, field) in derived.items()),
            *(_parameter(name, hint, _DEFAULTS.get(name, False)) for name, hint in shared.items()),
        ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__doc__ = inspect.getdoc(function)
        run.__name__ = function.__name__
        return run

    return wrap


def _own(function: Command) -> dict[str, inspect.Parameter]:
    hints = get_type_hints(function, include_extras=True)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return {item.name: item.replace(annotation=hints[item.name], kind=item.KEYWORD_ONLY) for item in parameters}


def _flagged(cls: type) -> Mapping[str, config.Field]:
    return {name: field for name, field in config.fields(cls).items() if field.flag}


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _option(field: config.Field) -> Any:
    """`Annotated[type | None, typer.Option(...)]`: None means that the flag was not given."""
    assert field.flag is not None
    kind = _option_type(field.type)
    name = f"--{field.name.replace('_', '-')}"
    names = field.flag.names or ((f"{name}/--no-{name[2:]}",) if kind is bool else (name,))
    metavar = "|".join(_choices(field.type)) if kind is str and _choices(field.type) else None
    text = f"{field.help[:1].upper()}{field.help[1:]}" + _default_note(field.default)
    return Annotated[kind | None, typer.Option(*names, help=text, metavar=metavar, show_default=False)]


def _default_note(default: Any) -> str:
    if isinstance(default, bool) or default in (None, "", ()):
        return ""
    return f"  [default: {', '.join(default) if isinstance(default, tuple) else default}]"


def _option_type(hint: Any) -> Any:
    """What typer parses by itself; everything else comes in as text and is parsed by `config.parse`."""
    if hint in (int, float, bool, str):
        return hint
    return list[str] if get_origin(hint) is tuple else str


def _choices(hint: Any) -> list[str]:
    origin = get_origin(hint)
    if origin is Annotated:
        return _choices(get_args(hint)[0])
    if origin is Literal:
        return [str(item) for item in get_args(hint)]
    if origin in (Union, types.UnionType):
        return [name for member in get_args(hint) for name in _choices(member)]
    return {int: ["int"], float: ["float"]}.get(hint, [])


def _typed(field: config.Field, value: Any) -> Any:
    names = field.flag.names if field.flag else ()
    name = names[-1] if names else f"--{field.name.replace('_', '-')}"
    try:
        if isinstance(value, str) and field.type is not str:
            return config.parse(field.hint, value, name)
        return config.check(field.hint, value, name)
    except ConfigError as error:
        raise UsageError(error.message, error.hint) from None
