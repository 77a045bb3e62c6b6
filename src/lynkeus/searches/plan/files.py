"""What a plan says of the files of a sample: a name, or a table with the layout, the process and the cross section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lynkeus.core import SettingsError
from lynkeus.transforms.expressions import Expression, parse

FIELDS = ("file", "layout", "process", "select", "scale")
MOST_SCALE = 1e12


@dataclass(frozen=True)
class File:
    """A file, a pattern of them, or sim://... (`name`): by which `layout` it is read ("" that of all samples), which
    `process` all of its events are ("" what it says itself), which are taken (`select`), and by what their weights are
    scaled, such as luminosity times cross section over the sum of weights."""

    name: str
    layout: str = ""
    process: str = ""
    select: Expression | None = None
    scale: float = 1.0

    def __str__(self) -> str:
        return self.name + (f" ({self.process})" if self.process else "")


def files_of(given: Any, where: str, folder: Path) -> tuple[File, ...]:
    """Return the files that a plan names, one or a list. Raises SettingsError naming the field."""
    several = given if isinstance(given, list) else [given]
    return tuple(_file(one, f"{where}[{k}]" if len(several) > 1 else where, folder) for k, one in enumerate(several))


def _file(given: Any, where: str, folder: Path) -> File:
    table: Mapping[str, Any] = given if isinstance(given, Mapping) else {"file": given}
    for key in table:
        if key not in FIELDS:
            raise SettingsError(f"{where}: {key}: no such field; there are: {', '.join(FIELDS)}")
    for key in ("file", "layout", "process"):
        if not isinstance(table.get(key, ""), str):
            raise SettingsError(f"{where}: name a file, a pattern or sim://..., or a table with file = ...; {key} is "
                                f"{table[key]!r}")  # fmt: skip
    if not table.get("file"):
        raise SettingsError(f"{where}: is missing: a file, a pattern, sim://..., or a table with file = ...")
    select, scale = table.get("select"), table.get("scale", 1.0)
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale <= MOST_SCALE:
        raise SettingsError(f"{where}: scale: must be a number above 0, got {scale!r}")
    return File(
        place(str(table["file"]), folder), layout_of(str(table.get("layout", "")), folder),
        str(table.get("process", "")), None if select is None else parse(str(select), f"{where}: select"), float(scale),
    )  # fmt: skip


def place(name: str, folder: Path) -> str:
    """Return a file of the plan where it is: beside the plan unless it is absolute, or no file."""
    if not name or "://" in name or Path(name).expanduser().is_absolute():
        return name
    return str(folder / name)


def layout_of(name: str, folder: Path) -> str:
    """Return the layout as a file beside the plan, or as the name of a shipped one."""
    found = place(name, folder)
    return name if found and not Path(found).suffix and "/" in found and not Path(found).exists() else found
