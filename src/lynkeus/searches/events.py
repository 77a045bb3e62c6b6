"""Events of a search: all columns of a sample in memory, with weights that may be negative; and their hashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core import Array, Batch, Floats, Schema, SettingsError, SourceError
from lynkeus.searches.plan.files import File
from lynkeus.searches.plan.plan import WAYS, Samples, Systematic
from lynkeus.sources import Layout, open_source, read_layout
from lynkeus.sources.events.source import WEIGHT, EventSource
from lynkeus.transforms.expressions import Expression, evaluate


@dataclass(frozen=True)
class Events:
    """n events of a sample: `columns` by name (n,) numbers or words, `weight` (n,), where they come from (`name`), and
    what there is to say of how they were read (`said`)."""

    name: str
    columns: Mapping[str, Array]
    weight: Floats
    said: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.weight)

    def cut(self, chosen: Array) -> Events:
        """Return the events that a mask or numbers choose."""
        columns = {name: column[chosen] for name, column in self.columns.items()}
        return Events(self.name, columns, self.weight[chosen], self.said)

    def of(self, process: str, labels: str) -> Array:
        """Return (n,) which events are of a process."""
        return np.asarray(self.columns[labels] == process)

    def values(self, names: Sequence[str], changed: Mapping[str, str] | None = None) -> Floats:
        """Return (n, k) columns of numbers; `changed`: other columns that stand for some. Raises SettingsError naming
        one that is not there."""
        found = []
        for name in names:
            own = (changed or {}).get(name, name)
            if own not in self.columns or self.columns[own].dtype.kind not in "biuf":
                there = ", ".join(sorted(n for n, c in self.columns.items() if c.dtype.kind in "biuf")[:12])
                raise SettingsError(f"{self.name}: has no column of numbers {own}; there are {there}")
            found.append(np.asarray(self.columns[own], float))
        return np.column_stack(found) if found else np.zeros((len(self), 0))

    def value(self, expression: Expression, where: str, more: Mapping[str, Array] | None = None) -> Array:
        """Return (n,) the value of an expression. Raises SettingsError where it is not one of each event."""
        held = evaluate(expression, {**self.columns, **(more or {})}, f"{where}, on {self.name}")
        found = np.asarray(held)
        if found.ndim == 0:
            found = np.full(len(self), found)
        if found.shape != (len(self),):
            raise SettingsError(f"{where}: {expression.text!r} is not one value of each event")
        return found


def read(file: File, samples: Samples, data: bool = False) -> Events:
    """Return all events of a file that are selected; of `data` each counts once, whatever columns it has.

    Raises SourceError, SettingsError: a file that cannot be read, a weight that is NaN or infinite, no events.
    """
    name, parts, weights, said = file.name, list[Mapping[str, Array]](), list[Floats](), list[str]()
    for columns, weight in _pieces(file, samples, data, said):
        parts.append(columns)
        rows = len(next(iter(columns.values())))
        weights.append(np.ones(rows) if weight is None or data else np.asarray(weight, float))
    if not parts:
        raise SourceError(f"{name}: holds no events; nothing to read")
    shared = set.intersection(*(set(part) for part in parts))
    held = {key: np.concatenate([part[key] for part in parts]) for key in parts[0] if key in shared}
    found = Events(name, held, np.concatenate(weights) * (1.0 if data else file.scale), tuple(said))
    require_finite(found.weight, name)
    if file.process:
        found = replace(found, columns={**held, samples.labels: np.full(len(found), file.process)})
    for select, where in ((samples.select, "samples.select"), (file.select, "select")):
        if select is not None:
            found = found.cut(found.value(select, where).astype(bool))
            if not len(found):
                raise SettingsError(f"{name}: {where} leaves no event")
    return found


def read_all(files: Sequence[File], samples: Samples) -> Events:
    """Return the events of several files as one sample."""
    return join([read(file, samples) for file in files], files[0].name)


def require_finite(weight: Floats, where: str) -> None:
    """Raise SourceError for weights (n,) that are NaN or infinite."""
    bad = np.flatnonzero(~np.isfinite(weight))
    if len(bad):
        raise SourceError(
            f"{where}: the weight of event {bad[0]} is {weight[bad[0]]:g}, as of {len(bad)} in all; leave such events "
            "out, or write the weights again"
        )


def _pieces(file: File, samples: Samples, data: bool, said: list[str]) -> Any:
    """Yield columns and weights of a simulator or of files, and put what they say of themselves into `said`."""
    name, by = file.name, file.layout or samples.layout
    if "://" in name:
        for batch in open_source(name):
            yield _columns_of(batch), batch.weight
        return
    layout = read_layout(by) if by else Layout()
    if layout.events is None:
        layout = replace(layout, events={})
    if not (layout.events or {}).get("weight") and not data:
        layout = replace(layout, weight=samples.weights or WEIGHT)
    source = EventSource(Path(name).expanduser(), replace(layout, truth=samples.labels))
    if samples.weights and layout.weight and source.weight is None:
        raise SettingsError(f"{name}: has no column {samples.weights}, which samples.weights names")
    yield from source.tables()
    said += source.messages


def _columns_of(batch: Batch) -> dict[str, Array]:
    found = dict(zip(batch.schema.names, np.asarray(batch.values, float).T, strict=True)) | dict(batch.meta)
    if batch.schema.classes and batch.truth is not None and "process" not in found:
        found["process"] = np.array([*batch.schema.classes, ""])[batch.truth]
    return found


def join(parts: Sequence[Events], name: str) -> Events:
    """Return the events of several samples; columns that all of them have."""
    shared = set.intersection(*(set(part.columns) for part in parts))
    columns = {key: np.concatenate([part.columns[key] for part in parts]) for key in parts[0].columns if key in shared}
    said = tuple(dict.fromkeys(line for part in parts for line in part.said))
    return Events(name, columns, np.concatenate([part.weight for part in parts]), said)


def as_batch(events: Events, inputs: Sequence[str], truth: Array | None, classes: tuple[str, ...]) -> Batch:
    """Return the inputs as a table, for a scorer to learn from."""
    own = Schema("table", tuple(inputs), (), (len(inputs),), classes=classes)
    return Batch(own, events.values(inputs), truth=truth, weight=events.weight if truth is not None else None)


def shifted_columns(events: Events, one: Systematic) -> tuple[dict[str, str], dict[str, str]]:
    """Return the columns of a systematic up and down, by the names of those that they stand for. Raises SettingsError
    for a way without the other, or a variation of a column that is not there."""
    up, down = ({name.removesuffix(end): name for name in events.columns if name.endswith(end)} for end in
                (f"_{one.name}_{way}" for way in WAYS))  # fmt: skip
    where = f"{events.name}: systematics.{one.name}"
    if not up and not down:
        raise SettingsError(
            f"{where}: has no column COLUMN_{one.name}_up (kind columns); write it, or leave the systematic out"
        )
    for name in sorted({*up, *down}):
        here = up.get(name, down.get(name))
        if (name in up) != (name in down):
            raise SettingsError(f"{where}: {here} has no other way; write {name}_{one.name}_up and _down")
        if name not in events.columns:
            raise SettingsError(f"{where}: {here} is a variation of {name}, which is no column; write it as well")
    return up, down


def hashes(events: Events, inputs: Sequence[str]) -> Array:
    """Return (n,) a number of 64 bits for each event, alike where all inputs are alike to single precision."""
    values = np.ascontiguousarray(events.values(inputs).astype(np.float32) + np.float32(0.0))
    found = np.full(len(events), 0xCBF29CE484222325, np.uint64)
    for column in values.view(np.uint32).T:
        found = (found ^ column.astype(np.uint64)) * np.uint64(0x100000001B3)
        found ^= found >> np.uint64(29)
    return found


def refuse_duplicates(samples: Mapping[str, Events], inputs: Sequence[str]) -> dict[str, int]:
    """Return how many events each sample has more than once. Raises SettingsError where two samples share events: what
    a classifier has learned by heart must not be searched in."""
    seen = {role: hashes(events, inputs) for role, events in samples.items()}
    roles = list(seen)
    for k, one in enumerate(roles):
        for other in roles[k + 1 :]:
            count = int(np.isin(seen[other], seen[one]).sum())
            if count:
                raise SettingsError(
                    f"{count} of {len(samples[other])} events of {other} ({samples[other].name}) are in {one} "
                    f"({samples[one].name}) as well: give other events, of another seed or file"
                )
    return {role: len(own) - len(np.unique(own)) for role, own in seen.items()}


def gaps(events: Events, inputs: Sequence[str]) -> list[str]:
    """Return a line where events lack inputs, or have infinite ones: a classifier takes the mean for them."""
    values = events.values(inputs)
    lacking = ~np.isfinite(values)
    count = int(lacking.any(axis=1).sum())
    if not count:
        return []
    names = ", ".join(name for name, own in zip(inputs, lacking.T, strict=True) if own.any())
    return [f"{events.name}: {count} of {len(events)} events lack a finite {names}: the classifier takes the mean"]
