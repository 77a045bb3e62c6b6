"""Sequences: each pulse with those of the same cavity before it, however a stream is cut into batches.

A pause, or a number that goes back, begins a new sequence; the first pulses have as many before them as there are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Batch

Rows = npt.NDArray[np.intp]

MOST_APART = 10  # pulse numbers: one second at 10 Hz; after a longer pause a new sequence begins


class PulseHistory(NamedTuple):
    """Pulses (k, ...) of one cavity with their numbers (k,), the oldest first."""

    pid: Array
    values: Array


Recent = dict[str, PulseHistory]  # by cavity: what the next pulse follows on


class Sequences(NamedTuple):
    """`pool` (m, ...): the pulses of a batch and some before them, and one of NaN; `rows` (n, length) into it: each
    pulse of the batch, last, and those before it, the pulse of NaN where there is none; `recent` after the batch."""

    pool: Array
    rows: Rows
    recent: Recent


def sequences_of(batch: Batch, values: Array, length: int, recent: Recent) -> Sequences:
    """The sequences of the pulses of a batch, with `values` (n, ...) floats in place of its own.

    `recent`: what the batch before left. The cavity and the number of each pulse are the batch's meta `cavity` and
    `pid`; without them all are of one cavity, without a pause.
    """
    n = len(batch)
    cavity = np.asarray(batch.meta.get("cavity", np.full(n, "")))
    pid = np.asarray(batch.meta.get("pid", np.zeros(n)), np.int64)
    index: Rows = np.full((n, length), -1, np.intp)
    parts, size, after = [values], n, dict(recent)
    for name in np.unique(cavity).tolist():
        own = np.flatnonzero(cavity == name)
        before = recent.get(name, PulseHistory(pid[:0], values[:0]))
        known = len(before.pid)
        rows = np.concatenate([size + np.arange(known), own])
        numbers = np.concatenate([before.pid, pid[own]])
        order, steps = np.arange(len(rows)), np.diff(numbers, prepend=numbers[:1])
        start = np.maximum.accumulate(np.where((steps < 0) | (steps > MOST_APART), order, 0))
        found = order[:, None] + np.arange(1 - length, 1)
        index[own] = np.where(found >= start[:, None], rows[np.maximum(found, 0)], -1)[known:]
        parts.append(before.values)
        size += known
        held = slice(max(start[-1], len(rows) - length + 1), None)
        after[name] = PulseHistory(numbers[held].copy(), np.concatenate([before.values, values[own]])[held])
    none = np.full((1, *values.shape[1:]), np.nan, values.dtype)
    return Sequences(np.concatenate([*parts, none]), index, after)
