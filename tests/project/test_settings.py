from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as for_any
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lmcli.errors import ConfigError
from lmcli.project import document
from lmcli.project.lock import Override
from lmcli.project.settings import Given, Resolved, belongs, names_first, resolve, variable
from lmcli.training.config import FinetuneConfig, PretrainConfig
from tests.project.toys import make_project, tree_bytes
from tests.toy_sections import Heavy, Plain, Toy


@pytest.fixture
def toml(tmp_path: Path) -> Any:
    def write(text: str) -> document.Document:
        (tmp_path / "lmcli.toml").write_text(text)
        return document.read(tmp_path / "lmcli.toml")

    return write


def toy(found: Resolved) -> Toy:
    section: Toy = found.sections["toy"]
    return section


LAYERS = [
    ("lmcli.toml:2", 2),
    ("lmcli.lock", 3),
    ("$LMCLI_TOY_STEPS", 4),
    ("--set toy.steps", 5),
    ("--steps", 6),
]


@pytest.mark.parametrize("top", range(len(LAYERS) + 1))
def test_each_layer_wins_over_those_below(toml: Any, top: int) -> None:
    on = {origin for origin, _ in LAYERS[:top]}
    found = resolve(
        {"toy": Toy},
        toml("[toy]\nsteps = 2\n" if "lmcli.toml:2" in on else ""),
        Given(
            {"toy.steps": 6} if "--steps" in on else {},
            ["toy.steps=5"] if "--set toy.steps" in on else [],
            {"LMCLI_TOY_STEPS": "4"} if "$LMCLI_TOY_STEPS" in on else {},
        ),
        {"toy.steps": Override(3, 2)} if "lmcli.lock" in on else {},
    )
    assert toy(found).steps == (LAYERS[top - 1][1] if top else 10)
    if top >= 2:
        assert found.origins == {"toy.steps": LAYERS[top - 1][0]}
        assert found.overrides == {"toy.steps": Override(LAYERS[top - 1][1], 2)}
    else:
        assert (found.origins, found.overrides) == ({}, {})


def test_an_override_holds_until_the_value_that_it_masks_changes(toml: Any) -> None:
    first = resolve({"toy": Toy}, toml("[toy]\nsteps = 2\n"), Given({"toy.steps": 6}))
    for text, steps, kept in [
        ("[toy]\nsteps = 2\n", 6, True),
        ("[toy]\nsteps = 2\nwidth = 16\n", 6, True),
        ("[toy]\nsteps = 3\n", 3, False),
        ("", 10, False),
    ]:
        found = resolve({"toy": Toy}, toml(text), None, first.overrides)
        assert toy(found).steps == steps
        assert found.overrides == (first.overrides if kept else {})


def test_an_override_of_a_default_holds_until_lmcli_toml_states_a_value(toml: Any) -> None:
    first = resolve({"toy": Toy}, toml(""), Given(sets=["toy.rule=heavy", "toy.rule.momentum=0.5"]))
    again = resolve({"toy": Toy}, toml(""), None, first.overrides)
    assert toy(again) == toy(first)
    assert toy(again).rule == Heavy(momentum=0.5)
    assert again.overrides == first.overrides


def test_an_override_of_a_registry_entry_that_lmcli_toml_has_replaced_is_dropped(toml: Any) -> None:
    first = resolve({"toy": Toy}, toml(""), Given(sets=["toy.rule=heavy", "toy.rule.momentum=0.5"]))
    found = resolve({"toy": Toy}, toml("[toy.rule]\nrate = 3.0\n"), None, first.overrides)
    assert toy(found).rule == Plain(rate=3.0)
    assert found.overrides == {}


@pytest.mark.parametrize(
    "given",
    [
        Given({"toy.inputs": ("a", "b")}),
        Given(sets=["toy.inputs=a,b"]),
        Given(environment={"LMCLI_TOY_INPUTS": "a,b"}),
    ],
    ids=["flag", "set", "environment"],
)
def test_a_list_is_an_override_only_where_it_differs_from_lmcli_toml(toml: Any, given: Given) -> None:
    assert resolve({"toy": Toy}, toml('[toy]\ninputs = ["a", "b"]\n'), given).overrides == {}
    found = resolve({"toy": Toy}, toml('[toy]\ninputs = ["c"]\n'), given)
    assert toy(found).inputs == ("a", "b")
    assert found.overrides == {"toy.inputs": Override(["a", "b"], ["c"])}  # as JSON gives it back


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Given(), None),
        (Given({"toy.steps": 3}, ["toy.width=4"], {"LMCLI_TOY_TIE": "true"}), None),
        (Given(environment={"LMCLI_TOY_RULE_RATE": "1"}), "1"),
        (Given(sets=["toy.rule.rate = 2 "], environment={"LMCLI_TOY_RULE_RATE": "1"}), "2"),
        (Given(sets=["toy.rule.rate=2", "toy.rule.rate=3"]), "3"),
        (Given(sets=["toy.rule.rate="], environment={"LMCLI_TOY_RULE_RATE": "1"}), ""),
        (Given({"toy.rule.rate": 4.0}, ["toy.rule.rate=2"]), 4.0),
    ],
)
def test_what_is_asked_of_a_setting_in_any_form(given: Given, said: object) -> None:
    assert given.asked("toy.rule.rate") == said


@pytest.mark.parametrize(
    ("table", "path", "name"),
    [
        ("train", ("optimizer", "lr"), "LMCLI_TRAIN_OPTIMIZER_LR"),
        ("finetune.chat-2", ("text_key",), "LMCLI_FINETUNE_CHAT_2_TEXT_KEY"),
    ],
)
def test_names_of_environment_variables(table: str, path: tuple[str, ...], name: str) -> None:
    assert variable(table, path) == name


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LMCLI_TOY_WIDTH": "64", "LMCLI_TOY_TIE": "false"}, {"width": 64, "tie": False}),
        ({"LMCLI_TOY_RULE_RATE": "0.5"}, {"rule": Plain(rate=0.5)}),
        ({"LMCLI_TOY_RULE": "heavy", "LMCLI_TOY_RULE_MOMENTUM": "0.5"}, {"rule": Heavy(momentum=0.5)}),
        ({"LMCLI_TOY_RULES": "heavy,plain"}, {"rules": (Heavy(), Plain())}),
        ({"LMCLI_TOY": "3", "LMCLI_OTHER_STEPS": "3", "TOY_STEPS": "3"}, {}),
    ],
)
def test_settings_from_the_environment(toml: Any, environment: dict[str, str], expected: dict[str, Any]) -> None:
    found = toy(resolve({"toy": Toy}, toml(""), Given(environment=environment)))
    assert found == replace(toy(resolve({"toy": Toy}, toml(""))), **expected)


@pytest.mark.parametrize(
    ("text", "sets", "rule"),
    [
        ("", ["toy.rule=heavy"], Heavy()),
        ("", ["toy.rule.name=heavy", "toy.rule.betas=0.5,0.75"], Heavy(betas=(0.5, 0.75))),
        ("", ["toy.rule=heavy", "toy.rule.momentum = 0.5 "], Heavy(momentum=0.5)),
        ("", ["toy.rule.momentum=0.5", "toy.rule=heavy"], Heavy(momentum=0.5)),
        ("", ["toy.rule.rate=3.0", "toy.rule=heavy"], Heavy(rate=3.0)),
        ("", ["toy.rule.betas=0.5,0.75", "toy.rule.name=heavy"], Heavy(betas=(0.5, 0.75))),
        ("", ["toy.rule.rate=3.0", "toy.rule=plain", "toy.rule.rate=4.0", "toy.rule=heavy"], Heavy(rate=4.0)),
        ('[toy]\nrule = "heavy"\n', ["toy.rule.momentum=0.5"], Heavy(momentum=0.5)),
        ("[toy.rule]\nrate = 3.0\n", ["toy.rule=heavy"], Heavy()),
        ("[toy.rule]\nrate = 3.0\n", ["toy.rule=plain"], Plain()),
        ('[toy.rule]\nname = "plain"\nrate = 3.0\n', ["toy.rule=plain"], Plain(rate=3.0)),
        ("[toy.rule]\nrate = 3.0\n", [], Plain(rate=3.0)),
    ],
)
def test_settings_of_registry_entries(toml: Any, text: str, sets: list[str], rule: object) -> None:
    assert toy(resolve({"toy": Toy}, toml(text), Given(sets=sets))).rule == rule


@pytest.mark.parametrize(
    ("text", "given", "message", "hint"),
    [
        ("[toy]\n\nstepz = 3\n", Given(), "lmcli.toml:3: unknown key toy.stepz", "did you mean steps?"),
        ("[toy]\n\nsteps = 0\n", Given(), "lmcli.toml:3: toy.steps = 0 is not possible", None),
        ('[toy.rule]\nname = "hevy"\n', Given(), "lmcli.toml:2: toy.rule: unknown rule 'hevy'", "did you mean heavy?"),
        ('[toy]\nrule = {name = "heavy", rat = 1}\n', Given(), "lmcli.toml:2: unknown key toy.rule.rat", "rate?"),
        ("[toy.rule]\nname = 3\n", Given(environment={"LMCLI_TOY_STEPS": "3"}), "lmcli.toml:2: toy.rule.name", None),
        ("toy = 3\n", Given(), "lmcli.toml:1: toy must be a table", "write [toy] on its own line"),
        ("", Given(sets=["toy.stepz=3"]), "unknown key toy.stepz", "did you mean steps?"),
        ("", Given(sets=["toy.rule.rat=3"]), "unknown key toy.rule.rat", "did you mean rate?"),
        ("", Given(sets=["toy.steps.deeper=3"]), "unknown key toy.steps.deeper", "steps has no keys of its own"),
        ("", Given(sets=["toy.steps"]), "--set toy.steps: no value", "write --set KEY=VALUE"),
        ("", Given(sets=["toy.steps=many"]), "--set toy.steps = 'many' is not possible", None),
        ("", Given(sets=["other.steps=3"]), "--set other.steps: no such setting for this command", "it reads: toy"),
        ("", Given(sets=["toy=3"]), "--set toy: no such setting for this command", None),
        ("", Given({"toy.steps": 0}), "--steps: toy.steps = 0 is not possible", None),
        ("", Given(environment={"LMCLI_TOY_STEPS": "x"}), "LMCLI_TOY_STEPS = 'x' is not possible", None),
        ("", Given(environment={"LMCLI_TOY_RULES": "x"}), "$LMCLI_TOY_RULES: toy.rules: unknown rule 'x'", None),
    ],
)
def test_errors_say_where_the_value_was_given(
    toml: Any, text: str, given: Given, message: str, hint: str | None
) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve({"toy": Toy}, toml(text), given)
    assert caught.value.message.startswith(message)
    assert (hint or "") in (caught.value.hint or "")


def test_a_value_recorded_in_the_lock_that_is_no_longer_possible_names_the_lock(toml: Any) -> None:
    with pytest.raises(ConfigError, match=r"^lmcli\.lock: toy\.steps = 0 is not possible"):
        resolve({"toy": Toy}, toml(""), None, {"toy.steps": Override(0, None)})


def test_a_short_key_reaches_the_one_section_of_its_kind(toml: Any) -> None:
    sections = {"finetune.chat": Toy, "model": Toy}
    found = resolve(sections, toml(""), Given(sets=["finetune.steps=3", "finetune.chat.width=16"]))
    assert found.sections["finetune.chat"].steps == 3
    assert found.overrides.keys() == {"finetune.chat.steps", "finetune.chat.width"}
    assert found.sections["model"].steps == 10


def test_the_learning_rate_has_a_short_key(toml: Any) -> None:
    tables = {"train": PretrainConfig, "finetune.chat": FinetuneConfig}
    found = resolve(tables, toml(""), Given(sets=["train.lr=0.5", "finetune.lr=0.25"]))
    assert found.sections["train"].optimizer.lr == 0.5
    assert found.sections["finetune.chat"].optimizer.lr == 0.25
    assert set(found.overrides) == {"train.optimizer.lr", "finetune.chat.optimizer.lr"}


@pytest.mark.parametrize("table", ["train", "finetune"])
@pytest.mark.parametrize(
    ("name", "key"), [("optimizer=adamw", "lr=0.003"), ("schedule=piecewise", "schedule.points=[[0, 1], [1, 0]]")]
)
def test_the_order_of_sets_does_not_matter_and_the_lock_repeats_it(toml: Any, table: str, name: str, key: str) -> None:
    sections = {"train": PretrainConfig, "finetune.chat": FinetuneConfig}
    sets = [f"{table}.{name}", f"{table}.{key}"]
    forwards, backwards = (resolve(sections, toml(""), Given(sets=given)) for given in (sets, sets[::-1]))
    assert backwards == forwards
    assert len(forwards.overrides) == 2
    tuned = forwards.sections["train" if table == "train" else "finetune.chat"]
    if name.startswith("optimizer"):
        assert (type(tuned.optimizer).__name__, tuned.optimizer.lr) == ("AdamW", 0.003)
    else:
        assert tuned.schedule.points == ((0, 1), (1, 0))
    again = resolve(sections, toml(""), None, dict([*forwards.overrides.items()][::-1]))
    assert again.sections == forwards.sections
    assert again.overrides == forwards.overrides


def test_an_override_of_a_key_goes_with_the_entry_that_it_belonged_to(toml: Any) -> None:
    recorded = {"toy.rule.rate": Override(3.0, None), "toy.steps": Override(3, None)}
    found = resolve({"toy": Toy}, toml(""), Given(sets=["toy.rule=heavy"], on_top=True), recorded)
    assert toy(found).rule == Heavy()
    assert found.overrides == {"toy.steps": Override(3, None), "toy.rule": Override("heavy", None)}
    assert found.origins == {"toy.steps": "lmcli.lock", "toy.rule": "--set toy.rule"}
    assert resolve({"toy": Toy}, toml(""), None, found.overrides).sections == found.sections


def test_names_come_before_the_keys_that_belong_to_them() -> None:
    given = ["train.optimizer.lr", "train.optimizer.name", "model.depth", "train.optimizer", "train.seed"]
    assert names_first(given) == [*given[1:], "train.optimizer.lr"]


def test_only_what_concerns_a_section_reaches_it(toml: Any) -> None:
    given = Given({"toy.steps": 3, "other.steps": 4}, ["toy.width=16", "other.width=32"], {"LMCLI_TOY_TIE": "false"})
    narrowed = given.only({"toy": Toy})
    assert (narrowed.flags, narrowed.sets) == ({"toy.steps": 3}, ["toy.width=16"])
    found = toy(resolve({"toy": Toy}, toml(""), narrowed))
    assert (found.steps, found.width, found.tie) == (3, 16, False)
    assert belongs(" toy.width = 3", {"toy": Toy})
    assert not belongs("toyish.width=3", {"toy": Toy})


OUT_OF_RANGE = {
    "steps": st.integers(max_value=0) | st.floats() | st.booleans() | st.text(),
    "width": st.integers(max_value=7) | st.floats() | st.booleans(),
    "dropout": st.floats(min_value=0.5, exclude_min=True) | st.floats(max_value=0, exclude_max=True) | st.booleans(),
    "tie": st.integers() | st.text() | st.lists(st.booleans()),
    "split": st.text().filter(lambda text: text not in ("hash", "tail")) | st.none() | st.integers(),
    "sizes": st.lists(st.floats(allow_nan=True), min_size=1) | st.integers() | st.text(),
    "rule": st.integers() | st.text().filter(lambda text: text not in ("plain", "heavy")) | st.none(),
}


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("settings") / "project").root


@hypothesis_settings(deadline=None, max_examples=50)
@for_any(st.sampled_from(sorted(OUT_OF_RANGE)).flatmap(lambda key: st.tuples(st.just(key), OUT_OF_RANGE[key])))
def test_an_impossible_value_is_refused_and_nothing_is_written(untouched: Path, item: tuple[str, Any]) -> None:
    key, value = item
    before = tree_bytes(untouched)
    stated = document.Document(untouched / "lmcli.toml", {"toy": {key: value}}, {"toy": 1, f"toy.{key}": 2})
    with pytest.raises(ConfigError, match=rf"^lmcli\.toml:2: toy\.{key}") as caught:
        resolve({"toy": Toy}, stated)
    assert caught.value.exit_code == 3
    assert tree_bytes(untouched) == before


@hypothesis_settings(deadline=None, max_examples=50)
@for_any(st.sampled_from(["steps", "width", "dropout", "sizes", "tie", "split"]), st.text())
def test_any_text_from_the_environment_is_a_value_or_a_clean_error(key: str, text: str) -> None:
    name = f"LMCLI_TOY_{key.upper()}"
    try:
        found = resolve({"toy": Toy}, document.Document(Path("lmcli.toml")), Given(environment={name: text}))
    except ConfigError as error:
        assert name in error.message
    else:
        assert f"toy.{key}" in found.overrides
