"""Masks: columns of states, such as the severity of an alarm, that say where a value is none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lynkeus.core.batch import Array
from lynkeus.sources.formats.times.recognise import STATE

INVALID = 3  # as EPICS counts severities; an archiver adds larger ones, such as disconnected
WORDS = ("invalid", "invalid_alarm", "udf", "udf_alarm", "disconnected", "disconnect", "comm", "link", "timeout")
ENDING = re.compile(r"[._: ]?(severity|sevr|stat|alarm_?(severity|status))$", re.IGNORECASE)


@dataclass
class Masks:
    """`of`: a column of states, and the channel that it speaks of ("": all); `rows`: in how many rows of this pass it
    said that the value is none."""

    of: dict[str, str] = field(default_factory=dict)
    rows: Counter[str] = field(default_factory=Counter)

    @classmethod
    def find(cls, names: Collection[str], channels: Collection[str]) -> Masks:
        """Find the states that stand beside a channel, `BPM1.SEVR` beside `BPM1`, or that stand alone."""
        found = {}
        for name in names:
            if STATE.fullmatch(name) and name not in channels:
                whose = ENDING.sub("", name)
                if not whose or whose in channels:
                    found[name] = whose
        return cls(found)

    def apply(self, piece: Any, values: Array, channels: Sequence[str], first: int) -> Array:
        """Return the values (n, channel) of a record batch with NaN where they are none."""
        if not first:
            self.rows.clear()
        for name, channel in self.of.items():
            bad = invalid(piece.column(name))
            if bad.any():
                values = values.astype(np.result_type(values.dtype, np.float32))
                spoken_of = np.array([not channel or own == channel for own in channels])
                values[bad[:, None] & spoken_of] = np.nan
                self.rows[name] += int(bad.sum())
        return values

    def messages(self, path: Path) -> list[str]:
        """Return what was taken as missing, a line for each."""
        return [
            f"{path}: {name} says in {count} rows that {self.of[name] or 'all'} is invalid: taken as missing"
            for name, count in self.rows.items()
        ]


def invalid(column: Any) -> Array:
    """Return (n,) True where a state, as text or as a number, says that a value is none."""
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        numbers: Array = np.nan_to_num(column.to_numpy(zero_copy_only=False).astype(float)) >= INVALID
        return numbers
    words = pc.utf8_lower(pc.utf8_trim_whitespace(column.cast(pa.string()))).fill_null("")
    found: Array = pc.is_in(words, value_set=pa.array(WORDS)).to_numpy(zero_copy_only=False)
    return found
