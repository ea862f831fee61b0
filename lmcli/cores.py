"""How many processors there are for this process."""

from __future__ import annotations

import os


def cores() -> int:
    """Processors that this process may use: those that the shell or a container left it, where the system can say."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS
