"""Numbered: samples with the numbers that a regression learns, in their meta, whatever the file calls them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lynkeus.core.batch import Array, Batch, Schema
from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.core.protocols import Source
from lynkeus.sources.wrappers.wrapper import Wrapper

LABELS = ("y", "truth")  # what files call the one label that they have


class Numbered(Wrapper):
    """The same samples with `names` in their meta as float64 (n,), and no longer among their channels.

    A number is looked for in the meta, then among the labels, then among the columns of a table. Raises SettingsError
    where one is nowhere, or is no number.
    """

    def __init__(self, source: Source, names: tuple[str, ...]) -> None:
        if not names or len(set(names)) != len(names):
            raise SettingsError("a regression learns numbers: name their columns, each once, by --labels n,phi2")
        super().__init__(source, _without(source.schema, names))
        self.names = names

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.source:
            known = {name: _number(batch, name) for name in self.names}
            kept = [k for k, name in enumerate(batch.schema.names) if name not in known]
            cut = batch.schema.kind == "table" and len(kept) < len(batch.schema.names)
            yield replace(
                batch, schema=self.schema, values=batch.values[:, kept] if cut else batch.values,
                truth=None if set(self.names) & set(LABELS) else batch.truth, meta={**batch.meta, **known},
            )  # fmt: skip


def _without(schema: Schema, names: tuple[str, ...]) -> Schema:
    kept = [k for k, name in enumerate(schema.names) if name not in names]
    if schema.kind != "table" or len(kept) == len(schema.names):
        return schema
    if not kept:
        raise SettingsError(f"--labels {','.join(names)}: no other columns are left to learn from")
    units = tuple(schema.units[k] for k in kept) if len(schema.units) > 1 else schema.units
    return replace(schema, names=tuple(schema.names[k] for k in kept), units=units, shape=(len(kept),))


def _number(batch: Batch, name: str) -> Array:
    """Return a number of each sample (n,). Raises SettingsError naming those that there are."""
    if name in batch.meta:
        found = np.asarray(batch.meta[name])
    elif name in LABELS and batch.truth is not None:
        found = batch.truth
    elif batch.schema.kind == "table" and name in batch.schema.names:
        found = batch.values[:, batch.schema.names.index(name)]
    else:
        columns = batch.schema.names if batch.schema.kind == "table" else ()
        there = [*batch.meta, *(("y",) if batch.truth is not None else ()), *columns]
        raise SettingsError(f"--labels {name}: no such number of each sample; there are: {', '.join(there) or 'none'}")
    if found.dtype.kind not in "biuf" or found.ndim != 1:
        raise SourceError(f"--labels {name}: holds {found.dtype} {found.shape}, not one number of each sample")
    return found.astype(float)
