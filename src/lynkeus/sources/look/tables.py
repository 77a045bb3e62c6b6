"""What CSV and Parquet files hold: their columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.parquet import flat, rows_of
from lynkeus.sources.formats.text.dialect import Dialect
from lynkeus.sources.look.entries import CHANNEL, LABELS, TIMES, WEIGHTS, Entry

CALLED = {"int64": "whole numbers", "double": "numbers", "string": "text"}


def of_csv(path: Path, reader: Any) -> Iterator[Entry]:
    """Yield the columns of a CSV file, with the units that it gives."""
    dialect = Dialect.of(path) if reader is None else reader.dialect
    units = dict(zip(dialect.names, dialect.units, strict=False))
    for name in dialect.names:
        kind = str(reader.types[name]) if reader is not None else ""
        yield Entry(name, CALLED.get(kind, kind), unit=units.get(name, ""), role=_role(name, reader))


def of_parquet(path: Path, reader: Any) -> Iterator[Entry]:
    """Yield the columns of a Parquet file, fields of structs by their own."""
    try:
        with pq.ParquetFile(path) as file:
            schema, rows = flat(file.schema_arrow.empty_table()).schema, rows_of(file, path)
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: is not a complete Parquet file ({str(error).splitlines()[0]})") from error
    for field in schema:
        yield Entry(field.name, str(field.type), f"({rows},)", role=_role(field.name, reader))


def _role(name: str, reader: Any) -> str:
    if reader is None:
        return ""
    columns = reader.columns
    if name in columns.channels:
        return CHANNEL
    if columns.times is not None and name in columns.times.columns:
        return TIMES
    for role, own in ((LABELS, columns.truth), (WEIGHTS, columns.weight)):
        if name == own:
            return role
    if name in columns.aside:
        return f"set aside: {columns.aside[name]}"
    told = next((said for said in columns.left_out if said.partition(" (")[0] == name), "")
    return f"left out: {told.removeprefix(name).strip(' ()') or 'no numbers'}" if told else "not read"
