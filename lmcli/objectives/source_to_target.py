"""Learn completions with an encoder-decoder: the prompt is the source, the completion with its end token the target."""

from __future__ import annotations

from collections.abc import Sequence

from lmcli.models.model import Kind
from lmcli.objectives.batch import Batch, make_pairs
from lmcli.objectives.supervised import Example, Ids, Supervised


class SourceToTarget(Supervised):
    """Next-token loss on targets. A source ends with the end token, as in T5 and Marian; a target begins with
    `start_id`."""

    needs: tuple[Kind, ...] = ("encoder-decoder",)

    def __init__(self, end_id: int, start_id: int, label_smoothing: float = 0.0) -> None:
        super().__init__(end_id, label_smoothing)
        self.start_id = start_id

    def laid_out(self, prompt: Ids, completion: Ids) -> tuple[list[int], list[int]]:
        return [*prompt, self.end_id], [*completion, self.end_id]

    def cut(self, prompt: list[int], goal: list[int], context: int) -> tuple[list[int], list[int]]:
        """At most `context` tokens each: a source loses what comes before its end token, a target its end."""
        return prompt if len(prompt) <= context else [*prompt[: context - 1], self.end_id], goal[:context]

    def batch(self, examples: Sequence[Example]) -> Batch:
        """Sources and targets side by side, each padded on the right up to the longest."""
        sources = [example.tokens[: example.trained_from] for example in examples]
        return make_pairs(self.term, sources, [example.trained for example in examples], self.start_id)
