"""Jitter: how much each channel of good data moves by itself; sizes of planted faults are counted in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lynkeus.core import Floats, SchemaError, Source, SourceError

BLOCK = 600  # rows within which drift is taken for small
CLIP = 4.0  # jitters; an outlier shall not turn the principal directions
DIRECTIONS = 6


@dataclass(frozen=True)
class Jitter:
    """`jitter`, `centre` (c,) in the unit of the data; `directions` (k, c): the strongest ways in which all channels
    move together, strongest first, each scaled so that its most disturbed channel moves by its jitter; `rows` seen."""

    jitter: Floats
    centre: Floats
    directions: Floats = field(repr=False)
    rows: int

    def mixture(self, rng: np.random.Generator) -> Floats:
        """(c,) a random mixture of the directions, scaled like them."""
        return _scaled(rng.standard_normal(len(self.directions)) @ self.directions, self.jitter)


def measure_jitter(source: Source, live: npt.NDArray[np.bool_]) -> Jitter:
    """One streaming pass: medians over blocks of 600 rows, so that neither drift nor a few incidents count.

    `live` (c,): channels that may take part in a direction. Raises SchemaError where the source is no table and
    SourceError where it is shorter than a block.
    """
    if source.schema.kind != "table":
        raise SchemaError(f"faults are planted into rows of a table, this source has {source.schema.kind}s")
    spreads, middles, rows = [], [], 0
    together = np.zeros((len(live), len(live)))
    for block in _blocks(source):
        rows += len(block)
        if len(block) < BLOCK:
            break
        valid = np.isfinite(block)
        enough = valid.sum(axis=0) > BLOCK // 2
        deviation = np.where(valid & enough, block - _median(block, enough), 0.0)
        spread = np.sqrt((deviation**2).sum(axis=0) / np.maximum(valid.sum(axis=0), 1))
        spreads.append(np.where(enough, spread, np.nan))
        middles.append(np.where(enough, _median(block, enough), np.nan))
        z = np.clip(deviation / np.where(spread > 0, spread, 1.0), -CLIP, CLIP) * live
        together += z.T @ z
    if not spreads:
        raise SourceError(f"only {rows} rows: commissioning needs at least one block of {BLOCK} rows of good data")
    jitter, centre = (_median(values, ~np.isnan(values).all(axis=0)) for values in map(np.array, (spreads, middles)))
    vectors = np.linalg.eigh(together)[1][:, ::-1][:, :DIRECTIONS].T * jitter
    return Jitter(jitter, centre, np.array([_scaled(vector, jitter) for vector in vectors]), rows)


def _median(values: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    """(c,) median over rows without NaN; 0 where a channel is not known."""
    return np.asarray(np.nanmedian(np.where(known, values, 0.0), axis=0))


def _scaled(pattern: Floats, jitter: Floats) -> Floats:
    disturbed = np.abs(pattern) / np.where(jitter > 0, jitter, np.inf)
    return np.asarray(pattern / max(float(disturbed.max()), 1e-12))


def _blocks(source: Source) -> Iterator[Floats]:
    """Blocks of 600 consecutive rows as floats, and the shorter rest."""
    held: list[Floats] = []
    count = 0
    for batch in source:
        held.append(batch.values.astype(float))
        count += len(batch)
        if count >= BLOCK:
            rows = np.concatenate(held)
            whole = count // BLOCK * BLOCK
            yield from rows[:whole].reshape(-1, BLOCK, rows.shape[1])
            held, count = [rows[whole:]], count - whole
    if count:
        yield np.concatenate(held)
