"""Window and Accumulate: time integration as a Source, before any scorer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from lynkeus.core.batch import Array, Batch, Schema, concatenate
from lynkeus.core.errors import SchemaError, SettingsError
from lynkeus.core.protocols import Source
from lynkeus.sources.wrappers.wrapper import Wrapper

MAX_GAP_S = 5.0  # or GAP_SAMPLES, where rows are rarer than that
GAP_SAMPLES = 2.5


class Window(Wrapper):
    """Rows of a table cut into windows: (n, column) becomes (m, channel, time = length).

    A new window begins every `stride` rows (by default `length`: windows do not overlap). No window reaches over a
    gap longer than `max_gap_s` (of slow data: 2.5 rows), nor where time goes backwards; otherwise rows are taken as
    they come. `time_ns` is the start; meta `end_ns` is exclusive, `done_ns` is the time of the last row that no later
    window needs, `position` is the first row, `fault_fraction` the share of rows that are not normal. `truth` is the
    most frequent label, if at least half of the rows have it, `weight` the mean of the rows' weights. Values are
    views of the rows. `len` is exact where there are no gaps, otherwise a little too high.
    """

    def __init__(self, source: Source, length: int, stride: int | None = None, max_gap_s: float = MAX_GAP_S) -> None:
        rows = source.schema
        if rows.kind != "table":
            raise SchemaError(f"Window needs rows of a table, this source has {rows.kind}s; leave --window out")
        super().__init__(source, replace(rows, kind="waveform", shape=(rows.shape[0], length)))
        self.length, self.stride = _checked(length, stride or length)
        self.max_gap_s = _widest(max_gap_s, rows)

    def __len__(self) -> int:
        return _count(len(self.source), self.length, self.stride)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        for rows, starts in consecutive(self.source, self.length, self.stride, self.max_gap_s):
            cut = _windows(rows.values, starts, self.length)  # (m, channel, time)
            yield _joined(rows, starts, (self.length, self.stride), cut, self.schema)


class Accumulate(Wrapper):
    """The mean of each `n` consecutive samples of any kind, by their weights; NaN is left out. Gaps and the weight of
    what comes out are as by Window."""

    def __init__(self, source: Source, n: int, max_gap_s: float = MAX_GAP_S) -> None:
        self.n, _ = _checked(n, n)
        schema = source.schema
        if schema.kind == "table" and schema.sample_rate_hz:
            schema = replace(schema, sample_rate_hz=schema.sample_rate_hz / n)
        super().__init__(source, schema)
        self.max_gap_s = _widest(max_gap_s, source.schema)

    def __len__(self) -> int:
        return _count(len(self.source), self.n, self.n)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        for rows, starts in consecutive(self.source, self.n, self.n, self.max_gap_s):
            cut = _windows(rows.values, starts, self.n)
            weight = None if rows.weight is None else _windows(rows.weight, starts, self.n)
            yield _joined(rows, starts, (self.n, self.n), _mean(cut, weight), self.schema)


def _widest(max_gap_s: float, rows: Schema) -> float:
    """A metric that comes every five minutes has no gap between two rows."""
    return max(max_gap_s, GAP_SAMPLES / rows.sample_rate_hz) if rows.sample_rate_hz else max_gap_s


def consecutive(source: Source, length: int, stride: int, max_gap_s: float) -> Iterator[tuple[Batch, Array]]:
    """Rows together with the indices in them at which a window of `length` rows begins; carries over batch borders."""
    held: Batch | None = None
    first = 0
    for batch in source:
        if "position" not in batch.meta:
            batch = replace(batch, meta=dict(batch.meta) | {"position": np.arange(first, first + len(batch))})
        first += len(batch)
        rows = batch if held is None else concatenate([held, batch])
        starts, rest = _starts(rows, length, stride, max_gap_s)
        held = rows[rest:] if rest < len(rows) else None
        if len(starts):
            yield rows, starts


def _starts(rows: Batch, length: int, stride: int, max_gap_s: float) -> tuple[Array, int]:
    """Return where windows begin, and the first row that a later window still needs."""
    borders = [0, len(rows)]
    if rows.time_ns is not None:
        steps = np.diff(rows.time_ns)
        borders[1:1] = (np.flatnonzero((steps > max_gap_s * 1e9) | (steps < 0)) + 1).tolist()
    starts = [np.arange(begin, end - length + 1, stride) for begin, end in pairwise(borders)]
    rest = int(starts[-1][-1]) + stride if len(starts[-1]) else borders[-2]
    return np.concatenate(starts), rest


def _windows(column: Array, starts: Array, length: int) -> Array:
    """Return (m, *shape, length): a view where the windows are evenly spaced, which they are unless there was a gap."""
    every = sliding_window_view(column, length, axis=0)
    step = int(starts[1] - starts[0]) if len(starts) > 1 else 1
    if int(starts[-1] - starts[0]) == step * (len(starts) - 1) and (len(starts) < 3 or (np.diff(starts) == step).all()):
        return every[starts[0] : starts[-1] + 1 : step]
    return every[starts]


def _joined(rows: Batch, starts: Array, size: tuple[int, int], values: Array, schema: Schema) -> Batch:
    """The batch of windows of (length, stride): their values, and what their rows say about time, truth and origin."""
    length, stride = size
    meta = {name: column[starts] for name, column in rows.meta.items()}
    truth = time_ns = None
    if rows.time_ns is not None:
        time_ns = rows.time_ns[starts]
        meta["end_ns"] = _end_ns(rows, starts, length)
        meta["done_ns"] = rows.time_ns[starts + stride - 1]
    if rows.truth is not None:
        truth, meta["fault_fraction"] = _majority(_windows(rows.truth, starts, length))
    weight = None if rows.weight is None else _windows(rows.weight, starts, length).mean(axis=1)
    return Batch(schema, values, time_ns, truth=truth, weight=weight, meta=meta)


def _end_ns(rows: Batch, starts: Array, length: int) -> Array:
    last = starts + length - 1
    if "end_ns" in rows.meta:
        return rows.meta["end_ns"][last]
    assert rows.time_ns is not None
    if rows.schema.kind == "table" and rows.schema.sample_rate_hz:
        return rows.time_ns[last] + round(1e9 / rows.schema.sample_rate_hz)
    mean_step = (rows.time_ns[last] - rows.time_ns[starts]) // max(length - 1, 1)
    return rows.time_ns[last] + np.maximum(mean_step, 1)


def _majority(truth: Array) -> tuple[Array, Array]:
    """Return for (m, length) labels the most frequent fault, if at least half of the rows have it, and the share of
    faults."""
    length = truth.shape[1]
    winner, most = np.zeros(len(truth), truth.dtype), np.zeros(len(truth), int)
    faulty = (truth != 0).sum(axis=1)
    for label in np.unique(truth[truth != 0]):
        count = (truth == label).sum(axis=1)
        better = (count > most) & (2 * count >= length)
        winner[better], most[better] = label, count[better]
    return winner, faulty / length


def _mean(cut: Array, weight: Array | None = None) -> Array:
    """Over the last axis; `weight` (m, length)."""
    valid = ~np.isnan(cut)
    kind = cut.dtype if cut.dtype.kind == "f" else np.dtype(float)
    if weight is None and valid.all():
        return cut.mean(axis=-1, dtype=float).astype(kind)
    counted = valid if weight is None else valid * weight.reshape(len(weight), *[1] * (cut.ndim - 2), -1)
    count = counted.sum(axis=-1, dtype=float)
    total = (np.where(valid, cut, 0) * counted).sum(axis=-1, dtype=float)
    return np.where(count > 0, total / np.where(count > 0, count, 1), np.nan).astype(kind)


def _count(rows: int, length: int, stride: int) -> int:
    return max(0, (rows - length) // stride + 1)


def _checked(length: int, stride: int) -> tuple[int, int]:
    if length < 1:
        raise SettingsError(f"a window needs at least one row, got length {length}")
    if not 1 <= stride <= length:
        raise SettingsError(f"stride must be from 1 to the window's length {length}, got {stride}")
    return length, stride
