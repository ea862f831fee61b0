"""Masks filled in, on the terminal: what `lmcli generate` does with an encoder."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from lmcli.cli.session import Session, Shown
from lmcli.generation.config import GenerateConfig
from lmcli.generation.prompts import read_prompts


def fill_now(session: Session, root: Path, config: GenerateConfig, name: str, directory: Path) -> Shown:
    """The filled text, then the candidates for each mask. Sampling settings have no meaning here."""
    from lmcli.generation.filling import CANDIDATES, fill
    from lmcli.models.device import resolve_compute, use_threads
    from lmcli.models.masked_lm import load_masked_lm
    from lmcli.tokens.tokenizer import Tokenizer

    compute = resolve_compute(config)
    use_threads(compute)
    session.console.say(f"model {name} ({directory})")
    count = max(CANDIDATES, config.count)
    model = load_masked_lm(directory, compute.device)
    filled = fill(model, Tokenizer.load(directory), read_prompts(root, config), compute, count)
    lines: list[str] = []
    for one in filled:
        lines.append(one.text)
        for candidates in one.masks:
            lines.append("  " + "  ".join(f"{item.token} {item.probability:.1%}" for item in candidates))
    return Shown({"model": name, "path": str(directory), "filled": [asdict(one) for one in filled]}, lines)
