"""Tell tokens that were hidden from what stands on both sides of them (Devlin et al., 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from lmcli.config import section
from lmcli.errors import ConfigError

if TYPE_CHECKING:
    from lmcli.objectives.masked_text import MaskedText
    from lmcli.objectives.setup import Setup


@section
class Masked:
    weight: Annotated[float, "share in a mix of objectives", Gt(0)] = 1.0
    rate: Annotated[float, "share of the tokens that have to be told", Gt(0), Lt(1)] = 0.15
    mask: Annotated[float, "share of these that become the mask token", Ge(0), Le(1)] = 0.8
    random: Annotated[float, "share of these that become a random token; the rest stays as it is", Ge(0), Le(1)] = 0.1
    static: Annotated[bool, "hide the same tokens each time a text comes by, instead of drawing anew"] = False
    whole_words: Annotated[bool, "hide all pieces of a word together"] = False
    pairs: Annotated[
        Literal["none", "nsp", "order"],
        "second task, over two segments: nsp (did the second follow the first?), order (were the two swapped?)",
    ] = "none"

    def build(self, setup: Setup) -> MaskedText:
        from lmcli.objectives.masked_text import MaskedText
        from lmcli.objectives.masking import Masking
        from lmcli.objectives.segments import Layout

        if self.mask + self.random > 1:
            raise ConfigError(f"masked: mask {self.mask} and random {self.random} are more than all", "at most 1")
        masking = Masking.by(
            setup.tokenizer,
            setup.role("mask_token", "the objective masked"),
            rate=self.rate,
            mask=self.mask,
            random=self.random,
            whole_words=self.whole_words,
        )
        if self.pairs == "none":
            roles = setup.tokenizer.roles
            layout = Layout(roles.get("cls_token"), roles.get("sep_token"))
        else:
            what = f"the objective masked with pairs = {self.pairs}"
            layout = Layout(setup.role("cls_token", what), setup.role("sep_token", what), self.pairs)
        return MaskedText(masking, layout, static=self.static, label_smoothing=setup.label_smoothing)
