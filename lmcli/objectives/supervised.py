"""Learn completions: the prompt is read, only the completion and the end token after it are predicted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lmcli.errors import InputError
from lmcli.models.model import Kind
from lmcli.objectives.batch import IGNORED, Batch, make_batch
from lmcli.objectives.next_token import NextToken


@dataclass(frozen=True, slots=True)
class Example:
    """The tokens of one row; the loss is taken on `tokens[trained_from:]`."""

    tokens: np.ndarray
    trained_from: int

    @property
    def trained(self) -> np.ndarray:
        return self.tokens[self.trained_from :]


@dataclass(frozen=True)
class Fitting:
    """What happened to rows that had to fit the model's context."""

    rows: int
    """Rows that became examples."""
    empty: int
    """Rows left out because their completion is empty."""
    prompts_cut: int
    """Rows whose prompt lost tokens, and nothing else."""
    completions_cut: int
    """Rows whose completion lost its end, and the end token with it."""
    trained_tokens: int

    @property
    def truncated(self) -> int:
        """Rows that lost any token."""
        return self.prompts_cut + self.completions_cut

    @property
    def end_kept(self) -> float:
        """The share of examples whose end token is trained."""
        return 1.0 - self.completions_cut / self.rows


Ids = Sequence[int]


class Supervised(NextToken):
    """Next-token loss on completions and their end token only."""

    needs: tuple[Kind, ...] = ("decoder",)
    term = "supervised"

    def fit(self, rows: Iterable[tuple[Ids, Ids]], context: int) -> tuple[list[Example], Fitting]:
        """Examples from (prompt, completion), as much of them as the model's context takes.

        Raises InputError when there is nothing to train on.
        """
        examples: list[Example] = []
        empty = prompts_cut = completions_cut = 0
        for row in rows:
            if not row[1]:
                empty += 1
                continue
            prompt, goal = self.laid_out(*row)
            kept, trained = self.cut(prompt, goal, context)
            completions_cut += len(trained) < len(goal)
            prompts_cut += len(trained) == len(goal) and len(kept) < len(prompt)
            examples.append(Example(np.array([*kept, *trained], dtype=np.int64), len(kept)))
        if not examples:
            found = f"{empty} rows, all with an empty completion" if empty else "no rows"
            raise InputError(f"nothing to train on: {found}", "each row needs text under `completion` or `text`")
        tokens = sum(len(example.trained) for example in examples)
        return examples, Fitting(len(examples), empty, prompts_cut, completions_cut, tokens)

    def laid_out(self, prompt: Ids, completion: Ids) -> tuple[list[int], list[int]]:
        """What is read and what is to be predicted. A row without a prompt starts after the end token, as a document
        does."""
        return list(prompt) or [self.end_id], [*completion, self.end_id]

    def cut(self, prompt: list[int], goal: list[int], context: int) -> tuple[list[int], list[int]]:
        """At most `context` + 1 tokens, the last one of which is only predicted.

        A row that is too long loses the left of its prompt first, down to one token; only then the end of its
        completion.
        """
        kept = prompt[-max(1, context + 1 - len(goal)) :]
        return kept, goal[: context + 1 - len(kept)]

    def batch(self, examples: Sequence[Example]) -> Batch:
        """Examples side by side, padded on the right up to the longest.

        Attention looks only to the left, so what follows the end moves nothing.
        """
        longest = max(len(example.tokens) for example in examples) - 1
        inputs = np.full((len(examples), longest), self.end_id, dtype=np.int64)
        targets = np.full((len(examples), longest), IGNORED, dtype=np.int64)
        for row, example in enumerate(examples):
            length = len(example.tokens) - 1
            inputs[row, :length] = example.tokens[:-1]
            targets[row, example.trained_from - 1 : length] = example.trained
        return make_batch(self.term, inputs, targets)
