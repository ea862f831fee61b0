"""Restore a text that was corrupted: T5's spans, PEGASUS's gap sentences, BART's noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from lmcli.config import section
from lmcli.errors import ConfigError

if TYPE_CHECKING:
    from lmcli.objectives.conditional import Conditional
    from lmcli.objectives.noise import Noise
    from lmcli.objectives.setup import Setup

_RATES = {"spans": 0.15, "gap": 0.3, "bart": 0.3}
_READ_BY = {
    "span": ("spans", "bart"),
    "choice": ("gap",),
    **dict.fromkeys(("permute", "delete", "rotate"), ("bart",)),
}

Share = Annotated[float, Ge(0), Le(1)]


@section
class Denoise:
    weight: Annotated[float, "share in a mix of objectives", Gt(0)] = 1.0
    noise: Annotated[
        Literal["spans", "gap", "bart"],
        "spans (T5: hidden tokens are to be written), gap (PEGASUS: hidden sentences are to be written), bart (the "
        "whole text is to be written as it was)",
    ] = "spans"
    rate: Annotated[
        Literal["auto"] | Annotated[float, Ge(0), Lt(1)],
        "share that is hidden: of the tokens (auto: 0.15 for spans, 0.3 for bart), of the sentences (gap: 0.3)",
    ] = "auto"
    span: Annotated[float, "mean length of a hidden span in tokens; bart draws Poisson lengths", Ge(1)] = 3.0
    choice: Annotated[
        Literal["principal", "random"],
        "gap: which sentences; principal are those with the highest ROUGE-1 against the rest of their document",
    ] = "principal"
    permute: Annotated[Share, "bart: share of the sentences that change places within their document"] = 1.0
    delete: Annotated[float, "bart: share of the tokens that are deleted", Ge(0), Lt(1)] = 0.0
    rotate: Annotated[Share, "bart: share of the windows that are turned to begin at a random token"] = 0.0

    def build(self, setup: Setup) -> Conditional:
        from lmcli.objectives.conditional import Conditional

        self._check()
        return Conditional(
            "denoise",
            self._noise(setup),
            setup.kind,
            end_id=setup.end_id,
            start_id=setup.start_id,
            label_smoothing=setup.label_smoothing,
        )

    def _check(self) -> None:
        """Refuse settings that mean nothing to the noise."""
        for name, noises in _READ_BY.items():
            if self.noise not in noises and getattr(self, name) != getattr(Denoise, name):
                message = f"denoise: {name} means nothing to noise = {self.noise}"
                raise ConfigError(message, f"it belongs to {' and '.join(noises)}")
        if self.rate == 0 and self.noise != "bart":
            raise ConfigError(f"denoise: with rate = 0 nothing is hidden by {self.noise}", "give it a share above 0")

    def _noise(self, setup: Setup) -> Noise:
        from lmcli.objectives.bart_noise import BartNoise
        from lmcli.objectives.gap_sentences import GapSentences
        from lmcli.objectives.t5_spans import SpanCorruption

        rate = _RATES[self.noise] if self.rate == "auto" else self.rate
        what = f"denoise with noise = {self.noise}"
        if self.noise == "spans":
            return SpanCorruption(rate, self.span, setup.sentinels(what), setup.end_id)
        if self.noise == "bart" and not rate:
            return BartNoise(self.permute, self.delete, 0.0, self.span, self.rotate, setup.end_id, setup.end_id)
        mask_id = setup.role("mask_token", what)
        if self.noise == "gap":
            return GapSentences(rate, self.choice, mask_id, setup.end_id)
        return BartNoise(self.permute, self.delete, rate, self.span, self.rotate, mask_id, setup.end_id)
