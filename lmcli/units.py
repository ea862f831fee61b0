"""Amounts as people read them."""

from __future__ import annotations


def amount(value: float, unit: str) -> str:
    """12,345 docs; 1.2 MB."""
    if unit == "B":
        return size(value)
    return f"{value:,.0f} {unit}".rstrip() if value >= 10 or value == int(value) else f"{value:.1f} {unit}".rstrip()


def size(value: float) -> str:
    """Bytes in decimal units: 999 B, 1.2 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def duration(seconds: float) -> str:
    """45s, 3m20s, 2h05m."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m{rest:02d}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"
