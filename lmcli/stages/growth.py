"""How much the corpus has grown since the pinned tokenizer was trained."""

from __future__ import annotations

from lmcli.project.lock import Manifest


def grown(manifest: Manifest) -> list[str]:
    """One sentence when the tokens now hold other text than the tokenizer was trained on; else nothing."""
    tokenizer, tokens = manifest.entries.get("tokenizer"), manifest.entries.get("tokens")
    if not tokenizer or not tokens:
        return []
    before, now = tokenizer.report.get("corpus_bytes", 0), tokens.report.get("text_bytes", 0)
    if not before or abs(now - before) < 0.01 * before:
        return []
    change = 100 * (now - before) / before
    return [
        f"the corpus has changed by {change:+.0f}% since it was trained; `lmcli tokenize --retrain` makes a new one"
    ]
