"""Passes over data, shown on a bar; what is wrong with data names them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lynkeus.core import Batch, CalibrationError, SchemaError, Source, SourceError
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


@contextmanager
def saying_which(data: str) -> Iterator[None]:
    """Put the name of the data before what is wrong with them, where an error does not say it: a scorer or a
    calibration does not know where samples come from."""
    try:
        yield
    except (SchemaError, CalibrationError, SourceError) as error:
        said = str(error)
        if data in said:
            raise
        raise type(error)(f"{data}: {said}") from error
