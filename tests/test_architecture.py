"""The shape of the code: imports go one way, files and functions stay small, names behind strings exist."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import lmcli
from lmcli.cli.app import COMMANDS
from lmcli.registry import Registry

PACKAGE = Path(lmcli.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
# what stands further down may import what stands above, never the reverse
ORDER = [
    "errors",
    "registry",
    "progress",
    "units",
    "cores",
    "tables",
    "config",
    "project",
    "corpus",
    "tokens",
    "models",
    "objectives",
    "training",
    "generation",
    "evaluation",
    "interchange",
    "reporting",
    "serving",
    "stages",
    "cli",
    "__main__",
]
FORBIDDEN = {
    "project": {"torch", "numpy", "tokenizers", "datasets", "rich", "typer"},
    "corpus": {"torch", "rich", "typer"},
    "tokens": {"torch", "rich", "typer"},
    **{name: {"rich", "typer"} for name in ("models", "objectives", "training", "generation", "evaluation", "stages")},
}
UNSAFE_CALLS = {"eval", "exec"}
UNSAFE_IMPORTS = {"pickle", "dill", "marshal", "shelve", "yaml"}


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno


def parsed() -> Iterator[tuple[Path, ast.Module]]:
    for path in FILES:
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_imports_point_downward() -> None:
    wrong = []
    for path, tree in parsed():
        own = layer(path)
        if own == "__init__":
            continue
        for module, line in imported(tree):
            parts = module.split(".")
            if parts[0] != "lmcli" or len(parts) == 1:
                continue
            too_high = ORDER.index(parts[1]) > ORDER.index(own)
            if too_high or (own in ("generation", "evaluation") and parts[1] == "training"):
                wrong.append(f"{path}:{line} imports {module}")
    assert not wrong


def test_lower_layers_know_no_libraries_of_higher_ones() -> None:
    wrong = [
        f"{path}:{line} imports {module}"
        for path, tree in parsed()
        for module, line in imported(tree)
        if module.split(".")[0] in FORBIDDEN.get(layer(path), set())
    ]
    assert not wrong


def test_nothing_is_unpickled_or_executed() -> None:
    wrong = []
    for path, tree in parsed():
        wrong += [f"{path}:{line} imports {name}" for name, line in imported(tree) if name in UNSAFE_IMPORTS]
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                if name in UNSAFE_CALLS or name in ("torch.load", "torch.save"):
                    wrong.append(f"{path}:{node.lineno} calls {name}")
    assert not wrong


def test_only_the_command_line_prints_and_exits() -> None:
    wrong = [
        f"{path}:{node.lineno}"
        for path, tree in parsed()
        if layer(path) not in ("cli", "__main__")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.exit", "exit", "quit")
    ]
    assert not wrong


def test_files_and_functions_stay_small() -> None:
    wrong = [f"{path}: {count} lines" for path in FILES if (count := len(path.read_text().splitlines())) > 400]
    for path, tree in parsed():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = (node.end_lineno or node.lineno) - node.lineno + 1
                if size > 50:
                    wrong.append(f"{path}:{node.lineno}: {node.name} has {size} lines")
    assert not wrong


def registries() -> Iterator[tuple[str, Registry]]:
    for module in pkgutil.walk_packages([str(PACKAGE)], "lmcli."):
        if module.name != "lmcli.__main__":
            found = importlib.import_module(module.name)
            yield from ((name, value) for name, value in vars(found).items() if isinstance(value, Registry))


def test_every_registered_name_resolves() -> None:
    seen = dict(registries())
    assert {"FILTERS", "KINDS", "FAMILIES", "OPTIMIZERS", "SCHEDULES", "METRICS"} <= set(seen)
    for registry in seen.values():
        for name in registry:
            assert registry.load(name) is not None


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_resolves(name: str) -> None:
    module, _, function = COMMANDS[name][0].partition(":")
    found = getattr(importlib.import_module(module), function)
    assert found.__doc__, "the docstring is the help"
