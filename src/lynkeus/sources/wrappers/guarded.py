"""Guarded: a reader of a file whose failures, whatever a format library throws, are one line that names the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lynkeus.core.batch import Batch
from lynkeus.core.protocols import Source
from lynkeus.files.damaged import pieces_of
from lynkeus.sources.wrappers.wrapper import Wrapper


class Guarded(Wrapper):
    """The samples of `source`, read from `path`. Iterating raises SourceError for whatever reading throws.

    All else (`files`, `start_ns`, ...) is that of the reader.
    """

    def __init__(self, source: Source, path: Path) -> None:
        super().__init__(source)
        self.path = path

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        if name == "source":  # not yet there while it is copied or unpacked
            raise AttributeError(name)
        return getattr(self.source, name)

    def __iter__(self) -> Iterator[Batch]:
        return pieces_of(self.path, self.source)
