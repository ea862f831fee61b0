"""Where a run comes from, apart from its data and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmcli.training.recorded import Course


@dataclass(frozen=True, kw_only=True)
class Origin:
    """`made_from` ({"requested": settings, "inputs": digests}) is what the run's key stands for."""

    made_from: Mapping[str, Any] | None = None
    extend: str = ""
    """A later end than the settings' length, as `train.extend` has it; "" for none."""
    model: str | None = None
    """Digest of the model that the run has made so far, for an extension's lineage."""
    course: Course | None = None
    """What that model's run did, to be done again where its directory is gone; None plans anew."""
    tokenizer: Path | None = None
    """The directory of the tokenizer that made the tokens, which some objectives ask."""
    vectors: Path | None = None
    """A file of word vectors that the embedding of a new model begins with."""
    base: Path | None = None
    """Directory of the model that is trained further; None trains a new one."""
