"""Which columns of a Parquet or CSV file are channels, which are times, and which are neither."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lynkeus.core.batch import Schema
from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.arrow_columns import FileColumns
from lynkeus.sources.formats.described import label_column
from lynkeus.sources.formats.layout import Layout, Times
from lynkeus.sources.formats.masks import Masks
from lynkeus.sources.formats.tables import listed, table_schema
from lynkeus.sources.formats.text.entries import states
from lynkeus.sources.formats.text.long import refuse_long
from lynkeus.sources.formats.times.recognise import Found, Head, recognise, writing


def choose_columns(
    path: Path, types: Mapping[str, Any], layout: Layout, head: Head, expected: Schema | None = None
) -> FileColumns:
    """Which columns to read, from their Arrow types and first entries. `expected`: what a model reads; its channels are
    never taken for anything else. Raises SourceError for a column that only the layout has, and for a long table."""
    layout = layout.present(lambda name: name in types, expected.names if expected else ())
    wanted = [block.dataset for block in layout.blocks]
    known = {name for name in types if expected is not None and layout.short(name) in expected.names}
    truth, weight = _labels(types, layout)
    own = {name for name in (truth, weight) if name}
    found = _times(path, types, layout, {n: c for n, c in head.items() if n not in own}, known)
    used = (*(found.times.columns if found.times else ()), truth, weight)
    if weight and not _is_number(types[weight]):
        raise SourceError(f"{path}: column {weight!r} holds {types[weight]}, not weights; name a column of numbers")
    for name in [*wanted, *(name for name in used if name)]:
        if name not in types:
            of = f" (layout {layout.name})" if layout.name else ""
            raise SourceError(f"{path}: no column {name!r}{of}; there are {listed(list(types))}")
    numbers = [n for n, kind in types.items() if (_is_number(kind) or _is_empty(kind, n, known)) and n not in used]
    for name in wanted:
        if name not in numbers:
            raise SourceError(f"{path}: column {name!r} holds {types[name]}, not numbers; leave it out of the layout")
    aside = {} if wanted else {name: why for name, why in found.aside.items() if name in numbers}
    channels = wanted or [n for n in numbers if n not in aside and not n.startswith("__index_level_")]
    if not wanted:
        refuse_long(path, head, found.times.columns if found.times else (), channels)
    suffixes = [block.suffix for block in layout.blocks] or [""] * len(channels)
    names = [suffix or layout.short(name) for name, suffix in zip(channels, suffixes, strict=True)]
    units = [block.unit for block in layout.blocks] or [""] * len(channels)
    schema = table_schema(path, names, units, None, layout)
    others = () if wanted else tuple(name for name in types if name not in (*numbers, *used))
    # One type for the whole file: a piece with an empty entry would otherwise be wider than the others.
    dtype = np.result_type(np.float32, *(_numpy_type(types[name]) for name in channels))
    left_out = tuple(_said_of(name, head) for name in others)
    return FileColumns(
        path, schema, tuple(channels), dtype, found.times, truth, left_out, weight, bool(wanted),
        (), found.writing, aside, found.says, head, masks=Masks() if wanted else Masks.find(types, channels),
    )  # fmt: skip


def described_columns(path: Path, types: dict[str, Any], schema: Schema, layout: Layout) -> FileColumns:
    """Return the columns of a file that holds its own schema: its channels, and all others as what is known of each
    row. Raises SourceError for a channel that is missing."""
    lacking = [name for name in schema.names if name not in types]
    if lacking:
        raise SourceError(f"{path}: no column {lacking[0]!r}, which its own schema names; write the file again")
    truth = label_column(layout, types)
    times = Times("time_ns") if "time_ns" in types else None
    weight = layout.weight if layout.weight in types else ""
    # Where other labels are named, the file's own truth is not told of: a batch has one.
    meta = tuple(name for name in types if name not in (*schema.names, "time_ns", "truth", truth, weight))
    dtype = np.result_type(np.float32, *(types[name].to_pandas_dtype() for name in schema.names))
    return FileColumns(path, schema, schema.names, dtype, times, truth, (), weight, True, meta)


def _labels(types: Mapping[str, Any], layout: Layout) -> tuple[str, str]:
    """The columns of labels and of weights, '' where there are none."""
    default = "truth" if "truth" in types and pa.types.is_integer(types["truth"]) else ""
    truth = layout.truth if layout.truth in types else default
    return truth, layout.weight if layout.weight in types else ""


def _times(path: Path, types: Mapping[str, Any], layout: Layout, head: Head, known: set[str]) -> Found:
    """The times that the layout names, or that are recognised. Raises SourceError for dates that may be read in two
    ways."""
    stamps = [name for name, kind in types.items() if pa.types.is_timestamp(kind)]
    found = recognise(head, stamps, known)
    if layout.times is not None:
        found = Found(layout.times, writing(head, layout.times), found.aside)
    how = found.writing
    if how is not None and how.name == "day" and how.day_first is None:
        assert found.times is not None
        entry = next(iter(head[found.times.dataset]), "")
        raise SourceError(
            f"{path}: column {found.times.dataset}: is {entry!r} the day or the month first? say it under [times] in a "
            f'layout: dataset = "{found.times.dataset}", day_first = true or false'
        )
    return found


def _said_of(name: str, head: Head) -> str:
    """A column without numbers in a few words: of text, its states."""
    column = head.get(name)
    told = states(column) if column is not None and not isinstance(column, np.ndarray) else ""
    return f"{name} ({told})" if told else name


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _is_empty(kind: Any, name: str, known: set[str]) -> bool:
    """Whether a channel of the model has no value in the whole file."""
    return name in known and pa.types.is_null(kind)


def _numpy_type(kind: Any) -> Any:
    return np.float32 if pa.types.is_boolean(kind) or pa.types.is_null(kind) else kind.to_pandas_dtype()
