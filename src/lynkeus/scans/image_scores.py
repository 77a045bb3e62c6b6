"""The scores of images as a table in memory: what was scored, where it is on a cavity, and its three worst spots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lynkeus.core import Array, Floats, SourceError

SPOTS = 3
CLEAR_SIGMA = 5.0  # above this a spot is clear: good data hardly ever get there
LAST, ALL = "last", "all"
GOOD = ("good", "0")


@dataclass(frozen=True)
class ImageScores:
    """`columns` by name, each (n,): `file`, `anomaly` (higher = worse), what metadata there are (`cavity`, `cell`,
    `angle_deg`, `scan`, `label` ...), and `spot1_x`, `spot1_y`, `spot1_sigma`, `spot1_area` ... `spot3_area` in
    pixels."""

    columns: Mapping[str, Array]

    def __len__(self) -> int:
        return len(self.columns["anomaly"])

    def __getitem__(self, rows: Array) -> ImageScores:
        """The images chosen by a mask or an index."""
        return ImageScores({name: column[rows] for name, column in self.columns.items()})

    def column(self, name: str) -> Array:
        """Raises SourceError where the scores lack it."""
        if name not in self.columns:
            raise SourceError(f"the scores have no column {name!r}: score again with --meta and a table that has it")
        return self.columns[name]

    @property
    def anomaly(self) -> Floats:
        """Return the image scores (n,)."""
        return np.asarray(self.columns["anomaly"], float)

    def spots(self, field: str) -> Floats:
        """Return (n, 3) `x`, `y`, `sigma` or `area`, NaN where an image has fewer than three."""
        missing = np.full(len(self), np.nan)
        found = [self.columns.get(f"spot{number}_{field}", missing) for number in range(1, SPOTS + 1)]
        return np.stack([np.asarray(column, float) for column in found], axis=1)

    def good(self) -> Array:
        """Return (n,) bool: labelled good; where nothing is, every image, of which most are."""
        label = self.columns.get("label")
        labelled = None if label is None else np.isin(np.char.lower(np.asarray(label, str)), GOOD)
        return np.ones(len(self), bool) if labelled is None or not labelled.any() else labelled

    def groups(self, names: Sequence[str]) -> Iterator[tuple[tuple[str, ...], Array]]:
        """Each combination of values of the columns, as text, with the numbers of its rows."""
        keys = np.stack([as_text(self.column(name)) for name in names], axis=1)
        found, group = np.unique(keys, axis=0, return_inverse=True)
        order = np.argsort(group.ravel(), kind="stable")
        for key, rows in zip(found, np.split(order, np.cumsum(np.bincount(group.ravel()))[:-1]), strict=True):
            yield tuple(key.tolist()), rows

    def scan(self, which: str = LAST) -> ImageScores:
        """The images of the last scan of each cavity (by `time`, else by name), of "all", or of the scan named.

        Raises SourceError where no scan has the name.
        """
        if which == ALL or (which == LAST and "scan" not in self.columns):
            return self
        scan = as_text(self.column("scan"))
        if which != LAST:
            if which not in scan:
                raise SourceError(f"no scan {which!r} among the scores; there are {', '.join(np.unique(scan)[:8])}")
            return self[scan == which]
        order = as_text(self.columns.get("time", scan))
        kept = np.zeros(len(self), bool)
        for _, rows in self.groups(("cavity",)):
            kept[rows] = scan[rows] == scan[rows[np.argmax(_places(order[rows]))]]
        return self[kept]


def as_text(column: Array) -> Array:
    """Values as text; whole numbers that a missing one has made floats lose their ".0"."""
    if column.dtype.kind == "f" and np.all(np.isnan(column) | (column == np.rint(column))):
        return np.array(["" if value != value else str(int(value)) for value in column])
    return np.asarray(column, str)


def _places(values: Array) -> Array:
    """Place of each text in the sorted order of them all (NumPy has no argmax of texts)."""
    return np.unique(values, return_inverse=True)[1]


def read_image_scores(path: Path) -> ImageScores:
    """Read what `lynkeus score` wrote of images; images without a score (NaN) are left out.

    Raises SourceError where it is no such table, or holds no score.
    """
    try:
        table = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        words = str(error).splitlines()[0]
        raise SourceError(
            f"{path}: is not a Parquet table of scores ({words}); write one with lynkeus score"
        ) from error
    for name in ("file", "anomaly"):
        if name not in table.column_names:
            raise SourceError(f"{path}: no column {name!r}; give the scores of images that lynkeus score wrote")
    if not pa.types.is_floating(table.schema.field("anomaly").type):
        raise SourceError(f"{path}: the column 'anomaly' holds no numbers; write the scores again with lynkeus score")
    columns = {name: _values(table.column(name).combine_chunks()) for name in table.column_names}
    scored = np.isfinite(columns["anomaly"])
    if not scored.any():
        raise SourceError(f"{path}: not one image has a score; score the images again")
    return ImageScores(columns)[scored]


def _values(column: pa.Array) -> Array:
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type):
        return np.asarray(column.to_numpy(zero_copy_only=False))
    return np.array(column.cast(pa.string()).fill_null("").to_pylist(), str)
