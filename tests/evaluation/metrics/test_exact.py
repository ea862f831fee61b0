from __future__ import annotations

import pytest

from lmcli.evaluation.intervals import score
from lmcli.evaluation.metrics.exact import Exact


@pytest.mark.parametrize(
    ("prediction", "reference", "same"),
    [
        ("yes", "yes", True),
        (" yes\n", "yes", True),
        ("yes", "Yes", False),
        ("", "", True),
        ("", "yes", False),
        ("caf\u00e9", "cafe\u0301", True),
        ("好", "好", True),
        ("a b", "a  b", False),
    ],
)
def test_what_counts_as_equal(prediction: str, reference: str, same: bool) -> None:
    (tally,) = Exact().tallies([prediction], [reference])
    assert score(tally, seed=0).value == float(same)


def test_it_is_a_share_of_the_rows() -> None:
    (tally,) = Exact().tallies(["a", "b", "c", "d"], ["a", "b", "c", "x"])
    assert score(tally, seed=0).value == 0.75
