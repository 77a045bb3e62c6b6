"""A uniform sample of a stream of any length in memory that does not grow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from lynkeus.core import Floats, SchemaError, Source
from lynkeus.transforms.rows import rows_of


def reservoir(parts: Iterable[Floats], size: int, seed: int) -> Floats:
    """At most `size` rows of all parts (n, c), float64, in their order; how they are cut into parts does not matter.

    Every row draws a number and the smallest ones stay. Raises SchemaError where there are no rows.
    """
    rng = np.random.default_rng(seed)
    kept, draws = np.empty((0, 0)), np.empty(0)
    for part in parts:
        own = rng.random(len(part))
        low = own < (draws.max() if len(draws) >= size else np.inf)
        kept = np.concatenate([kept, part[low]]) if len(kept) else part[low].astype(np.float64)
        draws = np.concatenate([draws, own[low]])
        if len(draws) > size:
            stay = np.sort(np.argpartition(draws, size)[:size])
            kept, draws = kept[stay], draws[stay]
    if not len(kept):
        raise SchemaError("the source has no rows to learn from")
    return kept


def sample_rows(source: Source, size: int, seed: int) -> Floats:
    """At most `size` single rows (n, channel) of a table or of windows of one."""
    return reservoir(_rows(source), size, seed)


def _rows(source: Source) -> Iterator[Floats]:
    for batch in source:
        yield rows_of(batch)[0]
