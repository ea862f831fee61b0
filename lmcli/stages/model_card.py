"""The README.md of a model directory: what it was made from and how, as the manifest has it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lmcli import __version__
from lmcli.project.stage import Work

if TYPE_CHECKING:
    from lmcli.training.outcome import Outcome

FRONT = """\
---
library_name: transformers
pipeline_tag: text-generation
tags: [lmcli]
---
"""


def card(outcome: Outcome, work: Work, requested: Mapping[str, Any], about: str) -> str:
    """Markdown with the front matter that the Hugging Face hub reads."""
    plan = outcome.plan
    inputs = "\n".join(f"- {name}: `{record.digest}`" for name, record in sorted(work.records.items()))
    settings = json.dumps({"plan": plan.to_json(), "requested": requested}, indent=1, sort_keys=True)
    return "\n".join(
        [
            f"{FRONT}# {work.name}",
            "",
            f"{about} Family `{plan.model.family}`, {plan.parameters:,} parameters, "
            f"context {plan.model.context} tokens.",
            "",
            *_figures(outcome),
            "",
            "## Made from",
            "",
            inputs,
            "",
            f"by lmcli {__version__}. Whether this model may be passed on depends on the texts that it was trained on.",
            "",
            "## Use",
            "",
            "    from transformers import AutoModelForCausalLM, AutoTokenizer",
            '    model = AutoModelForCausalLM.from_pretrained("this folder")',
            '    tokenizer = AutoTokenizer.from_pretrained("this folder")',
            "",
            "## Recipe",
            "",
            f"```json\n{settings}\n```",
            "",
        ]
    )


def _figures(outcome: Outcome) -> list[str]:
    trained = f"Trained for {outcome.steps:,} steps on {outcome.tokens:,} tokens"
    if outcome.best is None:
        return [f"{trained}; there was no validation text."]
    best = outcome.best
    return [
        f"{trained}; these are the weights of step {outcome.best_step:,}, the best on validation: {best.loss:.4f} nats "
        f"per target{'' if best.bits_per_byte is None else f', {best.bits_per_byte:.4f} bits per byte'}."
    ]
