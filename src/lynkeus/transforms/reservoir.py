"""A sample of a stream of any length in memory that does not grow: uniform, or by the weights of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from lynkeus.core import Array, Batch, Floats, SchemaError, Source
from lynkeus.transforms.rows import rows_of

Weighted = tuple[Array, Floats | None]  # rows (n, ...) and their weights (n,), None: each counts once


def reservoir(parts: Iterable[Array], size: int, seed: int) -> Array:
    """Return a uniform sample of at most `size` rows of all parts (n, ...), in their order; how they are cut into parts
    does not matter.

    Every row draws a number and the smallest ones stay. Raises SchemaError where there are no rows.
    """
    return weighted_reservoir(((part, None) for part in parts), size, seed)[0]


def weighted_reservoir(parts: Iterable[Weighted], size: int, seed: int) -> Weighted:
    """Return a sample as `reservoir` does, of rows with weights, and the weights that the rows now stand for (None:
    there were none).

    A row draws a number over its weight, so that heavy ones stay; one lighter than the border stands for as much as
    that (priority sampling, Duffield, Lund & Thorup 2007): sums of weights are right on average. Rows of weight 0 are
    not there. Raises SchemaError also where some parts have weights and others none.
    """
    rng = np.random.default_rng(seed)
    kept: Array | None = None
    weighted = False
    draws, places, heavy, border, seen = np.empty(0), np.empty(0, np.intp), np.empty(0), np.inf, 0
    for part, weight in parts:
        if kept is None:
            kept = np.empty((size, *part.shape[1:]), part.dtype)  # memory is taken only as rows come
            weighted = weight is not None
        if weighted != (weight is not None):
            raise SchemaError(
                "some batches have weights, others none; give all of them weights, 1 where one counts once"
            )
        part, own_weight = (part, np.ones(len(part))) if weight is None else (part[weight > 0], weight[weight > 0])
        own = rng.random(len(part)) / own_weight
        room = size - len(draws)
        kept[len(draws) : size][: len(part)] = part[:room]
        draws, late = np.concatenate([draws, own[:room]]), np.arange(room, len(part))
        places = np.concatenate([places, seen + np.arange(min(room, len(part)))])
        heavy = np.concatenate([heavy, own_weight[:room]])
        if len(late):
            both = np.concatenate([draws, own[late]])
            order = np.argpartition(both, size - 1)
            stay, border = order[:size], min(border, both[order[size:]].min())
            goes = np.ones(size, bool)
            goes[stay[stay < size]] = False
            new, gone = late[stay[stay >= size] - size], np.flatnonzero(goes)
            kept[gone], draws[gone], places[gone], heavy[gone] = part[new], own[new], seen + new, own_weight[new]
        seen += len(part)
    if kept is None or not seen:
        raise SchemaError("the source has no rows to learn from")
    order = np.arange(len(draws)) if seen <= size else np.argsort(places)
    found = kept[: len(draws)] if seen <= size else kept[order]
    return found, np.maximum(heavy, 1.0 / border)[order] if weighted else None


def copies_by_weight(rows: Array, weight: Floats, seed: int) -> Array:
    """Return as many rows as there are, each as often as its share of the weight says, rounded up or down.

    At evenly spaced places along the sum of the weights (systematic sampling, Madow 1949).
    """
    reached = np.cumsum(weight)
    places = (np.arange(len(rows)) + np.random.default_rng(seed).random()) / len(rows) * reached[-1]
    return rows[np.minimum(np.searchsorted(reached, places, "right"), len(rows) - 1)]


def sample_rows(source: Source, size: int, seed: int) -> Floats:
    """Return a sample of at most `size` single rows (n, channel) of a table or of windows of one."""
    return reservoir((rows for rows, _ in _rows(source)), size, seed)


def weighted_rows(source: Source, size: int, seed: int) -> Weighted:
    """Return a sample as `sample_rows` does, with the weights of the rows; those of a window have its own."""
    return weighted_reservoir(_rows(source), size, seed)


def row_weights(batch: Batch, length: int) -> Floats | None:
    """Return the weights (n * length,) of the rows of samples of that length."""
    return None if batch.weight is None else np.repeat(np.asarray(batch.weight, float), length)


def _rows(source: Source) -> Iterator[Weighted]:
    for batch in source:
        rows, length = rows_of(batch)
        yield rows.astype(np.float64), row_weights(batch, length)
