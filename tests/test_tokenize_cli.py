"""lmcli tokenize end to end: kinds, patterns, special tokens, --from, --add-tokens, --compare."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from lmcli.models.directory import load_model
from lmcli.tokens.tokenizer import Tokenizer
from tests.conftest import Lmcli
from tests.projects import digests, lock, tree
from tests.texts import write_corpus


@pytest.fixture
def fresh(lmcli: Lmcli, folder: Path) -> Path:
    write_corpus(folder / "corpus", files=3, lines=60)
    assert lmcli("init").code == 0
    return folder


def tokenizer_of(lmcli: Lmcli) -> Tokenizer:
    return Tokenizer.load(Path(lmcli("path", "tokenizer").out.strip()))


@pytest.mark.parametrize(
    ("flags", "kind"),
    [
        (("--kind", "unigram", "--pattern", "gpt4"), "Unigram"),
        (("--kind", "word", "--min-frequency", 1), "WordLevel"),
        (("--kind", "wordpiece", "--lowercase"), "WordPiece"),
        (("--pattern", "zh"), "BPE"),
    ],
)
def test_each_kind_is_trained_and_the_corpus_encoded(
    lmcli: Lmcli, fresh: Path, flags: tuple[str, ...], kind: str
) -> None:
    ran = lmcli("tokenize", *flags, "--json")
    assert ran.code == 0, ran.err
    tokenizer, tokens = ran.json["artifacts"]
    assert tokens["report"]["sides"]["train"]["tokens"] > 0
    assert tokenizer_of(lmcli).document["model"]["type"] == kind
    assert lmcli("tokenize", *flags).out.count("is up to date") == 2
    assert lmcli("run").out.strip() == "nothing to do" or "up to date" in lmcli("run").out
    assert f"{tokenizer['report']['vocab_size']:,} tokens, trained on" in lmcli("show", "tokenizer").out


def test_settings_of_before_are_all_that_a_plain_tokenizer_records(lmcli: Lmcli, fresh: Path) -> None:
    assert lmcli("tokenize").code == 0
    assert set(lock(fresh)["tokenizer"]["requested"]["tokenizer"]) == {"kind", "vocab_size", "sample_bytes"}


def test_special_tokens_and_template(lmcli: Lmcli, fresh: Path) -> None:
    ran = lmcli("tokenize", "--special-token", "<|im_start|>", "--special-token", "<|im_end|>", "--reserved", 3)
    assert ran.code == 0, ran.err
    tokenizer = tokenizer_of(lmcli)
    assert len(tokenizer.special_ids) == 7
    assert (tokenizer.path.parent / "chat_template.jinja").is_file()
    assert lmcli("tokenize", "--chat-template", "chatml").code == 3


def test_a_tokenizer_is_taken_over_and_a_change_of_it_is_seen(lmcli: Lmcli, fresh: Path) -> None:
    assert lmcli("tokenize", "--vocab-size", 300).code == 0
    theirs = fresh / "theirs"
    shutil.copytree(tokenizer_of(lmcli).path.parent, theirs)
    first = digests(fresh)
    ran = lmcli("tokenize", "--from", "theirs", "--json")
    assert ran.code == 0, ran.err
    report = ran.json["artifacts"][0]["report"]
    assert (report["source"], report["added"], report["vocab_size"]) == ("theirs", [], 300)
    assert "artifacts" not in json.dumps(lock(fresh)["tokenizer"]["requested"])
    assert lock(fresh)["tokenizer"]["requested"]["tokenizer"] == {"source": "theirs"}
    assert set(lock(fresh)["tokenizer"]["inputs"]) == {"from"}
    assert digests(fresh)["tokens"] == first["tokens"]
    assert "300 tokens, from theirs" in lmcli("show", "tokenizer").out
    assert "stale" not in lmcli("status").out
    write_corpus(fresh / "corpus", files=4, lines=80)
    assert "tokenizer  fresh" in lmcli("status").out
    config = theirs / "tokenizer_config.json"
    config.write_text(config.read_text() + " ")
    assert "input from changed (tokenizer_config.json)" in lmcli("status").out
    assert lmcli("tokenize", "--from", theirs / "tokenizer.json").code == 0
    assert lock(fresh)["tokenizer"]["requested"]["tokenizer"] == {"source": "theirs/tokenizer.json"}


@pytest.mark.parametrize("flag", [("--kind", "char"), ("--vocab-size", "500"), ("--pattern", "gpt2"), ("--lowercase",)])
def test_training_and_taking_over_exclude_each_other(lmcli: Lmcli, fresh: Path, flag: tuple[str, ...]) -> None:
    ran = lmcli("tokenize", "--from", "theirs", *flag)
    assert ran.code == 2
    assert f"{flag[0]} and --from exclude each other" in ran.err
    (fresh / "lmcli.toml").write_text('[tokenizer]\nsource = "theirs"\n')
    ran = lmcli("tokenize", *flag)
    assert ran.code == 2
    assert "tokenizer.source in lmcli.toml" in ran.err


def test_nothing_to_take_over(lmcli: Lmcli, fresh: Path) -> None:
    ran = lmcli("tokenize", "--from", "nowhere")
    assert (ran.code, "no tokenizer at" in ran.err) == (3, True)
    (fresh / "bad").mkdir()
    (fresh / "bad" / "tokenizer.json").write_text('{"model": ')
    ran = lmcli("tokenize", "--from", "bad")
    assert ran.code == 4
    assert "tokenizer.json can't be used" in ran.err
    assert not lock(fresh)


def test_tokens_are_added_where_there_is_no_model(lmcli: Lmcli, fresh: Path) -> None:
    assert lmcli("tokenize").code == 0
    before = tokenizer_of(lmcli)
    terms = fresh / "terms.txt"
    terms.write_text(" stranger in\n the\nnaïve\n", encoding="utf-8")
    ran = lmcli("tokenize", "--add-tokens", terms)
    assert ran.code == 0, ran.err
    assert "1 tokens of terms.txt are in the vocabulary already" in ran.err
    after = tokenizer_of(lmcli)
    assert after.vocab_size == before.vocab_size + 2
    assert after.encode("naïve") == [before.vocab_size + 1]
    assert after.decode(after.encode("so naïve")) == "so naïve"
    assert "2 of them added by hand" in lmcli("show", "tokenizer").out
    assert "stale" not in lmcli("status").out
    terms.write_text("other\n")
    assert "input added changed (terms.txt)" in lmcli("status").out


@pytest.fixture
def grown(lmcli: Lmcli, trained: Path) -> Path:
    (trained / "terms.txt").write_text(" stranger in\n the\nnaïve\n床前\n", encoding="utf-8")
    ran = lmcli("tokenize", "--add-tokens", "terms.txt")
    assert ran.code == 0, ran.err
    assert "begin with no space (naïve)" in ran.err
    return trained


def test_a_model_grows_as_a_copy(lmcli: Lmcli, grown: Path) -> None:
    entry = lock(grown)["grown"]
    assert entry["report"]["added"] == [" stranger in", "naïve", "床前"]
    assert entry["report"]["known"] == [" the"]
    assert set(entry["inputs"]) == {"base", "tokens"}
    old, new = (Path(lmcli("path", name).out.strip()) for name in ("model", "grown"))
    tokenizer, before = Tokenizer.load(new), Tokenizer.load(old)
    assert tokenizer.vocab_size == before.vocab_size + 3
    assert len(tokenizer.encode("naïve床前")) == 2
    table, rows = load_model(new).embedding, load_model(old).embedding
    assert torch.equal(table[: len(rows)], rows)
    assert torch.equal(table[-1], rows[before.encode("床前")].mean(dim=0))
    assert lmcli("tokenize", "--add-tokens", "terms.txt").out.count("is up to date") == 1
    assert "stale" not in lmcli("status").out
    assert "3 more tokens" in lmcli("show", "grown").out


def test_nothing_else_changes_by_growing(lmcli: Lmcli, trained: Path) -> None:
    before, files = digests(trained), tree(trained)
    (trained / "terms.txt").write_text(" stranger in\n")
    assert lmcli("tokenize", "--add-tokens", "terms.txt").code == 0
    assert {name: digest for name, digest in digests(trained).items() if name != "grown"} == before
    after = tree(trained)
    changed = {name for name in files if after[name] != files[name]}
    assert changed <= {"lmcli.lock", "artifacts", "artifacts/sources", "."}
    assert lmcli("run").code == 0


def test_other_commands_use_the_grown_model(lmcli: Lmcli, grown: Path) -> None:
    line = ("generate", "The cat", "--greedy", "--max-tokens", 10, "--json")
    texts = [lmcli(*line, "--model", name).json["samples"][0]["text"] for name in ("model", "grown")]
    assert texts[0] == texts[1]
    on_validation = lmcli("eval", "--model", "grown", "--json")
    assert on_validation.code == 0, on_validation.err
    plain = lmcli("eval", "--json").json["report"]
    assert on_validation.json["report"]["counts"]["text_bytes"] == plain["counts"]["text_bytes"]
    assert lmcli("eval", "pairs.jsonl", "--model", "grown", "--limit", 4).code == 0
    tuned = lmcli("finetune", "pairs.jsonl", "--base", "grown", "--steps", 2)
    assert tuned.code == 0, tuned.err
    sizes = {load_model(Path(lmcli("path", name).out.strip())).shape.vocab_size for name in ("pairs", "grown")}
    assert len(sizes) == 1
    on_validation = lmcli("eval", "--model", "pairs", "--json")
    assert on_validation.json["report"]["counts"]["text_bytes"] == plain["counts"]["text_bytes"]


@pytest.mark.filterwarnings("default")
def test_transformers_loads_the_grown_model(lmcli: Lmcli, grown: Path) -> None:
    transformers = pytest.importorskip("transformers")
    place = Path(lmcli("path", "grown").out.strip())
    model = transformers.AutoModelForCausalLM.from_pretrained(place).eval()
    theirs, ours = transformers.AutoTokenizer.from_pretrained(place), Tokenizer.load(place)
    text = "A stranger in the naïve town 床前.\n"
    ids = ours.encode(text)
    assert theirs(text)["input_ids"] == ids
    assert theirs.decode(ids) == ours.decode(ids) == text
    assert max(ids) >= ours.vocab_size - 3
    with torch.no_grad():
        found = load_model(place)(torch.tensor([ids]))
        assert (model(torch.tensor([ids])).logits - found).abs().max() < 1e-4
    assert model.config.vocab_size == ours.vocab_size == found.shape[-1]


def test_what_growing_refuses(lmcli: Lmcli, trained: Path) -> None:
    (trained / "terms.txt").write_text(" the\n")
    ran = lmcli("tokenize", "--add-tokens", "terms.txt")
    assert (ran.code, "in the vocabulary already" in ran.err) == (3, True)
    ran = lmcli("tokenize", "--add-tokens", "none.txt")
    assert (ran.code, "there is no file" in ran.err) == (3, True)
    ran = lmcli("tokenize", "--add-tokens", "terms.txt", "--special-token", "<a>")
    assert (ran.code, "--special-token has no meaning" in ran.err) == (2, True)
    ran = lmcli("tokenize", "corpus/", "--add-tokens", "terms.txt")
    assert (ran.code, "an input has no meaning" in ran.err) == (2, True)
    ran = lmcli("tokenize", "--model", "model")
    assert (ran.code, "--model goes with --add-tokens" in ran.err) == (2, True)
    assert "grown" not in lock(trained)


def test_a_model_of_another_origin_grows(lmcli: Lmcli, trained: Path) -> None:
    shutil.copytree(lmcli("path", "model").out.strip(), trained / "theirs")
    (trained / "terms.txt").write_text(" stranger in\n")
    ran = lmcli("tokenize", "--add-tokens", "terms.txt", "--model", "theirs", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["artifacts"][0]["report"]["base"].startswith("theirs (")
    assert lock(trained)["grown"]["requested"]["grow"] == {"add_tokens": "terms.txt", "model": "theirs"}


def test_tokenizers_are_compared(lmcli: Lmcli, grown: Path) -> None:
    before = tree(grown)
    shutil.copy(tokenizer_of(lmcli).path, grown / "one.json")
    ran = lmcli("tokenize", "--compare", "grown", "one.json", "--json")
    assert ran.code == 0, ran.err
    found = {item["name"]: item for item in ran.json["tokenizers"]}
    assert list(found) == ["tokenizer", "grown", "one.json"]
    assert found["grown"]["vocab_size"] == found["tokenizer"]["vocab_size"] + 3
    assert found["one.json"]["tokens"] == found["tokenizer"]["tokens"]
    assert found["tokenizer"]["text_bytes"] == lock(grown)["tokens"]["report"]["sides"]["validation"]["text_bytes"]
    assert found["tokenizer"]["failures"] == 0
    table = lmcli("tokenize", "--compare", "grown").out
    assert "bytes per token" in table
    assert "Latin" in table
    (grown / "one.json").unlink()
    assert tree(grown).keys() == before.keys()
    assert lmcli("tokenize", "--compare", "nowhere").code == 3
