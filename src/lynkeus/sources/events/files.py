"""Files of events: the kinds of their columns by name, and the columns piece by piece, whatever the format."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from lynkeus.core.errors import SourceError
from lynkeus.files.damaged import in_time, one_line, pieces_of
from lynkeus.sources.clouds.columns import NUMBER, TEXT, Table
from lynkeus.sources.clouds.files.cloud_file import CloudFile, Stretch
from lynkeus.sources.runs.events import read_events

ROWS = 100_000
LISTS = (".parquet", ".feather", ".arrow", ".root")  # formats whose columns may be lists
FLAT = (".csv", ".csv.gz", ".h5", ".hdf5", ".npz")
ENDINGS = (*LISTS, *FLAT)


class EventFile(Protocol):
    """A file of events: `types`, the kind of each column; `pieces` of some columns, in order."""

    path: Path
    types: Mapping[str, str]

    def pieces(self, names: Sequence[str]) -> Iterator[Table]: ...


class WithLists:
    """A file of Parquet, Arrow or ROOT."""

    def __init__(self, path: Path, tree: str) -> None:
        self.path = path
        with one_line(path), in_time(path):
            self.file: CloudFile = _opened(path, tree)
        self.types = self.file.types

    def pieces(self, names: Sequence[str]) -> Iterator[Table]:
        """Yield pieces of these columns; see EventFile."""
        if self.file.rows:
            yield from pieces_of(self.path, self.file.tables(names, Stretch(0, self.file.rows), ROWS))


class FlatFile:
    """A file whose columns hold one number or word of each event: CSV, HDF5, or arrays of one length (.npz)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        first = next(self._read(), {})
        self.types: Mapping[str, str] = {
            name: TEXT if isinstance(column, np.ndarray) and column.dtype.kind in "US" else NUMBER
            for name, column in first.items()
        }

    def _read(self) -> Iterator[Table]:
        yield from pieces_of(self.path, _arrays(self.path)) if self.path.suffix == ".npz" else read_events(self.path)  # type: ignore[misc]

    def pieces(self, names: Sequence[str]) -> Iterator[Table]:
        """Yield pieces of these columns; see EventFile."""
        for piece in self._read():
            if len(next(iter(piece.values()))):
                yield {name: piece[name] for name in names}


def event_files(path: Path, tree: str = "") -> list[EventFile]:
    """Return the files of events of a path, a folder or a pattern, by name. Raises SourceError where there are none."""
    if path.is_file():
        found = [path]
    elif path.is_dir():
        found = [own for own in path.iterdir() if own.is_file() and own.name.lower().endswith(ENDINGS)]
    else:
        found = [own for own in map(Path, glob.glob(str(path), recursive=True)) if own.is_file()]
    if not found:
        raise SourceError(f"{path}: no file of events ({', '.join(ENDINGS)}) is there; check the path")
    return [_file(own, tree) for own in sorted(found)]


def _file(path: Path, tree: str) -> EventFile:
    name = path.name.lower()
    if name.endswith(LISTS):
        return WithLists(path, tree)
    if name.endswith(FLAT):
        return FlatFile(path)
    raise SourceError(f"{path}: the ending {path.suffix!r} is not known; events are read from {', '.join(ENDINGS)}")


def _opened(path: Path, tree: str) -> CloudFile:
    from lynkeus.sources.clouds.open import file_of

    return file_of(path, tree)


def _arrays(path: Path) -> Iterator[Table]:
    """Yield the arrays (n,) of an archive; of X (n, k) with names the columns, as `lynkeus generate` writes."""
    with np.load(path, allow_pickle=False) as held:
        arrays = {name: held[name] for name in held.files}
    table: Table = {}
    if "X" in arrays and arrays["X"].ndim == 2:
        names = arrays.pop("names", np.array([f"column_{k}" for k in range(arrays["X"].shape[1])]))
        table |= {str(name): arrays["X"][:, k] for k, name in enumerate(names)}
    rows = len(next(iter(table.values()))) if table else len(next(a for a in arrays.values() if a.ndim == 1))
    table |= {
        name: column for name, column in arrays.items() if column.shape == (rows,) and column.dtype.kind in "biufU"
    }
    yield table
