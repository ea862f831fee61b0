from __future__ import annotations

import dataclasses
import subprocess
import sys
from datetime import date
from typing import Annotated, Any

import pytest

from lmcli import config
from lmcli.config import Owned, check, decode, dump, fields, leaf, parse, walk
from lmcli.errors import ConfigError
from tests.toy_sections import RULES, Heavy, Plain, Toy


def test_defaults_of_registry_entries_are_decoded_too() -> None:
    assert decode(Toy, {}) == Toy(rule=Plain(), rules=(Plain(),))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"steps": 3, "width": 64, "dropout": 0, "tie": False},
            {"steps": 3, "width": 64, "dropout": 0.0, "tie": False},
        ),
        ({"width": "auto", "inputs": ["a", "b"]}, {"width": "auto", "inputs": ("a", "b")}),
        ({"rule": "heavy"}, {"rule": Heavy()}),
        ({"rule": {"name": "heavy", "momentum": 0.5}}, {"rule": Heavy(momentum=0.5)}),
        ({"rule": {"rate": 0.5}}, {"rule": Plain(rate=0.5)}),
        ({"rules": ["heavy", {"name": "plain", "rate": 3}]}, {"rules": (Heavy(), Plain(rate=3.0))}),
        ({"rules": []}, {"rules": ()}),
    ],
)
def test_what_toml_may_say(values: dict[str, Any], expected: dict[str, Any]) -> None:
    assert decode(Toy, values) == dataclasses.replace(Toy(rules=(Plain(),)), **expected)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": True}, "toy.steps = True is not possible"),
        ({"steps": "3"}, "toy.steps = '3' is not possible"),
        ({"steps": 1.0}, "toy.steps = 1.0 is not possible"),
        ({"steps": 0}, "toy.steps = 0 is not possible: Input should be greater than or equal to 1"),
        ({"steps": 10**5000}, "toy.steps can't be read"),
        ({"width": 7}, "toy.width = 7 is not possible"),
        ({"width": "automatic"}, "toy.width = 'automatic' is not possible"),
        ({"dropout": float("nan")}, "toy.dropout = nan is not possible"),
        ({"dropout": float("inf")}, "toy.dropout = inf is not possible"),
        ({"dropout": "0.1"}, "toy.dropout = '0.1' is not possible"),
        ({"tie": 1}, "toy.tie = 1 is not possible"),
        ({"shape": 1}, "toy.shape = 1 is not possible"),
        ({"split": "middle"}, "toy.split = 'middle' is not possible: Input should be 'hash' or 'tail'"),
        ({"inputs": "corpus/"}, "toy.inputs = 'corpus/' is not possible"),
        ({"inputs": [1]}, r"toy.inputs = \[1\] is not possible"),
        ({"hidden": date(2024, 1, 1)}, "toy.hidden can't be read"),
        ({"rule": 3}, "toy.rule must be a name or a table with a name, not 3"),
        ({"rule": {"name": 3}}, "toy.rule.name must be a string, not 3"),
        ({"rule": {"name": "hevy"}}, "toy.rule: unknown rule 'hevy'"),
        ({"rule": {"momentum": 0.5}}, "unknown key toy.rule.momentum"),
        ({"rule": {"name": "heavy", "betas": [0.9]}}, "toy.rule.betas"),
        ({"rules": 3}, "toy.rules must be a list of names or tables, not 3"),
        ({"rules": [{"rate": 1}]}, "each entry of toy.rules is a name or a table with a name"),
        ({"rules": [3]}, "each entry of toy.rules is a name or a table with a name, not 3"),
    ],
)  # fmt: skip
def test_what_toml_may_not_say(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        decode(Toy, values, "toy")
    assert caught.value.exit_code == 3
    assert "\n" not in caught.value.message
    assert caught.value.key is not None
    assert caught.value.key.startswith("toy.")


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        ({"stepz": 1}, "did you mean steps?"),
        ({"zzz": 1}, f"known keys: {', '.join(fields(Toy))}"),
        ({"rule": {"name": "hevy"}}, "did you mean heavy?"),
        ({"rule": {"name": "zzz"}}, "known: plain, heavy"),
        ({"rule": {"rat": 1}}, "did you mean rate?"),
    ],
)
def test_a_wrong_word_is_answered_with_the_nearest_one(values: dict[str, Any], hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode(Toy, values)
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("steps", "3", 3),
        ("width", "64", 64),
        ("width", "auto", "auto"),
        ("dropout", "0.125", 0.125),
        ("tie", "false", False),
        ("shape", "true", True),
        ("shape", "auto", "auto"),
        ("note", "12", "12"),
        ("inputs", "a, b/c ,", ("a", "b/c")),
        ("inputs", "", ()),
        ("inputs", "[CLS], [SEP]", ("[CLS]", "[SEP]")),
        ("inputs", '["a,b", "[c]"]', ("a,b", "[c]")),
        ("inputs", "[]", ()),
        ("sizes", "1,2", (1, 2)),
    ],
)
def test_text_of_flags_and_environment_is_read_by_type(key: str, text: str, value: Any) -> None:
    found = parse(fields(Toy)[key].hint, text, key)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("key", "text"),
    [("steps", "1.5"), ("steps", ""), ("steps", "0"), ("steps", "1e3"), ("width", "4"), ("dropout", "nan"),
     ("dropout", "1e999"), ("dropout", "0,1"), ("tie", "maybe"), ("split", "middle"), ("sizes", "1,x"),
     ("sizes", "1.5")],
)  # fmt: skip
def test_text_that_is_not_possible(key: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"--{key} = '{text}' is not possible"):
        parse(fields(Toy)[key].hint, text, f"--{key}")


def test_checking_does_not_convert() -> None:
    assert check(int | None, None, "x") is None
    with pytest.raises(ConfigError):
        check(float, True, "x")


@pytest.mark.parametrize(
    ("path", "values", "good", "bad"),
    [
        (("steps",), {}, 3, 0),
        (("rule",), {}, "heavy", "hevy"),
        (("rule", "name"), {}, "heavy", "hevy"),
        (("rule", "rate"), {}, 0.5, 0),
        (("rule", "momentum"), {"rule": {"name": "heavy"}}, 0.5, 1),
        (("rule", "momentum"), {"rule": "heavy"}, 0.5, 1),
        (("rules",), {}, ["plain", "heavy"], [3]),
    ],
)
def test_the_type_of_a_nested_setting(path: tuple[str, ...], values: dict[str, Any], good: Any, bad: Any) -> None:
    hint = leaf(Toy, path, values, "x")
    check(hint, good, "x")
    with pytest.raises(ConfigError):
        check(hint, bad, "x")


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (("stepz",), {}),
        (("steps", "deeper"), {}),
        (("rule", "momentum"), {}),
        (("rule", "rate"), {"rule": "hevy"}),
        (("rule", "rate"), {"rule": {"name": 3}}),
        (("",), {}),
    ],
)
def test_a_nested_setting_that_does_not_exist(path: tuple[str, ...], values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"toy\.x"):
        leaf(Toy, path, values, "toy.x")


def test_what_is_dumped_decodes_to_the_same_and_leaves_out_what_changes_no_result() -> None:
    toy = Toy(steps=3, rule=Heavy(betas=(0.1, 0.2)), rules=(Heavy(), Plain()), workers=4)
    dumped = dump(toy)
    assert dumped["rule"] == {"name": "heavy", "rate": 0.2, "momentum": 0.9, "betas": [0.1, 0.2]}
    assert [item["name"] for item in dumped["rules"]] == ["heavy", "plain"]
    assert "workers" not in dumped
    assert decode(Toy, dumped) == dataclasses.replace(toy, workers=0)


def test_a_field_default_of_a_registry_entry_holds_for_that_entry_only() -> None:
    @config.section
    class Tuned:
        rule: Annotated[Any, "which rule", Owned(RULES, "plain")] = Plain(rate=7.0)

    assert decode(Tuned, {"rule": {}}) == Tuned(rule=Plain(rate=7.0))
    assert decode(Tuned, {"rule": "heavy"}) == Tuned(rule=Heavy())


def test_walking_visits_the_fields_of_the_entries_that_are_named() -> None:
    paths = {".".join(path) for path, _ in walk(Toy, {"rule": "heavy"})}
    assert {"steps", "rule", "rule.rate", "rule.momentum"} <= paths
    assert "rule.momentum" not in {".".join(path) for path, _ in walk(Toy, {})}
    assert "rule.rate" not in {".".join(path) for path, _ in walk(Toy, {"rule": {"name": ["no name"]}})}


def test_sections_are_frozen_and_keyword_only() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Toy().steps = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        Toy(3)  # type: ignore[call-arg]


def test_fields_tell_help_default_and_marks() -> None:
    found = fields(Toy)
    assert (found["steps"].help, found["steps"].default) == ("how many steps", 10)
    assert found["raw"].flag is not None
    assert found["raw"].flag.names == ("--raw",)
    assert found["hidden"].flag is None
    assert found["workers"].unkeyed


def test_listing_settings_imports_no_pydantic() -> None:
    code = "import sys; from tests.toy_sections import Toy; from lmcli.config import fields; fields(Toy); " \
        "sys.exit('pydantic' in sys.modules)"  # fmt: skip
    subprocess.run([sys.executable, "-c", code], check=True)
