"""Long tables: a row for each value of each signal, whose name is an entry: as columns they would be one signal."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import numpy as np

from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.tables import listed
from lynkeus.sources.formats.times.recognise import Head

NAMES = re.compile(
    r"(.*[/._: ])?(pv|pv_?name|channel|channel_?name|attribute|att_?(conf_?)?name|signal|sensor|tag|variable|parameter|"
    r"metric|measurement|_field|property|point|address)(_?(name|id))?",
    re.IGNORECASE,
)
MOST_SIGNALS = 2000
ALIKE = 0.95  # of the rows, in which a name comes once at each time


def refuse_long(path: Path, head: Head, times: Collection[str], channels: Collection[str]) -> None:
    """Raise SourceError where a column of text says which signal a row is of: by its name, beside one column of
    numbers, or since each word comes once at each time."""
    if not times or not channels:
        return
    stamps = np.asarray(head.get(next(iter(times)), ()))
    for name, column in head.items():
        if isinstance(column, np.ndarray) or name in times or len(column) < 4:
            continue
        words = np.array([entry.strip() for entry in column])
        own, first = np.unique(words, return_index=True)
        if not 1 < len(own) <= min(MOST_SIGNALS, len(words) // 2) or "" in own:
            continue
        named = len(channels) == 1 and NAMES.fullmatch(name) is not None
        if named or _once_at_each_time(stamps, words):
            shown = listed(own[np.argsort(first)].tolist(), 3)
            value = next(iter(channels))
            raise SourceError(
                f"{path}: column {name!r} says which signal a row is of ({shown}); make a column of each, by pandas: "
                f"table.pivot_table(index={next(iter(times))!r}, columns={name!r}, values={value!r})"
            )


def _once_at_each_time(stamps: np.ndarray, words: np.ndarray) -> bool:
    if len(stamps) != len(words):
        return False
    _, at, rows = np.unique(stamps, return_inverse=True, return_counts=True)
    shared = rows[at] > 1
    if shared.mean() < ALIKE:
        return False
    pairs = np.unique(np.stack([at, np.unique(words, return_inverse=True)[1]]), axis=1)
    return bool(pairs.shape[1] >= ALIKE * len(words))
