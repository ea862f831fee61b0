"""What does not depend on the process that it runs in."""

from __future__ import annotations

import os
import subprocess
import sys


def printed_with_hash_seeds(script: str) -> set[str]:
    """What a script prints under different seeds of Python's own hashes: one text, if they play no part."""
    return {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
