"""The commands together, as a person or a script calls them in a project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Lmcli
from tests.projects import STEPS, TINY, digests, lock, tree
from tests.texts import sentences, write_corpus


def states(lmcli: Lmcli) -> dict[str, str]:
    return {row["name"]: row["state"] for row in lmcli("status", "--json").json["artifacts"]}


def reasons(lmcli: Lmcli, name: str) -> str:
    found = next(row for row in lmcli("status", "--json").json["artifacts"] if row["name"] == name)
    return "; ".join(found["reasons"])


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def assert_nothing_to_do(lmcli: Lmcli, root: Path) -> None:
    before = tree(root)
    ran = lmcli("run")
    assert (ran.code, ran.out) == (0, "nothing to do: everything is up to date\n"), ran.err
    assert tree(root) == before


def test_the_four_commands_need_no_flags(lmcli: Lmcli, folder: Path) -> None:
    write_corpus(folder / "corpus", files=3, lines=60)
    (folder / "notes.txt").write_text("mine")
    (folder / ".gitignore").write_text("*.bak\n")
    before = tree(folder)
    initialised = lmcli("init")
    assert initialised.code == 0
    assert "kept .gitignore" in initialised.out
    kept = {name: item for name, item in tree(folder).items() if name in before}
    assert kept == before
    assert lmcli("tokenize", "corpus/").code == 0
    trained = lmcli("train", "--steps", 4)
    assert trained.code == 0, trained.err
    written = lmcli("generate", "The cat")
    assert written.code == 0
    assert written.out.startswith("The cat")
    assert len(written.out) > len("The cat\n")
    assert "seed" in written.err
    assert states(lmcli) == {"tokenizer": "fresh", "tokens": "fresh", "model": "fresh"}
    assert_nothing_to_do(lmcli, folder)


def test_init_of_a_project_changes_nothing(lmcli: Lmcli, trained: Path) -> None:
    before = tree(trained)
    assert lmcli("init").code == 0
    assert tree(trained) == before


def test_run_does_nothing_after_every_command_was_given_flags(lmcli: Lmcli, trained: Path) -> None:
    for line in (
        ("clean", "corpus/0.txt", "corpus/1.txt", "--duplicates", "keep"),
        ("tokenize", "corpus/0.txt", "corpus/1.txt", "--split", "tail", "--vocab-size", 380),
        ("train", "--steps", 4, "--seed", 3, *TINY),
        ("finetune", "pairs.jsonl", "--name", "chat", "--steps", 3, "--dropout", 0),
        ("eval", "pairs.jsonl", "--model", "chat", "--limit", 2, "--max-tokens", 3, "--metric", "exact"),
        ("generate", "The", "--save", "said", "--seed", 1, "--max-tokens", 5, "--model", "chat"),
    ):
        ran = lmcli(*line)
        assert ran.code == 0, (line, ran.err)
    rows = {row["name"]: row for row in lmcli("status", "--json").json["artifacts"]}
    assert {name: row["state"] for name, row in rows.items()} == dict.fromkeys(rows, "fresh")
    assert rows["tokens"]["overrides"]["tokens.split"] == "tail"
    assert rows["tokens"]["overrides"]["project.inputs"] == ["corpus/0.txt", "corpus/1.txt"]
    assert rows["tokenizer"]["overrides"]["tokenizer.vocab_size"] == 380
    assert rows["model"]["overrides"]["train.length"] == "4 steps"
    assert rows["chat"]["overrides"]["finetune.chat.dropout"] == 0
    assert rows["eval-chat-pairs"]["overrides"]["eval.eval-chat-pairs.limit"] == 2
    assert rows["said"]["overrides"]["generate.said.prompts"] == ["The"]
    assert_nothing_to_do(lmcli, trained)


def test_a_flag_holds_until_the_value_in_lmcli_toml_changes(lmcli: Lmcli, trained: Path) -> None:
    config = trained / "lmcli.toml"
    config.write_text('[train]\nlength = "5 steps"\n')
    assert reasons(lmcli, "model") == f'train.length changed ("{STEPS} steps" -> "5 steps")'
    ran = lmcli("run", "--json")
    assert ran.code == 0, ran.err
    model = ran.json["artifacts"][0]
    assert (model["name"], model["report"]["steps"], model["plan"]["model"]["width"]) == ("model", 5, 32)
    assert_nothing_to_do(lmcli, trained)
    assert lmcli("train", "--steps", 7, *TINY).code == 0  # masks "5 steps" now
    append(config, "seed = 0\n")
    assert states(lmcli)["model"] == "fresh"
    config.write_text('[train]\nlength = "6 steps"\n')
    assert reasons(lmcli, "model") == 'train.length changed ("7 steps" -> "6 steps")'


def test_a_stage_command_without_flags_makes_what_lmcli_toml_says(lmcli: Lmcli, trained: Path) -> None:
    (trained / "lmcli.toml").write_text(
        '[train]\nlength = "3 steps"\nbatch_tokens = 256\n[model]\nwidth = 16\ndepth = 1\n'
    )
    ran = lmcli("train", "--json")
    assert ran.code == 0, ran.err
    made = ran.json["artifacts"][0]
    assert (made["report"]["steps"], made["plan"]["model"]["width"], made["plan"]["model"]["depth"]) == (3, 16, 1)
    assert lock(trained)["model"]["overrides"] == {}
    assert "up to date" in lmcli("train").out


def test_force_trains_anew_and_keeps_the_old_run(lmcli: Lmcli, trained: Path) -> None:
    before = digests(trained)
    (trained / "runs" / "model" / "run.json").write_text("{")  # what --force is for: a run that can't go on
    ran = lmcli("train", "--steps", STEPS, *TINY, "--force")
    assert ran.code == 0, ran.err
    assert digests(trained) == before, "the same settings give the same bytes"
    assert (trained / "runs" / "model.1" / "run.json").read_text() == "{"
    assert len((trained / "runs" / "model" / "metrics.jsonl").read_text().splitlines()) == STEPS


def test_the_environment_and_set_are_layers(lmcli: Lmcli, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (trained / "lmcli.toml").write_text("[train]\nseed = 1\nbatch_tokens = 256\n[model]\nwidth = 16\ndepth = 1\n")
    monkeypatch.setenv("LMCLI_TRAIN_SEED", "2")
    monkeypatch.setenv("LMCLI_TRAIN_LENGTH", "2 steps")
    assert lmcli("train").code == 0
    assert lock(trained)["model"]["seed"] == 2
    assert lmcli("train", "--set", "train.seed=3").code == 0
    assert lock(trained)["model"]["seed"] == 3
    assert lmcli("train", "--set", "train.seed=3", "--seed", 4).code == 0
    assert lock(trained)["model"]["seed"] == 4


def test_status_names_the_file_that_changed_and_what_depends_on_it(lmcli: Lmcli, trained: Path) -> None:
    assert lmcli("eval").code == 0
    append(trained / "corpus" / "1.txt", sentences(3, seed=9))
    (trained / "corpus" / "new.txt").write_text(sentences(5, seed=10))
    assert states(lmcli) == {"tokenizer": "fresh", "tokens": "stale", "model": "stale", "eval": "stale"}
    assert reasons(lmcli, "tokens") == "input corpus changed (corpus/1.txt, corpus/new.txt is new)"
    assert reasons(lmcli, "model") == "input tokens is stale"
    assert "input model is stale" in reasons(lmcli, "eval")
    shown = lmcli("status").out
    assert "tokens     stale    input corpus changed (corpus/1.txt, corpus/new.txt is new)" in shown


def test_a_file_with_its_old_size_and_time_is_still_noticed(lmcli: Lmcli, trained: Path) -> None:
    path = trained / "corpus" / "0.txt"
    assert states(lmcli)["tokens"] == "fresh"
    before = path.stat()
    text = path.read_bytes()
    path.write_bytes(text[:-2] + b"!" + text[-1:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert reasons(lmcli, "tokens") == "input corpus changed (corpus/0.txt)"


def test_stale_tokens_stop_training_and_run_repairs(lmcli: Lmcli, trained: Path) -> None:
    append(trained / "corpus" / "2.txt", sentences(3, seed=9))
    before = tree(trained)
    refused = lmcli("train", "--steps", STEPS, *TINY)
    assert refused.code == 4
    assert "tokens is stale: input corpus changed (corpus/2.txt)" in refused.err
    assert "`lmcli run model`" in refused.err
    assert tree(trained) == before
    written = lmcli("generate", "The", "--max-tokens", 2)
    assert written.code == 0
    assert "warning: model is stale: input tokens is stale" in written.err
    measured = lmcli("eval")
    assert measured.code == 0
    assert "warning: model is stale" in measured.err
    repaired = lmcli("run", "model", "--json")
    assert repaired.code == 0, repaired.err
    assert [item["name"] for item in repaired.json["artifacts"]] == ["tokens", "model"]
    assert states(lmcli) == {"tokenizer": "fresh", "tokens": "fresh", "model": "fresh", "eval": "stale"}
    assert "warning" not in lmcli("generate", "The", "--max-tokens", 2).err


def test_finetune_refuses_a_stale_base(lmcli: Lmcli, trained: Path) -> None:
    append(trained / "corpus" / "2.txt", sentences(3, seed=9))
    refused = lmcli("finetune", "pairs.jsonl", "--steps", 2)
    assert refused.code == 4
    assert "model is stale" in refused.err
    assert "runs/pairs" not in tree(trained)


def test_the_tokenizer_is_pinned_until_it_is_trained_anew(lmcli: Lmcli, trained: Path) -> None:
    before = digests(trained)
    (trained / "corpus" / "more.txt").write_text("Zyxwv utsrq ponml.\n" * 200, encoding="utf-8")
    assert lmcli("tokenize", "corpus/").code == 0
    after = digests(trained)
    assert after["tokenizer"] == before["tokenizer"]
    assert after["tokens"] != before["tokens"]
    assert "the corpus has changed by +" in reasons(lmcli, "tokenizer")
    assert states(lmcli)["tokenizer"] == "fresh"
    assert lmcli("tokenize", "corpus/", "--retrain").code == 0
    assert digests(trained)["tokenizer"] != before["tokenizer"]
    assert "corpus has changed" not in reasons(lmcli, "tokenizer")
    assert "input tokenizer was made anew" in reasons(lmcli, "model")
    assert lmcli("tokenize", "corpus/", "--kind", "char").code == 0  # its own settings: not pinned
    assert lock(trained)["tokenizer"]["report"]["kind"] == "char"


def test_a_second_model_stands_beside_the_first(lmcli: Lmcli, trained: Path) -> None:
    first = digests(trained)["model"]
    assert lmcli("train", "--name", "second", "--steps", 4, "--seed", 5, *TINY).code == 0
    assert digests(trained)["model"] == first
    assert digests(trained)["second"] != first
    assert Path(lmcli("path", "second").out.strip()).is_relative_to(trained / "artifacts" / "second")
    assert (trained / "runs" / "second" / "metrics.jsonl").is_file()
    assert lmcli("generate", "The", "--model", "second", "--max-tokens", 2, "--json").json["model"] == "second"
    (trained / "lmcli.toml").write_text('[project]\ndefault_model = "second"\n')
    assert lmcli("generate", "The", "--max-tokens", 2, "--json").json["model"] == "second"
    assert states(lmcli)["second"] == "fresh"


def test_clean_is_read_when_it_was_made_from_the_same_input(lmcli: Lmcli, trained: Path) -> None:
    append(trained / "corpus" / "0.txt", "<b>caf\u00c3\u00a9</b>\n")
    assert lmcli("clean", "corpus/").code == 0
    ran = lmcli("tokenize", "corpus")  # the same folder in other words
    assert "reading the result of `clean`, which was made from the same input" in ran.err
    assert set(lock(trained)["tokens"]["inputs"]) == {"clean", "tokenizer"}
    raw = lmcli("tokenize", "corpus", "--raw")
    assert "(--raw)" in raw.err
    assert set(lock(trained)["tokens"]["inputs"]) == {"corpus", "tokenizer"}
    write_corpus(trained / "other", files=2, lines=40)
    other = lmcli("tokenize", "other/")
    assert other.code == 0
    assert "`clean` was made from corpus/, not from this input" in other.err
    assert set(lock(trained)["tokens"]["inputs"]) == {"corpus", "tokenizer"}
    assert_stale_model_only(lmcli)


def assert_stale_model_only(lmcli: Lmcli) -> None:
    assert states(lmcli) == {"clean": "fresh", "tokenizer": "fresh", "tokens": "fresh", "model": "stale"}


def test_three_generations_are_kept_and_gc_removes_the_rest(lmcli: Lmcli, trained: Path) -> None:
    for seed in (1, 2, 3):
        assert lmcli("train", "--steps", 2, "--seed", seed, *TINY).code == 0
    entry = lock(trained)["model"]
    assert len(entry["history"]) == 2
    assert len(list((trained / "artifacts" / "model").iterdir())) == 3
    assert json.loads(lmcli("verify", "--json").out)["leftovers"] == []
    garbage = trained / "artifacts" / "model" / "00000000"
    garbage.mkdir()
    (garbage / "half").write_text("x")
    assert lmcli("verify").code == 0
    assert lmcli("gc", "--dry-run", "--json").json["removed"] == ["artifacts/model/00000000"]
    assert garbage.exists()
    before = tree(trained)
    assert lmcli("gc", "--json").json["removed"] == ["artifacts/model/00000000"]
    assert {name for name in before if name not in tree(trained)} == {
        "artifacts/model/00000000",
        "artifacts/model/00000000/half",
    }
    assert len(list((trained / "runs").glob("model*"))) == 4  # runs of other settings were moved aside, not deleted


def flip(path: Path, at: int = -1) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "file", "reader"),
    [
        ("model", "model.safetensors", ("generate", "The")),
        ("model", "tokenizer.json", ("eval",)),
        ("tokens", "tokens.json", ("train", "--steps", "2")),
        ("tokenizer", "tokenizer.json", ("tokenize", "corpus/", "--split", "tail")),
    ],
)
def test_one_flipped_bit_is_noticed_and_repaired(
    lmcli: Lmcli, trained: Path, name: str, file: str, reader: tuple[str, ...]
) -> None:
    before = digests(trained)
    place = str(lock(trained)[name]["path"])
    flip(trained / place / file)
    verified = lmcli("verify")
    assert verified.code == 4
    assert f"{place} is damaged" in verified.err
    assert states(lmcli)[name] == "damaged"
    assert lmcli("path", name).code == 4
    if name != "tokenizer":  # `tokenize` makes a damaged tokenizer again by itself
        read = lmcli(*reader)
        assert read.code == 4
        assert "damaged" in read.err
    assert lmcli("run").code == 0
    assert digests(trained) == before
    assert lmcli("verify").code == 0


def test_path_show_config_and_env(lmcli: Lmcli, trained: Path) -> None:
    place = lmcli("path", "model").out.strip()
    assert (Path(place) / "model.safetensors").is_file()
    shown = lmcli("show", "model").out
    assert "by flag: model.width = 32" in shown
    assert "34,368 parameters" in shown or "parameters" in shown
    settings = lmcli("config", "show", "--origin").out
    assert f'length = "{STEPS} steps"  # lmcli.lock' in settings
    assert "# default" in settings
    (trained / "lmcli.toml").write_text("\n[train]\nclip = 0.5\n")
    assert "clip = 0.5  # lmcli.toml:3" in lmcli("config", "show", "--origin").out
    assert set(lmcli("env", "--json").json) >= {"lmcli", "torch", "python", "cores", "device", "dtype"}
    assert str(Path.home()) not in lmcli("env").out


def test_the_project_is_found_from_below_and_by_c(lmcli: Lmcli, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained / "corpus")
    place = lmcli("path", "tokens").out
    assert place == lmcli("path", "tokens", "-C", "..").out == lmcli("-C", "..", "path", "tokens").out
    ran = lmcli("tokenize", "0.txt", "1.txt", "--dry-run")  # relative to where the command runs
    assert "corpus/2.txt is gone" in ran.out, ran.out + ran.err


def test_a_run_with_nothing_to_do_loads_nothing_heavy(trained: Path) -> None:
    code = "import sys; from lmcli.cli.boundary import run; run(['run']); print(*HEAVY & set(sys.modules))"
    code = f"HEAVY = {{'torch', 'numpy', 'datasets', 'tokenizers'}}; {code}"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    ran = subprocess.run([sys.executable, "-c", code], cwd=trained, env=environment, capture_output=True, text=True)
    assert ran.stdout == "nothing to do: everything is up to date\n\n", ran.stdout + ran.stderr


DRY = [
    ("init", "fresh"),
    ("clean", "corpus/"),
    ("tokenize", "corpus/", "--kind", "char"),
    ("train", "--steps", "2"),
    ("finetune", "pairs.jsonl", "--steps", "2"),
    ("eval",),
    ("generate", "The", "--save", "said"),
    ("run",),
    ("gc",),
]


@pytest.mark.parametrize("line", DRY, ids=lambda line: line[0])
def test_a_dry_run_writes_nothing(lmcli: Lmcli, trained: Path, line: tuple[str, ...]) -> None:
    append(trained / "corpus" / "0.txt", "More.\n")
    (trained / "artifacts" / "left").mkdir()
    (trained / "artifacts" / "left" / "over").write_text("x")
    before = tree(trained)
    ran = lmcli(*line, "--dry-run")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("would "), ran.out
    assert tree(trained) == before


SUCCEEDING = [
    ("init", "fresh"),
    ("clean", "corpus/"),
    ("tokenize", "corpus/"),
    ("train", "--steps", STEPS, *TINY),
    ("finetune", "pairs.jsonl", "--steps", "2", *TINY[6:]),
    ("eval",),
    ("generate", "The", "--max-tokens", "2"),
    ("generate", "The", "--max-tokens", "2", "--save", "said"),
    ("run",),
    ("status",),
    ("path", "model"),
    ("show", "model"),
    ("verify",),
    ("gc",),
    ("env",),
    ("config",),
]


@pytest.mark.parametrize("line", SUCCEEDING, ids=lambda line: line[0])
def test_json_is_one_document(lmcli: Lmcli, trained: Path, line: tuple[object, ...]) -> None:
    if line[0] == "finetune":
        line = ("finetune", "pairs.jsonl", "--steps", "2")
    ran = lmcli(*line, "--json")
    assert ran.code == 0, ran.err
    assert isinstance(ran.json, dict)


FAILING = [
    (("init", "--template", "defualt"), 3),
    (("clean", "nowhere/"), 3),
    (("tokenize", "nowhere/"), 3),
    (("train", "--steps", "-4"), 2),
    (("train", "--length", "soon"), 2),
    (("train", "--budget", "soon"), 2),
    (("train", "--set", "train.length=soon"), 3),
    (("finetune",), 2),
    (("finetune", "nowhere.jsonl"), 3),
    (("eval", "--model", "nobody"), 3),
    (("eval", "--pred", "a.txt"), 2),
    (("generate", "--model", "nobody"), 3),
    (("generate", "--temperature", "-1"), 2),
    (("run", "nobody"), 4),
    (("status", "-C", "/"), 3),
    (("path", "nobody"), 4),
    (("show", "nobody"), 4),
    (("verify", "--nothing"), 2),
    (("gc", "extra"), 2),
    (("env", "extra"), 2),
    (("config", "edit"), 2),
    (("sttaus",), 2),
]


@pytest.mark.parametrize(("line", "code"), FAILING, ids=lambda item: item[0] if isinstance(item, tuple) else None)
def test_a_failure_is_one_line_and_one_json_document(
    lmcli: Lmcli, trained: Path, line: tuple[str, ...], code: int
) -> None:
    before = tree(trained)
    ran = lmcli(*line, "--json")
    assert ran.code == code, ran.err
    assert ran.json["error"]["code"] == code
    assert ran.json["error"]["message"]
    assert ran.err.count("\n") == 1, ran.err
    assert ran.err.startswith("error: ")
    assert tree(trained) == before
