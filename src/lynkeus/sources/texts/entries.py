"""Entries of a logbook in the order of their times, with what is known of each."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from lynkeus.core.batch import TimesNs
from lynkeus.core.errors import SourceError
from lynkeus.sources.texts.source import LONGEST, TextSource
from lynkeus.sources.texts.times import times_of

CALLED = ("name", "id", "entry", "file", "title", "subject")


class Entries(NamedTuple):
    """`texts` that are not empty, by time where `time_ns` is known, what each is `called`, the further `columns`, and
    what is to be said of how they were read."""

    texts: list[str]
    time_ns: TimesNs | None
    called: list[str]
    columns: dict[str, list[str]]
    messages: list[str]

    def __len__(self) -> int:
        return len(self.texts)


def read_entries(data: str | Path, column: str = "") -> Entries:
    """Read a logbook: a file of elog, JSON lines, CSV, Parquet, a folder of texts, or a table of a database; `column`
    of the texts, "": it is found. Raises SourceError where there is none, or no text."""
    source = TextSource(data, column)
    messages = list(source.messages)
    columns = {name: own for name, own in source.records.columns.items() if name != source.column}
    texts = [text[:LONGEST] for text in source.records.columns[source.column]]
    of_times, times, without = times_of(columns)
    order = np.flatnonzero([bool(text.strip()) for text in texts])
    if times is None:
        messages.append("no column of times (time_ns, time, date, ...) was found: entries are in the order of the file")
    else:
        order = order[times[order] >= 0]
        order = order[np.argsort(times[order], kind="stable")]
        if without:
            messages.append(f"{without} entries have no time in {of_times!r}, and are left out")
    if not len(order):
        raise SourceError(f"{data}: no entry has both a text and a time; check the columns")
    chosen = order.tolist()
    kept = {name: [own[k] for k in chosen] for name, own in columns.items()}
    name = next((one for one in columns if one.lower() in CALLED), "")
    called = kept[name] if name else [f"entry {k + 1}" for k in chosen]
    return Entries([texts[k] for k in chosen], None if times is None else times[order], called, kept, messages)
