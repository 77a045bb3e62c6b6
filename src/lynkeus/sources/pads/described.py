"""PadLayout: the table [pads] of a layout: under which names a file holds the spectra of pads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from lynkeus.core.errors import SettingsError

PLACES = ("x", "y", "chamber", "card", "channel", "width", "length")


@dataclass(frozen=True)
class PadLayout:
    """Arrays or columns by name: `counts` (pads, bins), `edges`, `sector`, `row`, `pad`, and `x`, `y`, `chamber`,
    `card`, `channel`, `width`, `length` where the file has them.

    ROOT: `th1`, a pattern of the names of one histogram a pad with the groups (?P<sector>), (?P<row>), (?P<pad>), as
    far as a name has them; `th2`, a pattern of the names of a histogram of pad and charge for each sector, with the
    group (?P<sector>); its pads are numbered as those of the `geometry`, row by row. `tree`: clusters, with the
    branches `charge`, `sector`, `row`, `pad`, filled into `bins` from `low` to `high`. `geometry`: a CSV or Parquet
    table of sector, row, pad, x, y and what else is known, one line a pad; `unit` of the charge.
    """

    counts: str = "counts"
    edges: str = "edges"
    sector: str = "sector"
    row: str = "row"
    pad: str = "pad"
    x: str = "x"
    y: str = "y"
    chamber: str = "chamber"
    card: str = "card"
    channel: str = "channel"
    width: str = "width"
    length: str = "length"
    th1: str = ""
    th2: str = ""
    tree: str = ""
    charge: str = "charge"
    bins: int = 160
    low: float = 0.0
    high: float = 0.0
    geometry: str = ""
    unit: str = ""

    def __post_init__(self) -> None:
        for name in ("th1", "th2"):
            given = getattr(self, name)
            try:
                groups = re.compile(given).groupindex
            except re.error as error:
                raise SettingsError(f"pads.{name}: {given!r} is not a regular expression ({error})") from error
            if given and "sector" not in groups and "pad" not in groups:
                raise SettingsError(f"pads.{name}: {given!r} has no group (?P<sector>...) or (?P<pad>...)")
        if self.tree and not self.high > self.low:
            raise SettingsError("pads.high: a tree of clusters needs low, high and bins of the charge; give them")
        if not isinstance(self.bins, int) or not 8 <= self.bins <= 65536:
            raise SettingsError(f"pads.bins: must be a whole number from 8 to 65536, got {self.bins!r}")
        if self.th2 and not self.geometry:
            raise SettingsError(
                "pads.geometry: histograms of a sector number their pads; give the table that names them"
            )


def pad_layout(given: Any, name: str) -> PadLayout:
    """Return the table [pads] of a layout. Raises SettingsError naming a field that makes no sense."""
    if not isinstance(given, Mapping):
        raise SettingsError(f"{name}: pads: must be a table, written [pads]")
    known = {field.name: field.type for field in fields(PadLayout)}
    for key, value in given.items():
        if key not in known:
            raise SettingsError(f"{name}: pads.{key}: no such field; there are: {', '.join(known)}")
        if (known[key] == "str") != isinstance(value, str) or isinstance(value, bool):
            raise SettingsError(
                f"{name}: pads.{key}: must be {'text' if known[key] == 'str' else 'a number'}, got {value!r}"
            )
    return PadLayout(**given)
