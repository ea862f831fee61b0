from __future__ import annotations

import subprocess
import sys

import pytest

from lmcli.config import decode, dump
from lmcli.errors import ConfigError
from lmcli.evaluation.config import EvalConfig
from lmcli.evaluation.metrics import METRICS


def test_every_entry_loads_and_compares() -> None:
    for name in METRICS:
        tallies = METRICS.load(name)().tallies(["a b c d", "x"], ["a b c d", "y"])
        assert tallies
        assert all(tally.rows.shape[0] == 2 and tally.signature for tally in tallies)


def test_a_metric_can_be_a_table_with_its_own_settings() -> None:
    config = decode(EvalConfig, {"metrics": ["exact", {"name": "bleu", "tokenizer": "char"}]}, "eval")
    assert dump(config)["metrics"] == [{"name": "exact"}, {"name": "bleu", "tokenizer": "char"}]


@pytest.mark.parametrize(
    ("metrics", "hint"),
    [(["blue"], "did you mean bleu?"), ([{"name": "bleu", "tokeniser": "zh"}], "did you mean tokenizer?")],
)
def test_a_misspelt_metric_or_setting_names_the_near_one(metrics: list[object], hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode(EvalConfig, {"metrics": metrics}, "eval")
    assert caught.value.hint == hint


def test_gates_do_not_belong_to_what_makes_figures_stale() -> None:
    assert "gates" not in dump(EvalConfig(gates=("bpb<2",)))


def test_the_config_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'numpy', 'sacrebleu', 'rouge_score', 'pyarrow', 'datasets', 'pydantic', 'tokenizers'}"
    code = f"import sys, lmcli.evaluation.config; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
