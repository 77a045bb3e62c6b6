"""What columns of hits are called: which say where a hit is, which say what it is, and which it may be judged by."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

GROUPS = ("event", "event_id", "eventid", "event_number", "evt", "ev", "eventnumber", "ievent", "evid")
SECTORS = ("sector", "chamber", "tpc", "module", "detector", "side", "roc", "sec")
ROWS = ("row", "padrow", "pad_row", "layer", "irow", "row_id", "rowid")
ACROSS = ("pad", "ipad", "pad_id", "padid", "pad_pos", "pad_position", "pad_mean", "pad_cog", "x", "x_mm", "column")
ALONG = ("time", "time_bin", "timebin", "tbin", "itime", "t", "time_mean", "time_cog", "drift_time", "drift", "tb", "y",
         "y_mm", "z", "slice", "time_slice")  # fmt: skip
NUMBERS = ("hit", "hit_id", "hitid", "id", "index", "run", "run_number", "run_id", "cluster", "cluster_id", "seed",
           "position", "weight", "timestamp", "time_ns", "file", "entry", "unnamed")  # fmt: skip
# What only somebody who knows the answer can have written: never something to judge by.
ANSWER = re.compile(
    r"^(is_?)?(truth|true|mc|sim|gen|labels?|on_?track|track|tracks|trk|pdg|pid|particle|mother|parent)([^a-z].*)?$"
    r"|^(is_?|hit_?)?(signal|noise|real|good|kind|class|type|category|origin|primary|process|source|remove|anomaly|target)"
    r"(_?(id|label|flag|type|kind|class|source|truth|prob|probability|no|number))?$"
    r"|_(track|label|truth|true|pdg|particle)(_?(id|number|index|no))?$"
)
SIGNAL = ("track", "signal", "good", "keep", "kept", "real", "true_hit", "attached")  # 1 says that it is one
CELL = re.compile(  # adc[0,3], adc_0_3, adc_p0_t3
    r"^(?P<base>.*?[A-Za-z])[\[_.(]*(?P<pad>\d+)[,_\].(xXtTcC]+(?P<time>\d+)[\])]?$"
)
SAMPLE = re.compile(r"^(?P<base>.*[A-Za-z])[\[_.(]*(?P<time>\d+)[\])]?$")  # wave12, adc_12
COMPUTED = "near/"
LEAST_CELLS = 6  # of a patch: fewer numbered columns are something else


class Roles(NamedTuple):
    """The columns that say in which `event` and `sectors` a hit is, and where: `row`, `across` and `along` the drift;
    '' or () where there is none."""

    event: str
    sectors: tuple[str, ...]
    row: str
    across: str
    along: str

    @property
    def places(self) -> bool:
        """Return whether hits can be put beside one another."""
        return bool(self.row and self.across and self.along)


def roles_of(names: Collection[str]) -> Roles:
    """Return which columns say where a hit is, by their names; what was computed of these says nothing of it."""
    names = [name for name in names if not name.startswith(COMPUTED)]
    return Roles(
        _first(GROUPS, names), tuple(name for name in names if bare(name) in SECTORS), _first(ROWS, names),
        _first(ACROSS, names), _first(ALONG, names),
    )  # fmt: skip


def bare(name: str) -> str:
    """Return a name without what stands before it and in small letters: Hits/padRow is pad_row."""
    last = name.rpartition("/")[2]
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", last).lower()


def is_answer(name: str) -> bool:
    """Return whether a column says what a hit is, or what became of it."""
    return bool(ANSWER.search(bare(name)))


def is_number_of(name: str) -> bool:
    """Return whether a column counts hits, files or runs, and says nothing of the hit."""
    return bare(name) in NUMBERS or bare(name) in GROUPS


def means_signal(name: str) -> bool:
    """Return whether 1 in a column of labels says that a hit is of a track; else it says that it is noise, as
    everywhere in this package."""
    own = bare(name)
    return any(word in own for word in SIGNAL) and not own.startswith(("not_", "no_", "off_")) and "noise" not in own


def patch_of(names: Collection[str]) -> tuple[list[int], tuple[int, int]]:
    """Return which of the columns are the cells of a patch of pads and times, row by row, and its shape; nothing where
    there is none.

    Columns of two numbers are a grid; of one they are times of one pad.
    """
    found: dict[str, dict[tuple[int, int], int]] = {}
    for place, name in enumerate(names):
        match = CELL.match(name) or SAMPLE.match(name)
        if match:
            cell = (int(match.groupdict().get("pad") or 0), int(match["time"]))
            found.setdefault(re.sub(r"[_.]?(p|pad)$", "", match["base"]), {})[cell] = place
    whole = {base: cells for base, cells in found.items() if len(cells) >= LEAST_CELLS and _is_grid(cells)}
    if not whole:
        return [], (0, 0)
    cells = max(whole.values(), key=len)
    pads, times = (len({cell[axis] for cell in cells}) for axis in (0, 1))
    return [cells[cell] for cell in sorted(cells)], (pads, times)


def _is_grid(cells: Mapping[tuple[int, int], int]) -> bool:
    pads, times = ({cell[axis] for cell in cells} for axis in (0, 1))
    return len(cells) == len(pads) * len(times)


def _first(known: Collection[str], names: Collection[str]) -> str:
    by_bare = {bare(name): name for name in reversed(list(names))}
    return next((by_bare[name] for name in known if name in by_bare), "")
