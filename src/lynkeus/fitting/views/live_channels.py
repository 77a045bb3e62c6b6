"""Which channels carry a signal: constant, dead and NaN channels are set aside with a reason, and watched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Batch, Floats, Schema, SchemaError, Source
from lynkeus.fitting.views.flatlines import LEAST, TIMES, Flatlines
from lynkeus.transforms.rows import rows_of

MOSTLY_MISSING = 0.5
RISES = "rises with every row, as what counts does"
FALLS = "falls by the same number with every row, as what counts down does"
ENOUGH = 100  # rows after which that is no chance
WINDOWS = 5  # through which a channel that is dead or stuck gives nothing new


@dataclass(frozen=True)
class LiveChannels:
    """`names` of all channels, `live` (c,) bool; `asleep`: name -> why it is set aside; `resting` (c,): the value a
    constant channel had (NaN: it gave none); `steady` (c,): for how many rows at most each gave no new value in the
    reference, infinite where that is not known. Those of images are all alive."""

    names: tuple[str, ...]
    live: npt.NDArray[np.bool_]
    resting: Floats
    asleep: Mapping[str, str] = field(default_factory=dict)
    steady: Floats = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if len(self.steady) != len(self.names):  # an earlier version wrote it
            object.__setattr__(self, "steady", np.full(len(self.names), np.inf))

    def flatlines(self, window: int) -> Flatlines:
        """Return what looks for live channels that are dead or stuck, for a model of windows of so many rows."""
        least = max(LEAST, WINDOWS * window)
        return Flatlines(np.maximum(TIMES * self.steady[self.live], least), least)

    @classmethod
    def fit(cls, source: Source, constants: bool = False) -> Self:
        """One streaming pass. `constants`: channels that never change stay; what rises with every row of a table, a
        counter or a clock, never does. Raises SchemaError where none is alive."""
        if source.schema.kind == "image":
            names = source.schema.names
            return cls(names, np.ones(len(names), bool), np.full(len(names), np.nan))
        low: Floats | None = None
        rows, rising, flat = 0, _Rising(), Flatlines(np.zeros(0))
        for batch in source:
            flat = flat if flat.rows else Flatlines(np.full(batch.values.shape[1], np.inf))
            flat.add(batch)
            values, _ = rows_of(batch)
            if not len(values):
                continue
            rising.add(values)
            finite = np.isfinite(values)
            below, above = np.where(finite, values, np.inf).min(axis=0), np.where(finite, values, -np.inf).max(axis=0)
            if low is None:
                low, high, missing = below, above, (~finite).sum(axis=0)
            else:
                low, high, missing = np.minimum(low, below), np.maximum(high, above), missing + (~finite).sum(axis=0)
            rows += len(values)
        if low is None:
            raise SchemaError("the source has no rows to learn from")
        counts = rising.reasons() if rows >= ENOUGH and source.schema.kind == "table" else {}
        found = cls._from_extremes(source.schema, (low, high), missing / rows, counts, constants)
        return replace(found, steady=flat.steady)

    @classmethod
    def _from_extremes(
        cls,
        schema: Schema,
        span: tuple[Floats, Floats],
        missing: Floats,
        counts: Mapping[int, str],
        constants: bool,
    ) -> Self:
        low, high = span
        names = schema.names or tuple(f"column {index}" for index in range(len(low)))
        reasons = {}
        for index, name in enumerate(names):
            if index in counts:
                reasons[name] = counts[index]
            elif missing[index] > MOSTLY_MISSING:
                reasons[name] = f"{missing[index]:.0%} of its values are missing"
            elif low[index] == high[index] and not constants:
                reasons[name] = f"constant at {low[index]:g}"
        live = np.array([name not in reasons for name in names])
        if not live.any() or (low == high).all():
            raise SchemaError(
                f"none of the {len(names)} channels carries a signal: all are constant, missing, or only count; give "
                "data in which one moves"
            )
        return cls(tuple(names), live, np.where(low == high, low, np.nan).astype(np.float64), reasons)

    def schema(self, schema: Schema) -> Schema:
        """Return the schema of what `select` gives."""
        if self.live.all():
            return schema
        names = tuple(name for name, alive in zip(self.names, self.live, strict=True) if alive)
        units = schema.units
        if len(units) > 1:
            units = tuple(unit for unit, alive in zip(units, self.live, strict=True) if alive)
        return replace(schema, names=names, units=units, shape=(len(names), *schema.shape[1:]))

    def select(self, batch: Batch) -> Batch:
        """The live channels of a batch of rows or windows."""
        if self.live.all():
            return batch
        return batch.with_values(batch.values[:, self.live], self.schema(batch.schema))

    def awake(self, batch: Batch) -> tuple[str, ...]:
        """Names of channels that were set aside and now change."""
        if self.live.all() or not len(batch):
            return ()
        values = rows_of(batch)[0][:, ~self.live]
        resting = self.resting[~self.live].astype(values.dtype)
        with np.errstate(invalid="ignore"):
            moved = np.isfinite(values) & ~(values == resting)
        changes = moved.any(axis=0) & (values != values[0]).any(axis=0)
        names = np.array(self.names)[~self.live]
        return tuple(str(name) for name in names[changes] if self.asleep.get(str(name)) not in (RISES, FALLS))

    def spread(self, evidence: Array) -> Array:
        """Evidence (n, live, ...) of the live channels as (n, all, ...), 0 for those set aside."""
        if self.live.all():
            return evidence
        whole = np.zeros((len(evidence), len(self.names), *evidence.shape[2:]), evidence.dtype)
        whole[:, self.live] = evidence
        return whole

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        resting = [None if np.isnan(value) else float(value) for value in self.resting]
        steady = [int(rows) if np.isfinite(rows) else None for rows in self.steady]
        about = {"names": self.names, "live": self.live.tolist(), "resting": resting, "asleep": dict(self.asleep)}
        return about | {"steady": steady}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Rebuild it from what `to_dict` returned."""
        resting = np.array([np.nan if value is None else value for value in fields["resting"]], float)
        steady = np.array([np.inf if rows is None else rows for rows in fields.get("steady", ())], float)
        names, live = tuple(fields["names"]), np.array(fields["live"], bool)
        if not live.shape == resting.shape == (len(names),) or steady.ndim != 1:
            raise ValueError(f"channels: {len(names)} names, but entries of the shapes {live.shape}, {resting.shape}")
        asleep = dict(fields["asleep"])
        if not {name for name, alive in zip(names, live, strict=True) if not alive} <= asleep.keys():
            raise ValueError("channels: it is not said why some are set aside")
        return cls(names, live, resting, asleep, steady)


class _Rising:
    """Which columns of a stream of rows rise from every row to the next, or all fall by the same whole number, as what
    counts down."""

    def __init__(self) -> None:
        self.columns = np.zeros(0, bool)
        self._step: Floats = np.zeros(0)
        self._last: Floats | None = None

    def add(self, values: Array) -> None:
        """Look at the next rows (n, c)."""
        if self._last is None:
            self.columns = np.ones(values.shape[1], bool)
            self._step = values[1] - values[0] if len(values) > 1 else np.zeros(values.shape[1])
            self._step = np.where(self._step == np.floor(self._step), self._step, 0.0)
        else:
            self.columns &= self._goes_on(values[:1] - self._last, slice(None))
        if self.columns.any():
            self.columns[self.columns] = self._goes_on(np.diff(values[:, self.columns], axis=0), self.columns)
        self._last = values[-1]

    def reasons(self) -> dict[int, str]:
        """Return what these columns do, by their number."""
        return {int(k): FALLS if self._step[k] < 0 else RISES for k in np.flatnonzero(self.columns)}

    def _goes_on(self, steps: Array, which: npt.NDArray[np.bool_] | slice) -> npt.NDArray[np.bool_]:
        """Return which columns do as before in steps (n, k)."""
        down = self._step[which]
        return np.asarray((steps > 0).all(axis=0) | ((steps == down) & (down < 0)).all(axis=0))
