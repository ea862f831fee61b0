"""Predict each token of running text from those before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Le

from lmcli.config import section

if TYPE_CHECKING:
    from lmcli.objectives.next_token import RunningText
    from lmcli.objectives.setup import Setup


@section
class Causal:
    weight: Annotated[float, "share in a mix of objectives", Gt(0)] = 1.0
    fim: Annotated[
        float, "share of the documents in which the middle comes last, to learn to fill it in", Ge(0), Le(1)
    ] = 0.0
    fim_spm: Annotated[float, "share of these that begin with what comes after the middle", Ge(0), Le(1)] = 0.5

    def build(self, setup: Setup) -> RunningText:
        from lmcli.objectives.next_token import RunningText

        if not self.fim:
            return RunningText(setup.end_id, setup.label_smoothing)
        from lmcli.objectives.middle import SIGNS, Middle, MiddleText

        signs = setup.specials(SIGNS, "causal with fim")
        return MiddleText(Middle(self.fim, self.fim_spm, *signs), setup.end_id, setup.label_smoothing)
