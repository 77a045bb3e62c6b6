"""What the readers of tables share: is the file there, its times in ns, its rate, and a Batch from rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lynkeus.core.batch import Array, Batch, Floats, Schema, TimesNs
from lynkeus.core.errors import SchemaError, SourceError
from lynkeus.core.weights import check_weights
from lynkeus.sources.formats.layout import Layout, Times
from lynkeus.sources.formats.times.epochs import CLOCKS
from lynkeus.sources.formats.times.plausible import check_years

BATCH_ROWS = 6000
WEIGHT = "weight"  # as weights are usually called: a column of that name which nobody asked for is mentioned
RATE_ROWS = 100_000  # the rate is the median over at most this many first steps


def existing_file(path: str | Path) -> Path:
    """The path, if there is a file with at least one byte. Raises SourceError otherwise."""
    path = Path(path)
    if not path.exists():
        raise SourceError(f"{path}: no such file; check the path")
    if path.is_dir():
        raise SourceError(f"{path}: is a folder, not a file; name a file in it")
    if path.stat().st_size == 0:
        raise SourceError(f"{path}: the file is empty (0 bytes); copy it again from where it was written")
    return path


def table_schema(
    path: Path, names: Sequence[str], units: Sequence[str], rate_hz: float | None, layout: Layout
) -> Schema:
    """Schema of the table in a file; one unit for all channels is written once."""
    if not names:
        raise SourceError(f"{path}: holds no column of numbers; nothing to read")
    units = [unit or layout.unit for unit in units]
    shared = tuple(units[:1]) if len(set(units)) == 1 else tuple(units)
    try:
        return Schema(
            "table", tuple(names), () if shared == ("",) else shared, (len(names),), rate_hz, (), layout.instrument
        )
    except SchemaError as error:
        raise SourceError(f"{path}: {error}; check names, suffix and strip in the layout") from error


def times_in_ns(raw: Array, unit: str, where: str) -> TimesNs:
    """Times since 1970 as int64 ns; fractions are kept to the last ns that the number holds. Raises SourceError for
    what is no time, or one outside 1970 to 2100."""
    clock = CLOCKS[unit]
    if raw.dtype.kind in "iu":
        check_years(raw, unit, where)
        if float(clock.at_1970).is_integer():
            return (raw.astype(np.int64) - int(clock.at_1970)) * clock.ns
        raw = raw.astype(np.float64)
    if raw.dtype.kind != "f":
        raise SourceError(f"{where}: times must be numbers, got {raw.dtype}; name the right dataset in the layout")
    if not np.isfinite(raw).all():
        row = int(np.argmin(np.isfinite(raw)))
        raise SourceError(f"{where}: entry {row} is not a time (NaN or Inf); remove that row")
    check_years(raw, unit, where)
    raw = raw.astype(np.float64) - clock.at_1970 if clock.at_1970 else raw
    whole = np.floor(raw)
    fraction = np.rint((raw - whole) * clock.ns)
    return whole.astype(np.int64) * clock.ns + fraction.astype(np.int64)


def times_at_rate(times: Times, start: int, stop: int) -> TimesNs:
    """Times of the rows [start, stop) of a file that holds none, at the layout's fixed rate."""
    assert times.sample_rate_hz is not None
    return times.start_ns + np.rint(np.arange(start, stop) * (1e9 / times.sample_rate_hz)).astype(np.int64)


def rate_of(time_ns: TimesNs | None) -> float | None:
    """Rate from the median time step, or None where less than half of the steps are within 25 % of it."""
    if time_ns is None or len(time_ns) < 2:
        return None
    steps = np.diff(time_ns)
    median = float(np.median(steps))
    if median <= 0 or np.mean(np.abs(steps - median) <= 0.25 * median) < 0.5:
        return None
    return 1e9 / median


def as_floats(values: Array) -> Floats:
    """As float32, or float64 where float32 could not hold them (float64, 32- and 64-bit integers)."""
    return values.astype(np.result_type(values.dtype, np.float32), copy=False)


def weights_of(raw: Array, where: str, first: int) -> Floats:
    """Weights of rows as float64; row `first` of the file comes first. Raises SourceError for what is no weight."""
    try:
        check_weights(raw)
    except SchemaError as error:
        raise SourceError(f"{where}, from row {first} on: {error}") from error
    return raw.astype(float)


def ask_for_weights(path: Path, read: str) -> str:
    """What to say of a file with something called `weight` that nobody asked for."""
    return f"{path}: {WEIGHT} is {read}; if it says how much a row counts, name it: --weights {WEIGHT}"


def table_batch(
    schema: Schema, values: Array, time_ns: TimesNs | None, truth: Array | None, first: int,
    weight: Array | None = None,
) -> Batch:  # fmt: skip
    """Rows of one file as a Batch; `first` is the row in the file, kept as meta `position`. Images stay bytes."""
    position = np.arange(first, first + len(values))
    values = values if schema.kind == "image" else as_floats(values)
    return Batch(schema, values, time_ns, truth=truth, weight=weight, meta={"position": position})


def counted(number: int, what: str) -> str:
    """A number with its noun: 1 column, 2 columns."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names for an error message, cut after a few."""
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") or "nothing"
