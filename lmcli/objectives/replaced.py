"""Tell of every token whether a generator has replaced it (ELECTRA: Clark et al., 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Le, Lt

from lmcli.config import section

if TYPE_CHECKING:
    from lmcli.objectives.replaced_tokens import ReplacedTokens
    from lmcli.objectives.setup import Setup


@section
class Replaced:
    weight: Annotated[float, "share in a mix of objectives", Gt(0)] = 1.0
    rate: Annotated[float, "share of the tokens that the generator fills in", Gt(0), Lt(1)] = 0.15
    mask: Annotated[
        float, "share of these that the generator sees as the mask token, the others as they are", Ge(0), Le(1)
    ] = 0.85
    factor: Annotated[float, "weight of the discriminator's loss beside the generator's", Gt(0)] = 50.0

    def build(self, setup: Setup) -> ReplacedTokens:
        from lmcli.objectives.masking import Masking
        from lmcli.objectives.replaced_tokens import ReplacedTokens
        from lmcli.objectives.segments import Layout

        mask_id = setup.role("mask_token", "the objective replaced")
        masking = Masking.by(setup.tokenizer, mask_id, rate=self.rate, mask=self.mask, random=0.0, whole_words=False)
        roles = setup.tokenizer.roles
        layout = Layout(roles.get("cls_token"), roles.get("sep_token"))
        return ReplacedTokens(masking, layout, factor=self.factor, label_smoothing=setup.label_smoothing)
