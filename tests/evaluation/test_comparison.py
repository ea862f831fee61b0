from __future__ import annotations

import pytest

from lmcli.errors import ConfigError, InputError
from lmcli.evaluation.comparison import compare
from lmcli.evaluation.metrics.bleu import Bleu
from lmcli.evaluation.metrics.exact import Exact


def test_no_choice_stands_for_every_metric() -> None:
    scores = compare(["a b c d e", "x"], ["a b c d e", "y"], (), seed=0)
    assert [score.name for score in scores] == ["bleu", "chrf", "rouge1", "rouge2", "rougeL", "exact"]
    assert all(score.n == 2 and score.unit == "rows" and score.interval is not None for score in scores)


def test_only_what_was_chosen() -> None:
    (only,) = compare(["a"], ["a"], (Exact(),), seed=0)
    assert (only.name, only.value) == ("exact", 1.0)


def test_two_figures_with_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="bleu twice"):
        compare(["a"], ["a"], (Bleu(), Bleu(tokenizer="char")), seed=0)


def test_nothing_and_unpaired_texts_are_refused() -> None:
    with pytest.raises(InputError, match="nothing to compare"):
        compare([], [], (), seed=0)
    with pytest.raises(InputError, match="1 predictions but 2 references"):
        compare(["a"], ["a", "b"], (), seed=0)
