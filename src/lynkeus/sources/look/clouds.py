"""What files of clouds hold, such as jets: their columns, and what each is read as."""

from __future__ import annotations

from pathlib import Path

from lynkeus.core.errors import LynkeusError, SourceError
from lynkeus.sources.clouds.linked.recipe import LinkedRecipe
from lynkeus.sources.clouds.open import open_clouds
from lynkeus.sources.clouds.source import CloudSource
from lynkeus.sources.formats.layout import Layout, read_layout
from lynkeus.sources.formats.tables import counted
from lynkeus.sources.look.entries import UNREAD, Entry

MOST = 20_000  # samples that are counted


def look_at_clouds(path: Path, layout: str | Path | Layout | None) -> tuple[list[Entry], list[str]] | None:
    """Return the columns of the first file of clouds, and lines on how all of them are read; None for other files."""
    try:
        found = open_clouds(path, read_layout(layout), None)
    except LynkeusError as error:
        if layout is None and path.suffix.lower() == ".root":
            return None  # its trees are listed, and what is said of it stands below
        return [], [f"as it is, it would not be read: {error}"]
    if found is None:
        return None
    first = found.readers[0]
    entries = [
        Entry(name, kind, f"({first.rows},)", _unit(found, name), found.recipe.role(name))
        for name, kind in first.types.items()
        if not (name.startswith("n") and name[1:] in first.types)  # how long a list is, which ROOT keeps beside it
    ]
    shown = [entry for entry in entries if entry.role != UNREAD]
    if layout is None or not shown:
        return entries, _lines(found)
    more = [f"{counted(len(entries) - len(shown), 'other column')} not read"] if len(shown) < len(entries) else []
    return shown, [*_lines(found), *more]


def _held(found: CloudSource) -> str:
    """Return how many samples there are: a selection leaves some out, and an event may hold several."""
    rows = len(found)
    if found.layout is None:
        return f"{counted(rows, 'sample')} from {counted(len(found.files), 'file')}"
    samples = 0
    try:
        for batch in found:
            samples += len(batch)
            if samples >= MOST:
                break
    except SourceError as error:
        return f"no samples ({error})"
    row = "event" if isinstance(found.recipe, LinkedRecipe) else "row"
    of = f"{counted(rows, row)} of {counted(len(found.files), 'file')}"
    return f"{'more than ' if samples >= MOST else ''}{counted(samples, 'sample')} from {of}"


def _lines(found: CloudSource) -> list[str]:
    groups: dict[str, int] = {}
    for name in found.schema.names:
        group = name.partition("/")[0]
        groups[group] = groups.get(group, 0) + 1
    of = " and ".join(f"{group} with {counted(number, 'feature')} each" for group, number in groups.items())
    classes = (
        f", of the classes {', '.join(found.schema.classes)}" if found.schema.classes else "; no labels were found"
    )
    return [f"read as {_held(found)}, of {of}{classes}", *found.messages]


def _unit(found: CloudSource, name: str) -> str:
    at = [k for k, feature in enumerate(found.schema.names) if feature.partition("/")[2] == name]
    return found.schema.units[at[0]] if at and found.schema.units else ""
