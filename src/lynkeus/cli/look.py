"""lynkeus look: what a file holds, and how it would be read."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lynkeus.progress import say

WIDE = 200  # columns where nobody watches a terminal
MOST = 200  # entries that are listed


def show(data: str, layout: str | None) -> None:
    """Run the command."""
    from lynkeus.sources.look.look import look

    found = look(data, layout)
    out = Console(width=None if sys.stdout.isatty() else WIDE, emoji=False)
    say(out, [found.what])
    if found.entries:
        table = Table("name", "holds", "shape", "unit", "read as")
        for entry in found.entries[:MOST]:
            table.add_row(*map(escape, (entry.name, entry.holds, entry.shape, entry.unit, entry.role)))
        out.print(table)
        if len(found.entries) > MOST:
            say(out, [f"... and {len(found.entries) - MOST} more"])
    say(out, [*found.lines, *found.options])
