"""The README.md of a model, written from the manifest: data, recipe, figures, lineage, licences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmcli.project.lock import Entry, Manifest
from lmcli.stages import data_notes, lineage
from lmcli.units import amount

_TASKS = {
    "ForCausalLM": "text-generation",
    "LMHeadModel": "text-generation",
    "ForMaskedLM": "fill-mask",
    "ForPreTraining": "fill-mask",
    "ForConditionalGeneration": "text2text-generation",
    "MTModel": "text2text-generation",
    "ForSequenceClassification": "text-classification",
}
"""Ends of the names of transformers' classes -> the tasks by which the Hugging Face hub sorts models."""


def card(entry: Entry, manifest: Manifest, root: Path, architecture: str) -> str:
    """Markdown with the front matter that the Hugging Face hub reads.

    `architecture` is the class of transformers, "" where it has none. An entry without a digest is a model that is just
    being made: it has no evaluations yet.
    """
    return "\n".join(
        [
            *_front(entry, architecture),
            f"# {entry.name}",
            "",
            *_about(entry),
            *_section("Figures", _figures(entry, manifest)),
            *_section("Data", data_notes.lines(entry, manifest, root)),
            *_section("Licence", data_notes.licences(entry, manifest, root)),
            *_section("Use", _use(architecture)),
            *_section("Made from", _lineage(entry, manifest)),
            *_section("Recipe", _recipe(entry)),
        ]
    )


def bare_card(name: str, architecture: str) -> str:
    """For a model that no manifest knows."""
    unknown = "This model was not made in a project of lmcli, so that nothing is known of its data and its licence."
    front = _front(Entry(name, "", "", "", 0, "", 0, {}, {}), architecture)
    return "\n".join([*front, f"# {name}", "", unknown, "", *_section("Use", _use(architecture))])


def _front(entry: Entry, architecture: str) -> list[str]:
    task = next((task for end, task in _TASKS.items() if architecture.endswith(end)), None)
    library = ["library_name: transformers"] if architecture else []
    licence = entry.report.get("licence")
    return [
        "---",
        *library,
        *([f"pipeline_tag: {task}"] if task else []),
        *([f"license: {licence}"] if licence else []),
        "tags: [lmcli]",
        "---",
    ]


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"## {title}", "", *lines, ""] if lines else []


def _about(entry: Entry) -> list[str]:
    plan, report = entry.plan, entry.report
    sentences = [str(report.get("about", ""))]
    model = plan.get("model", report.get("model", {}))
    if isinstance(model, Mapping) and "family" in model:
        context = f", context {model['context']} tokens" if "context" in model else ""
        sentences.append(f"Family `{model['family']}`, {report['parameters']:,} parameters{context}.")
    text = " ".join(sentence for sentence in sentences if sentence)
    return [text, ""] if text else []


def _figures(entry: Entry, manifest: Manifest) -> list[str]:
    lines = _training(entry.report)
    rows = [
        f"| {test.name} | {name} | {value:.6g} | {test.report['signatures'].get(name, '').replace('|', ', ')} |"
        for test in lineage.evaluations(entry, manifest)
        for name, value in test.report["figures"].items()
    ]
    if not rows:
        return lines
    return [
        *lines,
        *([""] if lines else []),
        "| evaluation | figure | value | measured how |",
        "|---|---|---|---|",
        *rows,
    ]


def _training(report: Mapping[str, Any]) -> list[str]:
    if "steps" not in report:
        return []
    trained = f"Trained for {report['steps']:,} steps on {report['tokens']:,} tokens"
    best = report.get("best", {})
    if "val_loss" not in best:
        return [f"{trained}; there was no validation text."]
    bits = "" if best.get("val_bpb") is None else f", {best['val_bpb']:.4f} bits per byte"
    chosen = f"these are the weights of step {best['step']:,}, the best on validation"
    return [f"{trained}; {chosen}: {best['val_loss']:.4f} nats per target{bits}."]


def _use(architecture: str) -> list[str]:
    if not architecture:
        return ['    lmcli generate --model "this folder" "Once upon a time"', "", "transformers has no class for it."]
    return [
        f"    from transformers import {architecture}, AutoTokenizer",
        f'    model = {architecture}.from_pretrained("this folder")',
        '    tokenizer = AutoTokenizer.from_pretrained("this folder")',
    ]


def _lineage(entry: Entry, manifest: Manifest) -> list[str]:
    lines = []
    for item in lineage.upstream(entry, manifest):
        made = ", ".join(f"{name} {version}" for name, version in sorted(item.versions.items()))
        read = ", ".join(record.of or name for name, record in sorted(item.inputs.items()))
        lines.append(f"- {item.name} ({item.stage} of {read}, {amount(item.bytes, 'B')}; {made}): `{item.digest}`")
    known = {item.name for item in lineage.upstream(entry, manifest)}
    for name, record in sorted(entry.inputs.items()):
        if record.of not in known:
            lines.append(f"- {name}: `{record.digest}`")
    made_with = ", ".join(f"{name} {version}" for name, version in sorted(entry.versions.items()))
    return [*lines, "", f"by {made_with}."] if made_with else lines


def _recipe(entry: Entry) -> list[str]:
    settings = json.dumps({"plan": entry.plan, "requested": entry.requested}, indent=1, sort_keys=True)
    return [f"```json\n{settings}\n```"]
