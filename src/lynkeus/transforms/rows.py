"""Tables and windows of tables as rows: every statistic of single shots sees one shape."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Array, Batch, Floats, SchemaError


def rows_of(batch: Batch) -> tuple[Floats, int]:
    """Rows (n * length, channel) in time order, and length: shots per sample (1 for a table).

    A window that was cut from contiguous rows is not copied.
    """
    if batch.schema.kind == "table":
        return batch.values, 1
    if batch.schema.kind == "waveform":
        n, channels, length = batch.values.shape
        return batch.values.transpose(0, 2, 1).reshape(n * length, channels), length
    raise SchemaError(f"this scorer reads tables or windows of tables, not a {batch.schema.kind}")


def fold(rows: Array, length: int) -> Array:
    """Rows (n * length, channel) as samples (n, length, channel)."""
    return rows.reshape(-1, length, rows.shape[1])


def like_values(batch: Batch, folded: Floats) -> Floats:
    """Numbers (n, length or 1, channel) in the shape of `values`; one number per sample is given to every shot."""
    if batch.schema.kind == "table":
        return folded[:, 0, :]
    return np.broadcast_to(folded, (len(folded), batch.values.shape[2], folded.shape[2])).transpose(0, 2, 1).copy()
