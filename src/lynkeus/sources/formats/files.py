"""Files: many files of one kind as one Source, in time order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lynkeus.core.batch import Batch
from lynkeus.core.errors import SourceError
from lynkeus.sources.wrappers.wrapper import files_of


class Files:
    """The readers of several files, one after the other: by their first time, or by name where one has no times.

    `meta["file"]` is the index in `files`, `meta["position"]` the row in that file. Raises SourceError naming the
    file and the field, where not all are of one schema.
    """

    def __init__(self, readers: Sequence[Any]) -> None:
        if not readers:
            raise SourceError("no files to read; check the path")
        timed = all(reader.start_ns is not None for reader in readers)
        self.readers = sorted(readers, key=lambda reader: (reader.start_ns if timed else 0, str(reader.files[0])))
        self.files = tuple(path for reader in self.readers for path in files_of(reader))
        self.start_ns = self.readers[0].start_ns
        self.schema = next((r.schema for r in self.readers if r.schema.sample_rate_hz), self.readers[0].schema)
        for reader in self.readers:
            differs = self.schema.difference(reader.schema)
            if differs:
                raise SourceError(
                    f"{reader.files[0]}: is not like {self.files[0]}; {differs}; read files of one kind at a time"
                )

    @property
    def messages(self) -> list[str]:
        """What the readers have to say."""
        return [line for reader in self.readers for line in getattr(reader, "messages", ())]

    def __len__(self) -> int:
        return sum(len(reader) for reader in self.readers)

    def __iter__(self) -> Iterator[Batch]:
        for number, reader in enumerate(self.readers):
            for batch in reader:
                meta = dict(batch.meta) | {"file": np.full(len(batch), number, np.int32)}
                yield replace(batch, schema=self.schema, meta=meta)
