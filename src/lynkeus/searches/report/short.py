"""Names in figures: as they are, but short."""

from __future__ import annotations

MOST_LETTERS = 28


def shortened(name: str) -> str:
    """Return a name for a figure."""
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"
