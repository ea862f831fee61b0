from __future__ import annotations

from tests.tokens.conftest import bpe, text

__all__ = ["bpe", "text"]
