"""A uniform sample of a stream of any length in memory that does not grow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from lynkeus.core import Array, Floats, SchemaError, Source
from lynkeus.transforms.rows import rows_of


def reservoir(parts: Iterable[Array], size: int, seed: int) -> Array:
    """At most `size` rows of all parts (n, ...), in their order; how they are cut into parts does not matter.

    Every row draws a number and the smallest ones stay. Raises SchemaError where there are no rows.
    """
    rng = np.random.default_rng(seed)
    kept: Array | None = None
    draws, places, seen = np.empty(0), np.empty(0, np.intp), 0
    for part in parts:
        if kept is None:
            kept = np.empty((size, *part.shape[1:]), part.dtype)  # memory is taken only as rows come
        own = rng.random(len(part))
        room = size - len(draws)
        kept[len(draws) : size][: len(part)] = part[:room]
        draws, late = np.concatenate([draws, own[:room]]), np.arange(room, len(part))
        places = np.concatenate([places, seen + np.arange(min(room, len(part)))])
        if len(late):
            stay = np.argpartition(np.concatenate([draws, own[late]]), size - 1)[:size]
            goes = np.ones(size, bool)
            goes[stay[stay < size]] = False
            new, gone = late[stay[stay >= size] - size], np.flatnonzero(goes)
            kept[gone], draws[gone], places[gone] = part[new], own[new], seen + new
        seen += len(part)
    if kept is None or not seen:
        raise SchemaError("the source has no rows to learn from")
    return kept[: len(draws)] if seen <= size else kept[np.argsort(places)]


def sample_rows(source: Source, size: int, seed: int) -> Floats:
    """At most `size` single rows (n, channel) of a table or of windows of one."""
    return reservoir(_rows(source), size, seed)


def _rows(source: Source) -> Iterator[Floats]:
    for batch in source:
        yield rows_of(batch)[0].astype(np.float64)
