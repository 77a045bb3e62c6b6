"""Passes over data, shown on a bar."""

from __future__ import annotations

from collections.abc import Iterator

from lynkeus.core import Batch, Source
from lynkeus.progress import Bar
from lynkeus.sources.wrappers.wrapper import Wrapper


class Passes(Wrapper):
    """A source that shows each pass over it on a bar."""

    def __init__(self, source: Source, bar: Bar) -> None:
        super().__init__(source)
        self.bar = bar
        self.passes = 0

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        self.passes += 1
        try:
            total: int | None = len(self)
        except TypeError:
            total = None
        self.bar.begin(f"pass {self.passes}", total)
        for batch in self.source:
            yield batch
            self.bar.advance(len(batch))
