"""CloudSource: samples of any number of particles from many files, in their order or mixed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from lynkeus.core.batch import Batch
from lynkeus.core.errors import SourceError
from lynkeus.files.damaged import one_line, pieces_of
from lynkeus.sources.clouds.files.cloud_file import CloudFile, Stretch
from lynkeus.sources.clouds.mixing import OPEN, mixed
from lynkeus.sources.clouds.recipe import Recipe

ROWS = 1024  # samples of a batch


class CloudSource:
    """The samples of files, as a recipe makes them.

    In the order of the files by name; `mix`: drawn from all of them at once, by `seed`, so that classes that lie one
    after the other, or in files of their own, are everywhere. `meta` has `file`, the number in `files`, and `position`,
    the row in that file. `messages` says what was left out, counted anew in each pass.
    """

    def __init__(self, files: Sequence[CloudFile], recipe: Recipe, mix: bool = False, seed: int = 0) -> None:
        self.readers, self.recipe, self.mix, self.seed = list(files), recipe, mix, seed
        self.files = tuple(file.path for file in files)
        self.schema, self.start_ns = recipe.schema, None
        self.notes: Counter[str] = Counter()
        self.counts: np.ndarray[Any, Any] | None = None
        if not len(self):
            raise SourceError(f"{self.files[0]}: holds no samples; nothing to read")

    @property
    def layout(self) -> dict[str, Any] | None:
        """How the files are read, with what was learned of them when they were opened; None where no layout was
        given."""
        found: dict[str, Any] | None = getattr(self.recipe, "layout", None)
        return found

    @property
    def messages(self) -> list[str]:
        """How the files are read, what was left out, and the classes of which there was nothing in the last pass."""
        said = list(dict.fromkeys(line for file in self.readers[:1] for line in file.messages))
        more = len(self.readers) - 1
        said += [f"{more} more files are read alike"] if said and more else []
        counts = () if self.counts is None else self.counts.tolist()
        absent = [name for name, count in zip(self.schema.classes, counts, strict=False) if not count]
        lost = [f"no sample of class {', '.join(absent)} in these files"] if absent else []
        return [*said, *self.recipe.messages, *(f"{what}: {count}" for what, count in self.notes.items()), *lost]

    def __len__(self) -> int:
        """Return how many rows the files have; a selection may leave some out."""
        return sum(file.rows for file in self.readers)

    def __iter__(self) -> Iterator[Batch]:
        self.notes.clear()
        counts: np.ndarray[Any, Any] | None = None
        seen = 0
        for batch in self._mixed() if self.mix else self._in_order():
            seen += len(batch)
            if batch.truth is not None and self.schema.classes:
                own = np.bincount(batch.truth[batch.truth >= 0], minlength=len(self.schema.classes))
                counts = own if counts is None else counts + own
            yield batch
        self.counts = counts
        if not seen:
            left = "; ".join(f"{what}: {count}" for what, count in self.notes.items()) or "there is nothing to read"
            raise SourceError(f"{self.files[0]}: of {len(self)} rows nothing is left ({left}); change the layout")

    def _in_order(self) -> Iterator[Batch]:
        for number, file in enumerate(self.readers):
            yield from self._read(number, Stretch(0, file.rows))

    def _mixed(self) -> Iterator[Batch]:
        each = -(-OPEN // len(self.readers))
        stretches = [(n, stretch) for n, file in enumerate(self.readers) for stretch in file.stretches(each)]
        parts = [(own.last - own.first, partial(self._read, number, own)) for number, own in stretches]
        yield from mixed(parts, ROWS, self.seed)

    def _read(self, number: int, stretch: Stretch) -> Iterator[Batch]:
        file, first = self.readers[number], stretch.first
        tables = file.tables(self.recipe.needs(file), stretch, ROWS) if stretch.last > stretch.first else iter(())
        for table in pieces_of(file.path, tables):
            rows = len(next(iter(table.values())))
            with one_line(file.path, mend="mend the layout, or write the file again"):
                made = self.recipe.clouds(table, file.path, first, self.notes)
            meta = {**made.meta, "position": first + made.rows, "file": np.full(len(made.packed), number, np.int32)}
            first += rows
            if len(made.packed):
                yield Batch(self.schema, made.packed, truth=made.truth, weight=made.weight, meta=meta)
