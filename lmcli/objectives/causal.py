"""Predict each token of running text from those before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt

from lmcli.config import section

if TYPE_CHECKING:
    from lmcli.objectives.next_token import RunningText
    from lmcli.objectives.setup import Setup


@section
class Causal:
    weight: Annotated[float, "share in a mix of objectives", Gt(0)] = 1.0

    def build(self, setup: Setup) -> RunningText:
        from lmcli.objectives.next_token import RunningText

        return RunningText(setup.end_id, setup.label_smoothing)
