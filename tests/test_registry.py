from __future__ import annotations

import sys
from collections import OrderedDict

import pytest

from lmcli.errors import ConfigError
from lmcli.registry import Registry

SHAPES = Registry("shape", {"ordered": "collections:OrderedDict", "odd": "this:d", "broken": "no_such_module:x"})


def test_names_are_listed_in_order_without_an_import() -> None:
    sys.modules.pop("this", None)
    assert list(SHAPES) == ["ordered", "odd", "broken"]
    assert len(SHAPES) == 3
    assert "odd" in SHAPES
    assert "this" not in sys.modules


def test_load_imports_what_is_named() -> None:
    assert SHAPES.load("ordered") is OrderedDict


@pytest.mark.parametrize(
    ("name", "hint"), [("orderd", "did you mean ordered?"), ("zzz", "known: ordered, odd, broken")]
)
def test_an_unknown_name_is_answered_with_what_is_known(name: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown shape '{name}'") as caught:
        SHAPES.load(name)
    assert caught.value.hint == hint


def test_a_module_that_is_missing_is_a_bug_not_a_wrong_name() -> None:
    with pytest.raises(ModuleNotFoundError):
        SHAPES.load("broken")
