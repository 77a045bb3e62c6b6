"""Inject: planted faults in real good data, with truth; how a scorer proves itself where labels are rare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lynkeus.core.batch import Array, Batch, Floats
from lynkeus.core.errors import SchemaError
from lynkeus.core.protocols import Source
from lynkeus.sources.wrappers.wrapper import Wrapper
from lynkeus.transforms.faults import Fault, apply_faults


class Inject(Wrapper):
    """The rows of a table with faults in them; `truth` is the 1-based number of the fault, 0 where there is none.

    `Fault.start` counts rows along the source. `jitter` and `centre` (channels,) are the scale and the middle of
    each channel in the data's unit. The same seed plants the same faults, however the rows are cut into batches.
    """

    def __init__(self, source: Source, faults: Sequence[Fault], jitter: Floats, centre: Floats, seed: int = 0) -> None:
        super().__init__(source)
        if source.schema.kind != "table":
            raise SchemaError(f"faults are injected into rows of a table, this source has {source.schema.kind}s")
        self.faults, self.jitter, self.centre, self.seed = tuple(faults), jitter, centre, seed

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        memory: dict[int, Array] = {}
        first = 0
        for batch in self.source:
            rows, truth = apply_faults(batch.values, first, self.faults, self.jitter, self.centre, self.seed, memory)
            yield replace(batch, values=rows, truth=truth)
            first += len(batch)
