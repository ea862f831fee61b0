"""Go on with a text of which the beginning is read as a whole (prefix LM; Raffel et al., 2020, section 3.2.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt

from lmcli.config import section
from lmcli.objectives.noise import Pair

if TYPE_CHECKING:
    from lmcli.objectives.conditional import Conditional
    from lmcli.objectives.setup import Setup
    from lmcli.tokens.window_batch import WindowBatch


@section
class Prefix:
    weight: Annotated[float, "share in a mix of objectives", Gt(0)] = 1.0

    def build(self, setup: Setup) -> Conditional:
        from lmcli.objectives.conditional import Conditional

        return Conditional(
            "prefix",
            split,
            setup.kind,
            end_id=setup.end_id,
            start_id=setup.start_id,
            label_smoothing=setup.label_smoothing,
        )


def split(windows: WindowBatch, row: int, length: int) -> Pair:
    """The text before and after a place of which each inside it is as likely; nothing is added."""
    ids = windows.ids[row, :length]
    place = int(windows.rng(row).integers(1, length))
    return Pair(ids[:place], ids[place:])
