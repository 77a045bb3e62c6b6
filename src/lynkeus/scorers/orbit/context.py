"""Channels that cause: what `orbit` expects of the orbit when a magnet, a feedback or the mode of the machine changes.

A cause is a number (a magnet current) or a mode (few whole numbers that seldom change). What each does to every channel
is learned from the reference by changes: from one short block to the next, so that slow drift does not count, a change
of the orbit is regressed on the changes of the causes, and what is not sure is nothing. Rows are then looked at less
what the causes explain. A mode has the orbit of its own as reference so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Batch, Floats, Schema, SettingsError, Source
from lynkeus.transforms.rows import rows_of

BLOCK_SHOTS = 60  # of which a median is taken; a step inside a block is in the one of its larger part
MOST_MODES = 8
SELDOM = 0.01  # share of the shots at which a mode changes, at most
SURE = 6.0  # standard errors; what a cause does to a channel is nothing below
LEAST_CHANGES = 2  # of a cause in the reference; with fewer it is not known what it does


@dataclass(frozen=True)
class Context:
    """`causes` (k,) among the channels of `whole`, whose others are those of `schema`; `centre` (k,) and `spread` (k,)
    of each cause, or its `modes` (NaN-padded, (k, MOST_MODES)) where it has any; `effect` (features, c) of one spread,
    or of one mode."""

    whole: Schema
    causes: npt.NDArray[np.int64]
    centre: Floats
    spread: Floats
    modes: Floats
    effect: Floats

    @property
    def orbit(self) -> npt.NDArray[np.int64]:
        """Return the channels that are no causes."""
        return np.setdiff1d(np.arange(len(self.whole.names)), self.causes)

    @property
    def schema(self) -> Schema:
        """Return the schema without the causes."""
        units = self.whole.units
        kept = self.orbit.tolist()
        own = tuple(units[channel] for channel in kept) if len(units) == len(self.whole.names) else units
        names = tuple(self.whole.names[channel] for channel in kept)
        return replace(self.whole, names=names, units=own, shape=(len(kept), *self.whole.shape[1:]))

    @classmethod
    def fit(cls, source: Source, patterns: Sequence[str]) -> Self:
        """Learn what the channels named by patterns do. Raises SettingsError for a pattern of none, or of all."""
        names = source.schema.names
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise SettingsError(
                    f"--context {pattern}: no channel that moves is called so; there is {names[0]}, ..."
                )
        found = [k for k, name in enumerate(names) if any(fnmatchcase(name, pattern) for pattern in patterns)]
        if len(found) == len(names):
            raise SettingsError(f"--context {' '.join(patterns)}: that is every channel, none is left to watch")
        causes = np.array(found, np.int64)
        modes = _modes(source, causes)
        blocks = np.concatenate(list(_medians(source)))
        centre = np.nanmedian(blocks[:, causes], axis=0)
        spread = np.maximum(np.nanstd(blocks[:, causes], axis=0), 1e-12)
        empty = np.zeros((0, len(names) - len(found)))
        first = cls(source.schema, causes, centre, spread, modes, empty)
        effect = _effect(first._features(blocks[:, causes]), blocks[:, first.orbit])
        return replace(first, effect=effect)

    def without_causes(self, batch: Batch) -> Batch:
        """Return a batch of the other channels, less what the causes explain."""
        if batch.schema.kind == "table":
            expected = self._features(batch.values[:, self.causes]) @ self.effect
            return replace(batch, schema=self.schema, values=_less(batch.values[:, self.orbit], expected))
        values = batch.values.transpose(0, 2, 1)
        expected = self._features(values[:, :, self.causes].reshape(-1, len(self.causes))) @ self.effect
        left = _less(values[:, :, self.orbit], expected.reshape(*values.shape[:2], -1))
        return replace(batch, schema=self.schema, values=np.ascontiguousarray(left.transpose(0, 2, 1)))

    def like(self, evidence: Floats) -> Floats:
        """Return evidence of the other channels in the shape of whole batches; causes have none."""
        shape = (len(evidence), len(self.whole.names), *evidence.shape[2:])
        whole = np.zeros(shape, evidence.dtype)
        whole[:, self.orbit] = evidence
        return whole

    def to_arrays(self) -> dict[str, Array]:
        """Return it as arrays for a model folder, which has the whole schema already."""
        names = ("causes", "centre", "spread", "modes", "effect")
        return {f"context.{name}": np.asarray(getattr(self, name)) for name in names}

    @classmethod
    def from_arrays(cls, whole: Schema, arrays: dict[str, Array]) -> Self | None:
        """Return what `to_arrays` was called on; None where there is no context."""
        if "context.causes" not in arrays:
            return None
        names = ("causes", "centre", "spread", "modes", "effect")
        return cls(whole, *(arrays[f"context.{name}"] for name in names))

    def _features(self, causes: Floats) -> Floats:
        """Return (n, features): each number in spreads from its centre, one column for each mode; a value that misses,
        or a mode that is not known, does nothing."""
        columns = []
        for k in range(len(self.causes)):
            modes = self.modes[k][np.isfinite(self.modes[k])]
            if len(modes):
                columns.append((causes[:, k, None] == modes).astype(float))
            else:
                columns.append(np.nan_to_num((causes[:, k, None] - self.centre[k]) / self.spread[k]))
        return np.concatenate(columns, axis=1)


@dataclass(frozen=True)
class WithoutCauses:
    """A Source of the channels that are no causes, less what these explain."""

    source: Source
    context: Context

    @property
    def schema(self) -> Schema:
        """Return the schema without the causes."""
        return self.context.schema

    def __iter__(self) -> Iterator[Batch]:
        return (self.context.without_causes(batch) for batch in self.source)


def _less(values: Floats, expected: Floats) -> Floats:
    return (values - expected).astype(values.dtype)


def _modes(source: Source, causes: npt.NDArray[np.int64]) -> Floats:
    """Return the modes (k, MOST_MODES) of the causes that have any, NaN elsewhere."""
    found: list[Any] = [set() for _ in causes]
    changes, rows = np.zeros(len(causes)), 0
    for batch in source:
        part = rows_of(batch)[0][:, causes].astype(float)
        changes += (np.diff(part, axis=0) != 0).sum(axis=0)
        rows += len(part)
        for k, known in enumerate(found):
            if len(known) <= MOST_MODES:
                known.update(np.unique(part[np.isfinite(part[:, k]), k])[: MOST_MODES + 1].tolist())
    modes = np.full((len(causes), MOST_MODES), np.nan)
    for k, known in enumerate(found):
        whole = all(float(value).is_integer() for value in known)
        if whole and 2 <= len(known) <= MOST_MODES and changes[k] <= max(SELDOM * rows, LEAST_CHANGES):
            modes[k, : len(known)] = sorted(known)
    return modes


def _medians(source: Source) -> Iterator[Floats]:
    """Yield the medians (n, channel) of blocks of shots; of a last short one too."""
    held: list[Floats] = []
    count = 0
    for batch in source:
        held.append(rows_of(batch)[0].astype(float))
        count += len(held[-1])
        if count >= BLOCK_SHOTS:
            rows = np.concatenate(held)
            whole = count // BLOCK_SHOTS * BLOCK_SHOTS
            yield np.nanmedian(rows[:whole].reshape(-1, BLOCK_SHOTS, rows.shape[1]), axis=1)
            held, count = [rows[whole:]], count - whole


def _effect(features: Floats, orbit: Floats) -> Floats:
    """Return (features, c): what a unit of each feature adds to each channel, by changes from block to block."""
    change, moved = np.diff(features, axis=0), np.nan_to_num(np.diff(orbit, axis=0))
    often = (np.abs(change) > 1e-9).sum(axis=0) >= LEAST_CHANGES
    effect = np.zeros((features.shape[1], orbit.shape[1]))
    if not often.any():
        return effect
    used = change[:, often]
    inverse = np.linalg.pinv(used.T @ used, rcond=1e-8, hermitian=True)  # modes sum to one: their changes to nothing
    found = inverse @ used.T @ moved
    left = moved - used @ found
    noise = 1.4826 * np.median(np.abs(left - np.median(left, axis=0)), axis=0)
    error = np.sqrt(np.maximum(np.diag(inverse), 0.0))[:, None] * np.maximum(noise, 1e-12)
    effect[often] = np.where(np.abs(found) > SURE * error, found, 0.0)
    return effect
