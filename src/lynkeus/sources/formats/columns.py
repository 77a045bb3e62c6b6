"""Columns: arrays of one number a row, as NumPy's structured arrays and .npz files hold them, as one table."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from lynkeus.core.batch import Array
from lynkeus.sources.formats.layout import Times
from lynkeus.sources.formats.tables import listed
from lynkeus.sources.formats.times.recognise import recognise


class Joined(NamedTuple):
    """A `table` (n, columns) of the columns of these `names`, None where there is none; the arrays of its `times` by
    name (`stamps`), what to say of them, and `notes` on what was set aside."""

    table: Array | None
    names: list[str]
    times: Times | None
    stamps: dict[str, Array]
    says: str
    notes: list[str]


def is_column(array: Array, rows: int | None = None) -> bool:
    """Return whether an array holds one number, or true or false, for each of its rows."""
    return array.dtype.kind in "fiub" and array.ndim == 1 and rows in (None, len(array))


def as_table(columns: Mapping[str, Array], known: Collection[str] = (), times: Times | None = None) -> Joined:
    """Return columns of one length as a table; `known`: channels of a model, which are no times and no counters;
    `times`: which they are, where somebody says so."""
    found = recognise({name: own for name, own in columns.items() if own.dtype.kind != "b"}, known=known)
    used = times or found.times
    stamps = {name: columns[name] for name in (used.columns if used else ()) if name in columns}
    aside = {name: why for name, why in found.aside.items() if name not in stamps}
    names = [name for name in columns if name not in stamps and name not in aside]
    notes = [f"set aside, as they are no channels: {listed([f'{n} ({why})' for n, why in aside.items()])}"]
    kind: Any = np.result_type(np.float32, *(columns[name].dtype for name in names))
    table = np.column_stack([columns[name].astype(kind) for name in names]) if names else None
    return Joined(table, names, used, stamps, "" if times else found.says, notes if aside else [])
