"""Why a plan is what it is: for each thing that was chosen, the rule that chose it, with its numbers."""

from __future__ import annotations

from dataclasses import dataclass

from lmcli.models.config import ModelConfig
from lmcli.models.families import family_of
from lmcli.models.shape import Shape
from lmcli.training import ladder, layout
from lmcli.training.config import PretrainConfig
from lmcli.training.length import parse_length
from lmcli.training.plan import Plan
from lmcli.training.planner import STEP_TOKENS, Corpus, most_epochs


@dataclass(frozen=True, slots=True)
class Reason:
    """`what` was chosen, and why."""

    what: str
    choice: str
    why: str

    def __str__(self) -> str:
        return f"{self.what} {self.choice}: {self.why}"


def reasons(plan: Plan, corpus: Corpus, model: ModelConfig, train: PretrainConfig) -> list[Reason]:
    """The reasons of a plan that was made from `corpus` and the settings `model` and `train`."""
    return [
        _shape(plan, corpus, model, train),
        _context(plan, corpus, model, train),
        _beginning(plan, train),
        _head(plan, corpus, model),
        _dropout(plan, model),
        _batch(plan, train),
        _micro_batch(plan, train),
        _steps(plan, train),
    ]


def _shape(plan: Plan, corpus: Corpus, model: ModelConfig, train: PretrainConfig) -> Reason:
    shape = family_of(plan.model).shape_of(plan.model, plan.vocab_size)
    choice = f"{shape.depth} blocks of width {shape.width}"
    if model.width != "auto" and model.depth != "auto":
        return Reason("shape", choice, "as set")
    seen = plan.pace.steps * plan.batching.tokens
    weights = shape.matmul_parameters
    here = f"{seen / weights:.2g} tokens for each of its {weights / 1e6:.2g} M weights in matrix products"
    shapes = list(ladder.choices(model, plan.vocab_size, shape.context, shape.tie_embeddings).values())
    most = most_epochs(model, train)
    all_passes = plan.budget is not None and plan.epochs >= 0.95 * most
    if seen < ladder.TOKENS_PER_WEIGHT * weights and shape == shapes[0] and not all_passes:
        return Reason("shape", choice, f"the smallest in the list; it sees {here}, fewer than any should")
    if plan.held_back == "shape":
        return Reason("shape", choice, f"the largest that the memory holds; it sees {here}")
    enough = f"{ladder.TOKENS_PER_WEIGHT:g} tokens or more for each weight"
    enough += f", or the corpus {most} times" if plan.budget else ""
    rule = f"the largest that was to see {enough}; it sees {here}"
    larger = [other for other in shapes if other.matmul_parameters > weights]
    return Reason("shape", choice, rule + _next(plan, corpus, shape, larger))


def _next(plan: Plan, corpus: Corpus, shape: Shape, larger: list[Shape]) -> str:
    """What kept the next larger shape from being taken."""
    if not larger:
        return "; there is no larger one in the list"
    other = larger[0]
    weights, name = other.matmul_parameters, f"{other.depth} x {other.width}"
    each = ladder.weights_per_token(corpus.train_tokens, corpus.vocab_size)
    most = each * corpus.train_tokens
    if weights > most:
        return f"; {name} has more than {each:g} weights for each token of the corpus"
    seen = plan.pace.steps * plan.batching.tokens
    if plan.budget:  # in the same time a larger shape sees fewer
        seen = round(seen * shape.flops_per_token(shape.context) / other.flops_per_token(shape.context))
    return f"; {name} would see about {seen / weights:.2g}"


def _foreseen(plan: Plan, train: PretrainConfig) -> int:
    """The tokens that context and batch were chosen for: those of the run, where its steps were not given."""
    length = parse_length(train.length)
    return round(length.amount * STEP_TOKENS) if length.unit == "steps" else plan.pace.steps * plan.batching.tokens


def _context(plan: Plan, corpus: Corpus, model: ModelConfig, train: PretrainConfig) -> Reason:
    chosen = f"{plan.model.context} tokens"
    if model.context != "auto":
        return Reason("context", chosen, "as set")
    longer = [size for size in layout.CONTEXTS if size > int(plan.model.context)]
    found = f"for a corpus of {corpus.train_tokens:,} tokens and a run of about {_foreseen(plan, train):,}"
    if not longer:
        return Reason("context", chosen, found)
    size = longer[0]
    limits = f"{layout.CONTEXTS[size]:,} and {layout.TOKENS_FOR_CONTEXT[size]:,}"
    return Reason("context", chosen, f"{found}; {size} pays from {limits} on")


def _beginning(plan: Plan, train: PretrainConfig) -> Reason:
    batching, context = plan.batching, int(plan.model.context)
    chosen = "whole windows"
    if batching.cut_steps:
        chosen = f"{batching.cut_steps:,} steps read pieces of {context // batching.pieces} tokens"
    if train.short_start != "auto":
        return Reason("beginning", chosen, "as set")
    if batching.cut_steps:
        return Reason("beginning", chosen, "what is near is learned first, and sooner without the rest")
    if layout.pieces_of(context) == 1:
        return Reason("beginning", chosen, f"pieces of fewer than {layout.SHORTEST_PIECE} tokens say too little")
    return Reason(
        "beginning",
        chosen,
        "pieces are for running text, a new model with relative positions, and code that is not compiled",
    )


def _head(plan: Plan, corpus: Corpus, model: ModelConfig) -> Reason:
    chosen = "the embedding" if plan.model.tie_embeddings else "of its own"
    if model.tie_embeddings != "auto":
        return Reason("output layer", chosen, "as set")
    if family_of(plan.model).ties:
        return Reason("output layer", chosen, f"as {plan.model.family} has it")
    each = corpus.train_tokens / corpus.vocab_size
    found = f"the corpus has {each:,.0f} tokens for each word of the vocabulary"
    return Reason("output layer", chosen, f"{found}, and one of its own pays from {ladder.TOKENS_TO_UNTIE} on")


def _dropout(plan: Plan, model: ModelConfig) -> Reason:
    chosen = f"{plan.model.dropout:g}"
    if model.dropout != "auto":
        return Reason("dropout", chosen, "as set")
    return Reason(
        "dropout",
        chosen,
        f"{plan.epochs:.1f} passes over the corpus; the more passes, the more of it, and sooner where words are rare",
    )


def _batch(plan: Plan, train: PretrainConfig) -> Reason:
    chosen = f"{plan.batching.tokens:,} tokens, {plan.batching.rows} rows"
    if train.batch_tokens != "auto":
        return Reason("batch", chosen, "as set")
    bounds = f"between {layout.SMALLEST:,} and {layout.LARGEST:,}, and at most one pass"
    rule = f"the power of two next to {layout.BATCH:g} x {_foreseen(plan, train):,}^{layout.BATCH_GROWTH:g} tokens"
    return Reason("batch", chosen, f"{rule}, {bounds}")


def _micro_batch(plan: Plan, train: PretrainConfig) -> Reason:
    chosen = f"{plan.batching.micro_rows} rows"
    if train.micro_batch != "auto":
        return Reason("at once", chosen, "as set")
    if plan.batching.micro_rows == plan.batching.rows:
        return Reason("at once", chosen, "the whole batch")
    most = layout.at_once(plan.device)
    if plan.batching.micro_rows < most // int(plan.model.context):
        why = (
            "more of them are more than the memory holds" if plan.held_back else "the batch is shared by the processes"
        )
        return Reason("at once", chosen, why)
    return Reason("at once", chosen, f"at most {most:,} tokens: more only fill the memory of this device")


def _steps(plan: Plan, train: PretrainConfig) -> Reason:
    chosen = f"{plan.pace.steps:,}"
    length = parse_length(train.length)
    if length.unit == "steps":
        return Reason("steps", chosen, "as set")
    if length.unit == "epochs":
        return Reason("steps", chosen, f"{length.amount:g} passes over the corpus")
    if plan.budget and plan.pace.steps >= plan.budget.most_steps:
        return Reason("steps", chosen, f"{plan.epochs:.0f} passes are enough, so this ends before {train.length}")
    closing = plan.budget.closing_seconds if plan.budget else 0.0
    kept = f"with the validations between them and {closing:.1f} s kept for what comes after the last one"
    return Reason("steps", chosen, f"as many as fit {train.length} at the measured speed, {kept}")
