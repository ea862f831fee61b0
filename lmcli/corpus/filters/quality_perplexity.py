"""Text that a language model finds too surprising to be of the wanted kind, or not surprising at all."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Protocol

from annotated_types import Ge, Gt

from lmcli.config import section
from lmcli.corpus.documents import Drop
from lmcli.errors import ConfigError

_HINT = 'write {name = "quality.perplexity", model = "folder/of/a/model"}'


class Perplexity(Protocol):
    """Text to its perplexity; NaN for a text without tokens."""

    def __call__(self, text: str) -> float: ...


class _Unknown:
    def __call__(self, text: str) -> float:
        return math.nan


@section
class QualityPerplexity:
    """Drops documents by their perplexity for each token under a model of good text.

    Perplexities of models with different tokenizers don't compare: look at those of some text that is good first.
    """

    model: Annotated[str, "folder of the model that judges, or the name of one that isn't made from this corpus"] = ""
    max: Annotated[float, "documents with a higher perplexity are dropped", Gt(0)] = 1000.0
    min: Annotated[float, "documents with a lower perplexity, such as lists and licences, are dropped", Ge(0)] = 0.0

    _perplexity: ClassVar[Perplexity] = _Unknown()

    def __post_init__(self) -> None:
        if self.min >= self.max:
            raise ConfigError(f"quality.perplexity: min = {self.min:g} and max = {self.max:g} leave nothing between")

    def bound(self, tools: Mapping[str, Any]) -> QualityPerplexity:
        """The filter with the tool that knows perplexities. Raises ConfigError when no model is named."""
        if not self.model:
            raise ConfigError("quality.perplexity names no model", _HINT)
        found = copy.copy(self)
        object.__setattr__(found, "_perplexity", tools["perplexity"])
        return found

    def apply(self, text: str) -> str | Drop:
        value = self._perplexity(text)  # NaN is neither too high nor too low
        if value > self.max:
            return Drop("quality.perplexity_high")
        return Drop("quality.perplexity_low") if value < self.min else text
