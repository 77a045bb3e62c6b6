"""Matched: a table with the channels that a model knows: others are left out, those that miss are empty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lynkeus.core.batch import Batch, Schema
from lynkeus.core.protocols import Source
from lynkeus.sources.formats.tables import counted, listed
from lynkeus.sources.wrappers.wrapper import Wrapper, files_of


class Matched(Wrapper):
    """The channels of `expected`, in its order; see `matched`."""

    def __init__(self, source: Source, expected: Schema) -> None:
        there = {name: number for number, name in enumerate(source.schema.names)}
        super().__init__(source, _schema(source.schema, expected))
        self.extra = [name for name in source.schema.names if name not in set(expected.names)]
        self.columns = [there.get(name, -1) for name in expected.names]
        files = files_of(source)
        self.files, self.start_ns = files, getattr(source, "start_ns", None)
        if self.extra:
            where = f"{files[0]}: " if files else ""
            count = counted(len(self.extra), "channel")
            self.own_messages.append(f"{where}{count} that the model does not know left out: {listed(self.extra)}")

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        chosen = np.array(self.columns)
        for batch in self.source:
            values = batch.values[:, np.maximum(chosen, 0)]
            if (chosen < 0).any():
                values = values.astype(np.result_type(values.dtype, np.float32))
                values[:, chosen < 0] = np.nan
            yield batch.with_values(values, self.schema)


def matched(source: Source, expected: Schema | None) -> Source:
    """Return a table with the channels that are expected, where it has more, or has fewer, or where only one of the two
    knows units; the source itself where both are so (then something was renamed), where none of them is there, or where
    it is no table."""
    mine = source.schema
    if expected is None or mine.kind != "table" or expected.kind != "table" or not mine.names or not expected.names:
        return source
    extra, lacking = set(mine.names) - set(expected.names), set(expected.names) - set(mine.names)
    unknown = bool(mine.units) != bool(expected.units) and mine.names == expected.names
    if not unknown and (bool(extra) == bool(lacking) or len(lacking) == len(expected.names)):
        return source
    return Matched(source, expected)


def _schema(mine: Schema, expected: Schema) -> Schema:
    units = mine.units
    if not units or not expected.units:
        units = expected.units
    elif len(units) > 1:
        own = dict(zip(mine.names, units, strict=True))
        usual = expected.units if len(expected.units) > 1 else expected.units * len(expected.names)
        given = dict(zip(expected.names, usual, strict=False))
        chosen = tuple(own.get(name, given.get(name, "")) for name in expected.names)
        units = chosen[:1] if len(set(chosen)) == 1 else chosen
    return replace(mine, names=expected.names, units=units, shape=(len(expected.names),))
