"""The LSTM baselines, word vectors and scores of lines, by commands on one small project."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.conftest import Lmcli
from tests.projects import TINY, lock

RNN = ("train", "--family", "lstm", "--name", "rnn", "--steps", 6, *TINY)


def test_an_lstm_goes_the_way_of_every_model(lmcli: Lmcli, trained: Path) -> None:
    made = lmcli(*RNN, "--json")
    assert made.code == 0, made.err
    report = lock(trained)["rnn"]["report"]
    measured = lmcli("eval", "--model", "rnn", "--json")
    assert measured.json["report"]["figures"]["loss"] == pytest.approx(report["best"]["val_loss"], rel=1e-4)
    written = lmcli("generate", "The cat", "--model", "rnn", "--max-tokens", 40, "-n", 2, "--json").json
    assert all(sample["tokens"] for sample in written["samples"])
    tuned = lmcli("finetune", "pairs.jsonl", "--base", "rnn", "--name", "tuned", "--steps", 2, "--json")
    assert tuned.code == 0, tuned.err
    shown = lmcli("status")
    assert "rnn" in shown.out
    assert "stale" not in shown.out
    card = Path(lmcli("path", "rnn").out.strip(), "README.md").read_text()
    assert "transformers has no class for it" in card


def test_it_is_trained_further(lmcli: Lmcli, trained: Path) -> None:
    assert lmcli(*RNN).code == 0
    made = lmcli("train", "--continue-from", "rnn", "--name", "more", "--steps", 2, *TINY)
    assert made.code == 0, made.err


def test_settings_that_mean_nothing_are_refused(lmcli: Lmcli, trained: Path) -> None:
    ran = lmcli("train", "--family", "lstm", "--heads", 2)
    assert ran.code == 3
    assert "model.heads means nothing to the family lstm" in ran.err
    ran = lmcli(*RNN, "--set", "train.objective=causal,prefix")
    assert ran.code == 3
    assert "causal with prefix has positions see what stands to their right, and lstm reads" in ran.err


def test_word_vectors_are_an_input_of_the_model(lmcli: Lmcli, trained: Path) -> None:
    vectors = trained / "words.vec"
    vectors.write_text("3 32\n" + "".join(f"{word} {' '.join(['0.5'] * 32)}\n" for word in ("the", "cat", "zebra")))
    line = (*RNN, "--set", "model.vectors=words.vec")
    made = lmcli(*line)
    assert made.code == 0, made.err
    assert "begin with a vector of the file" in made.err
    entry = lock(trained)["rnn"]
    assert entry["report"]["vectors"]["found"] >= 1
    assert entry["inputs"]["vectors"]["digest"]
    assert "word vector" in lmcli("show", "rnn").out
    vectors.write_text(vectors.read_text().replace("0.5", "0.25"))
    assert "vectors" in next(row for row in lmcli("status").out.splitlines() if "rnn" in row)
    vectors.write_text("the 1 2 3\n")
    wrong = lmcli(*line)
    assert wrong.code == 3
    assert "model.width = 3" in wrong.err
    vectors.write_text(f"the {' '.join(['1'] * 32)}\ncat 1 2\n")
    assert "words.vec:2" in lmcli(*line).err
    vectors.unlink()
    assert lmcli(*line).code == 3
    base = lmcli("train", "--continue-from", "model", "--name", "more", "--set", "model.vectors=words.vec")
    assert (base.code, "brings its embedding along" in base.err) == (3, True)


def test_lines_get_their_probabilities(lmcli: Lmcli, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (trained / "lines.txt").write_text("The cat sat.\n\ntab\there\n")
    ran = lmcli("eval", "--score", "lines.txt")
    assert ran.code == 0, ran.err
    rows = [row.split("\t") for row in ran.out.splitlines()]
    assert [row[4] for row in rows] == ["The cat sat.", "", "tab\\there"]
    found = lmcli("eval", "--score", "lines.txt", "--batch", 1, "--json").json
    for row, score in zip(rows, found["scores"], strict=True):
        assert float(row[0]) == pytest.approx(score["log_probability"], abs=1e-3)
        assert int(row[1]) == score["tokens"]
        assert score["per_token"] == pytest.approx(score["log_probability"] / score["tokens"])
    (trained / "lines.jsonl").write_text(json.dumps({"text": "The cat sat."}) + "\n")
    row = lmcli("eval", "--score", "lines.jsonl", "--json").json["scores"][0]
    assert row["log_probability"] == pytest.approx(found["scores"][0]["log_probability"], abs=1e-3)
    (trained / "whole.txt").write_text("The cat sat.")
    loss = lmcli("eval", "whole.txt", "--dtype", "float32", "--json").json["report"]["figures"]["loss"]
    assert row["per_token"] == pytest.approx(-loss, rel=1e-4)
    assert math.isfinite(row["bits_per_byte"])
    assert lmcli("eval", "lines.txt", "--score", "lines.txt").code == 2
    assert lmcli("eval", "--score", "none.txt").code == 3
