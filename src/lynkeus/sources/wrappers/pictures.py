"""Pictures: a table whose columns are the pixels of images, as images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lynkeus.core.batch import Batch, Schema
from lynkeus.core.errors import SchemaError
from lynkeus.core.protocols import Source
from lynkeus.sources.wrappers.picture_side import picture_side
from lynkeus.sources.wrappers.wrapper import Wrapper

LOOKED_AT = 1000  # rows that say whether they are images


class Pictures(Wrapper):
    """Each row of a table as a grey image of `side` x `side` pixels. Raises SchemaError where there are not as many."""

    def __init__(self, source: Source, side: int) -> None:
        schema = source.schema
        if schema.kind != "table" or schema.shape != (side * side,):
            raise SchemaError(f"images of {side} x {side} pixels have {side * side} columns; found {schema.shape}")
        super().__init__(source, Schema("image", ("grey",), schema.units[:1], (1, side, side)))
        self.side = side

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.source:
            yield batch.with_values(batch.values.reshape(-1, 1, self.side, self.side), self.schema)


def as_pictures(source: Source) -> Source:
    """The same source, as images where its columns are the pixels of some."""
    if source.schema.kind != "table":
        return source
    rows = []
    for batch in source:
        rows.append(batch.values)
        if sum(map(len, rows)) >= LOOKED_AT:
            break
    side = picture_side(np.concatenate(rows)[:LOOKED_AT]) if rows else 0
    return Pictures(source, side) if side else source
