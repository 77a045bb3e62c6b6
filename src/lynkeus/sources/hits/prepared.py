"""PreparedHits: hits with what their neighbours say of them, and labels as truth: 0 of a track, 1 noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from lynkeus.core.batch import Array, Batch, Floats
from lynkeus.core.errors import SettingsError
from lynkeus.core.protocols import Source
from lynkeus.sources.hits.names import Roles, roles_of
from lynkeus.sources.hits.source import read_labels
from lynkeus.sources.wrappers.wrapper import Wrapper
from lynkeus.transforms.hits.neighbours import NEAR, Scales, find_scales, neighbourhood

HELD_NUMBERS = 150_000_000  # of batches that are kept, so that a second pass costs nothing
TRUTH = "truth"
DIRECTION = np.sqrt([2.0, 3.0, 5.0, 7.0])
FEWEST = 50  # hits of which a median is taken
FACTOR = 4.0  # between two medians, from which it is said that units may differ


class PreparedHits(Wrapper):
    """Hits of `source` with columns `near/...` where event, row, pad and time are known, in the units `scales` (None:
    those found in the data). `labels`: the column of meta that becomes their truth ("": none).

    Whether there are such columns is said by `near` (None: as the data have it). `usual`: medians of columns that the
    data should have, too. Events must be whole in a batch.
    """

    def __init__(
        self, source: Source, labels: str = "", scales: Scales | None = None, near: bool | None = None,
        usual: Mapping[str, float] | None = None,
    ) -> None:  # fmt: skip
        first = next(iter(source), None)
        self.roles = roles_of([*(first.meta if first is not None else ()), *source.schema.names])
        there = self.roles.places
        self.near = there if near is None else near
        self.labels = labels
        names = (*source.schema.names, *(NEAR if self.near else ()))
        units = (*source.schema.units, *[""] * (len(names) - len(source.schema.names))) if source.schema.units else ()
        units = () if len(source.schema.units) == 1 else units
        super().__init__(source, replace(source.schema, names=names, units=units, shape=(len(names),)))
        if near and not there:
            raise SettingsError(f"the model uses the neighbourhood of hits, and the data have no {self._lacking()}; "
                                "give files with these columns, or fit on such as these")  # fmt: skip
        self.scales = scales or (find_scales(*self._places(first)) if self.near and first is not None else Scales())
        self._held: list[Batch] | None = None
        self._twice = 0
        self._says_how()
        if usual and first is not None:
            self.own_messages += unlike(usual, medians(first))

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        if self._held is not None:
            yield from self._held
            return
        held: list[Batch] | None = []
        numbers = first = 0
        for batch in self.source:
            made = self._prepared(batch, first)
            first += len(batch)
            numbers += made.values.size
            held = None if held is None or numbers > HELD_NUMBERS else [*held, made]
            yield made
        self._held = held

    def _prepared(self, batch: Batch, first: int) -> Batch:
        values = batch.values.astype(np.float32, copy=False)
        if self.near:
            places = self._places(batch)
            self._count_copies(places)
            values = np.concatenate([values, neighbourhood(*places, self.scales)], axis=1)
        meta = {**batch.meta, "position": first + np.arange(len(batch))}
        return replace(batch, schema=self.schema, values=values, truth=self._truth(batch), meta=meta)

    def _places(self, batch: Batch) -> tuple[Array, Floats, Floats, Floats]:
        """Return group, row, and positions across and along of each hit."""
        roles, count = self.roles, len(batch)
        keys = [self._column(batch, name) for name in (roles.event, *roles.sectors) if name]
        group = np.zeros(count)
        if keys:
            keyed = np.stack([np.unique(key, return_inverse=True)[1].reshape(-1) for key in keys], axis=1)
            group = np.unique(keyed, axis=0, return_inverse=True)[1].reshape(-1).astype(float)
        row, across, along = (
            self._column(batch, name).astype(float) for name in (roles.row, roles.across, roles.along)
        )
        return group, row, across, along

    def _count_copies(self, places: tuple[Array, ...]) -> None:
        """Say how many hits are at the very place of another one."""
        # One number for each place, by directions that no two places share: sorting it costs a tenth of sorting rows.
        place = np.stack(places, axis=1).astype(float) @ DIRECTION
        known = place[np.isfinite(place)]
        copies = len(known) - len(np.unique(known))
        if copies:
            before, self._twice = self._twice, self._twice + copies
            said = "{} hits are there twice: the same event, row, pad and time as another one; they are kept"
            self.own_messages = [line for line in self.own_messages if line != said.format(before)]
            self.own_messages.append(said.format(self._twice))

    def _column(self, batch: Batch, name: str) -> Array:
        if name in batch.meta:
            return np.asarray(batch.meta[name])
        found: Array = batch.values[:, batch.schema.names.index(name)]
        return found

    def _truth(self, batch: Batch) -> Array | None:
        if self.labels and self.labels in batch.meta:
            labels = read_labels(self.labels, np.asarray(batch.meta[self.labels]))
            if labels.says not in self.own_messages:
                self.own_messages.append(labels.says)
            return labels.noise
        return batch.truth if not self.labels or self.labels in (TRUTH, "y") else None

    def _lacking(self) -> str:
        named: Sequence[tuple[str, str]] = (
            ("row", self.roles.row), ("pad", self.roles.across), ("time", self.roles.along)
        )  # fmt: skip
        return ", ".join(what for what, name in named if not name)

    def _says_how(self) -> None:
        if self.near:
            own = [self.roles.event, *self.roles.sectors, self.roles.row, self.roles.across, self.roles.along]
            by = ", ".join(name for name in own if name)
            self.own_messages.append(f"neighbours of each hit by {by}")
            if not self.roles.event:
                self.own_messages.append("no column of events: all hits of a file are taken for one event")
        else:
            self.own_messages.append(f"no neighbours of hits: there is no column {self._lacking()}")


def medians(batch: Batch) -> dict[str, float]:
    """Return the median of each column that is positive almost everywhere."""
    found = {}
    for k, name in enumerate(batch.schema.names):
        column = batch.values[:, k]
        column = column[np.isfinite(column)]
        if len(column) >= FEWEST and (column > 0).mean() > 0.9:
            found[name] = float(np.median(column))
    return found


def unlike(usual: Mapping[str, float], found: Mapping[str, float]) -> list[str]:
    """Return a line on columns whose median is another by a factor of FACTOR, as where units are others."""
    ratios = {name: found[name] / usual[name] for name in usual if name in found}
    off = {name: ratio for name, ratio in ratios.items() if not 1 / FACTOR < ratio < FACTOR}
    if not off:
        return []
    some = ", ".join(f"{name} ({ratio:.3g} times)" for name, ratio in list(off.items())[:4])
    return [f"medians are not those of the hits that the model was fitted on: {some}; are the units the same?"]


def event_of(batch: Batch, roles: Roles) -> Array:
    """Return (n,) a number for the event of each hit; where events are not known, each hit by itself."""
    if roles.event in batch.meta:
        return np.asarray(batch.meta[roles.event])
    if roles.event and roles.event in batch.schema.names:
        found: Array = batch.values[:, batch.schema.names.index(roles.event)]
        return found
    return np.asarray(batch.meta["position"])
