"""Batch and Schema: n samples of one kind, with names, units, times and origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lynkeus.core.errors import SchemaError
from lynkeus.core.packed import Packed
from lynkeus.core.weights import check_weights, joined_weights

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.floating[Any]]
TimesNs = npt.NDArray[np.int64]

# Kind -> names of the axes after the sample axis.
KINDS: dict[str, tuple[str, ...]] = {
    "image": ("channel", "row", "column"),
    "waveform": ("channel", "time"),
    "histogram": ("bin",),
    "table": ("column",),
    "hit": ("column",),
    "cloud": ("particle", "feature"),
    "counts": ("entry", "key"),
    "text": (),
}


@dataclass(frozen=True)
class Schema:
    """What the numbers of a Batch mean.

    `names` label the channels (table: columns; waveform: channels), `units` is either one unit for all or one
    per name, `shape` is the shape of one sample with None for "any length", `sample_rate_hz` the rate of the
    time axis of a waveform, or of the rows of a table that was sampled at a fixed rate (None: not known).
    `edges` are the bin edges of histograms: of each plot, of each of its axes. Clouds have names "GROUP/FEATURE".
    `classes`: what each sample is one of, where it is known; the numbers of `Batch.truth` count them. Raises
    SchemaError for an inconsistent schema.
    """

    kind: str
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    shape: tuple[int | None, ...] = ()
    sample_rate_hz: float | None = None
    edges: tuple[tuple[tuple[float, ...], ...], ...] = ()
    instrument: str = ""
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SchemaError(f"kind {self.kind!r} is not one of {', '.join(KINDS)}")
        axes = KINDS[self.kind]
        if len(self.shape) != len(axes):
            raise SchemaError(f"a {self.kind} sample has the axes {axes}, but shape is {self.shape}")
        if len(set(self.names)) != len(self.names):
            twice = sorted({name for name in self.names if self.names.count(name) > 1})
            raise SchemaError(f"channel names must be unique; twice or more: {', '.join(twice[:5])}")
        if self.kind in ("table", "waveform") and self.names and self.shape[0] not in (None, len(self.names)):
            raise SchemaError(f"{len(self.names)} names for {self.shape[0]} channels")
        if len(self.units) not in (0, 1, len(self.names)):
            raise SchemaError(f"{len(self.units)} units for {len(self.names)} names")

    def difference(self, other: Schema) -> str:
        """Say in words which field differs from `other` first; an empty string where none does."""
        for name in ("kind", "names", "units", "shape", "edges", "instrument"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine == theirs or (name == "shape" and _same_shape(mine, theirs)):
                continue
            if name == "names":
                return _names_difference(mine, theirs)
            return f"{name}: expected {mine!r}, got {theirs!r}"
        return _rate_difference(self.sample_rate_hz, other.sample_rate_hz)

    def require(self, other: Schema, who: str) -> None:
        """Raise SchemaError naming the field, where `other` is not what `who` was fitted on."""
        differs = self.difference(other)
        if differs:
            raise SchemaError(f"{who} was fitted on another schema; {differs}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Schema:
        """Inverse of `to_dict`, also after a round trip through JSON (lists become tuples)."""
        given = {name: _tuples(value) for name, value in fields.items()}
        return cls(**given)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def _same_shape(mine: Sequence[int | None], theirs: Sequence[int | None]) -> bool:
    return len(mine) == len(theirs) and all(a is None or b is None or a == b for a, b in zip(mine, theirs, strict=True))


def _names_difference(mine: tuple[str, ...], theirs: tuple[str, ...]) -> str:
    missing = [name for name in mine if name not in set(theirs)]
    new = [name for name in theirs if name not in set(mine)]
    if not missing and not new:
        first = next(a for a, b in zip(mine, theirs, strict=True) if a != b)
        return f"names: the same {len(mine)} channels in another order, first at {first!r}"
    return f"names: {len(missing)} missing {missing[:3]}, {len(new)} not known {new[:3]}"


def _rate_difference(mine: float | None, theirs: float | None) -> str:
    if mine is None or theirs is None or abs(mine - theirs) <= 0.01 * mine:
        return ""
    return f"sample_rate_hz: expected {mine:g}, got {theirs:g}"


@dataclass(frozen=True)
class Batch:
    """n samples of one kind, in time order where they have times.

    `values` (n, *schema.shape), or Packed where samples are clouds of any number of particles; NaN means missing.
    `time_ns` (n,) int64, UTC, start of the sample. `mask` as values or (n, particle): True where valid. `truth` (n,)
    integers: 0 normal, else the class or the 1-based number of the planted fault; where the schema has `classes`, the
    number of the class, -1 where it is not known. `weight` (n,): how much each sample counts, finite and at least 0
    (None: each counts once; 0: as if it were not there); negative weights, of generators of next-to-leading order, are
    refused: what has been learned from would have no density. `meta`: arrays of length n that trace each sample to its
    origin, e.g. `end_ns` (exclusive end of a window) or `position` (row in the file), or say how to take it, as
    `missing_is_said`: who gives the samples says which values are missing and why, so that it is no evidence of a
    fault. Raises SchemaError where lengths or shapes disagree, or for such a weight.
    """

    schema: Schema
    values: Any  # an Array, or Packed
    time_ns: TimesNs | None = None
    mask: Array | None = None
    truth: Array | None = None
    weight: Array | None = None
    meta: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.values.shape[1:]
        if not _same_shape(self.schema.shape, shape):
            raise SchemaError(f"values have shape (n, {shape}), the schema says {self.schema.shape}")
        for name, column in self._columns().items():
            if len(column) != len(self.values):
                raise SchemaError(f"{name} has {len(column)} entries for {len(self.values)} samples")
        if self.weight is not None:
            check_weights(self.weight)

    @property
    def packed(self) -> Packed:
        """Return the values of clouds. Raises SchemaError where the samples are no clouds of particles."""
        if not isinstance(self.values, Packed):
            raise SchemaError(f"these samples are of kind {self.schema.kind}, and no jets or other clouds of particles")
        return self.values

    def _columns(self) -> dict[str, Array]:
        own = {name: getattr(self, name) for name in ("time_ns", "mask", "truth", "weight")}
        return {name: column for name, column in (own | dict(self.meta)).items() if column is not None}

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: slice | Array) -> Batch:
        """The samples chosen by a slice or an index array, every column cut alike."""
        cut: dict[str, Any] = {name: column[index] for name, column in self._columns().items() if name not in self.meta}
        meta = {name: column[index] for name, column in self.meta.items()}
        return replace(self, values=self.values[index], meta=meta, **cut)

    def with_values(self, values: Any, schema: Schema | None = None) -> Batch:
        """The same samples with other numbers."""
        return replace(self, values=values, schema=schema or self.schema)


def concatenate(batches: Sequence[Batch]) -> Batch:
    """Join batches of one schema; a column survives only where every batch has it, but no weight counts as 1."""
    if not batches:
        raise SchemaError("no batches to join: the source is empty")
    first = batches[0]
    for other in batches[1:]:
        differs = first.schema.difference(other.schema)
        if differs:
            raise SchemaError(f"batches of two schemas cannot be joined; {differs}")
    own: dict[str, Array | None] = {}
    for name in ("time_ns", "mask", "truth"):
        columns = [getattr(batch, name) for batch in batches]
        own[name] = None if any(column is None for column in columns) else np.concatenate(columns)
    own["weight"] = joined_weights([batch.weight for batch in batches], [len(batch) for batch in batches])
    shared = set.intersection(*(set(batch.meta) for batch in batches))
    meta = {name: np.concatenate([batch.meta[name] for batch in batches]) for name in sorted(shared)}
    return Batch(first.schema, _joined([batch.values for batch in batches]), meta=meta, **own)


def _joined(values: Sequence[Any]) -> Any:
    return Packed.join(values) if isinstance(values[0], Packed) else np.concatenate(values)
