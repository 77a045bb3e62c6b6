"""The scores of image folders as the inspection pages need them: scans, spots, the same place in an earlier scan."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lynkeus.core import GoodPatch, SourceError
from lynkeus.web.images.scores_files import SCORES, SPOT_FIELDS, SPOTS, ScoresFile, files_of, read_scores

RARE = 0.01  # p-value up to which an image is called anomalous
CLEAR_SPOT = 5.0  # sigma
SAME_PLACE_DEG = 3.0
PLACE = ("x", "y", "distance")
WIDER, SIDES = 3.0, (64, 256)  # of what is shown around a spot: in diameters of it, and pixels


@dataclass(frozen=True)
class StoredSpot:
    """One of the most anomalous spots: pixels of the image (x right, y down), area in pixels; `good`: the good patches
    most like it as JSON."""

    x: float
    y: float
    sigma: float
    area: float
    good: str = ""

    @property
    def alike(self) -> tuple[GoodPatch, ...]:
        """Nearest first; empty where the scorer knows none, or they cannot be read."""
        try:
            found = [GoodPatch(one["file"], *(float(one[name]) for name in PLACE)) for one in json.loads(self.good)]
        except (ValueError, TypeError, KeyError):
            return ()
        return tuple(one for one in found if isinstance(one.file, str) and math.isfinite(sum(one[1:])))

    @property
    def side(self) -> int:
        """Return the side of the square around it that is shown, in pixels of the image."""
        return (
            int(min(max(WIDER * 2 * math.sqrt(self.area / math.pi), SIDES[0]), SIDES[1])) if self.area > 0 else SIDES[0]
        )

    @property
    def key(self) -> str:
        """Tells pictures of spots apart in a browser's cache."""
        return _key(f"{self.x} {self.y} {self.area} {self.good}")


@dataclass(frozen=True)
class ScoredImage:
    """One row of the scores. `number` is what its address holds, `about` every metadata column."""

    number: int
    source: ScoresFile
    file: str
    map: str
    anomaly: float
    p_value: float
    spots: tuple[StoredSpot, ...]
    about: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Tells pictures apart in a browser's cache, whatever number they have after scoring again."""
        return _key(f"{self.source.images}\0{self.file}")


@dataclass(frozen=True)
class Scan:
    """The images of one cavity in one scan, in order of cell and angle; `worst` is the number of the rarest image."""

    number: int
    title: str
    rows: np.ndarray
    worst: int
    worst_p: float
    rarest: float  # p-value that is stated of it
    rare: int
    spots: int

    @property
    def expected(self) -> float:
        """Return how many images as rare a good scan has by chance."""
        return RARE * len(self.rows)


class Part(NamedTuple):
    """Rows of images that belong together: where each comes from, `of_row` (n,) as number among `files`, and the rows
    as a table."""

    files: tuple[ScoresFile, ...]
    of_row: np.ndarray
    table: pa.Table


def read_parts(paths: Iterable[Path]) -> list[Part]:
    """Read the scores files given. Raises SourceError where one cannot be shown, or there is none."""
    read = [read_scores(path) for given in paths for path in files_of(given)]
    if not read:
        raise SourceError("--scans names no Parquet file: give the file that lynkeus score wrote")
    return [Part((source,), np.zeros(table.num_rows, int), table) for source, table in read]


class ScoredImages:
    """Every image of the parts given. Raises SourceError where their columns do not fit together."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.files = [source for part in parts for source in part.files]
        try:
            whole = pa.concat_tables([part.table for part in parts], promote_options="permissive")
            self.table = whole.combine_chunks()
        except pa.ArrowException as error:
            raise SourceError(f"--scans: the columns of the files do not fit together: {error}") from error
        self.names = [name for name in self.table.column_names if name not in SCORES]
        self.anomaly, self.p_value = self._numbers("anomaly"), self._numbers("p_value")
        self.rare = self.p_value <= RARE
        spots = np.array([[self._numbers(f"spot{k}_{f}") for k in range(1, SPOTS + 1)] for f in SPOT_FIELDS[:3]])
        there = np.logical_and.accumulate(np.isfinite(spots).all(axis=0), axis=0)
        self._sigma = np.where(there, spots[2], math.nan).T
        self._clear = (self._sigma > CLEAR_SPOT).sum(axis=1)
        first = np.cumsum([0, *(len(part.files) for part in parts[:-1])])
        self._file_of_row = np.concatenate([n + part.of_row for n, part in zip(first, parts, strict=True)])
        self.scans = self._grouped()
        self.scan_of = np.empty(self.table.num_rows, int)
        for scan in self.scans:
            self.scan_of[scan.rows] = scan.number

    def __len__(self) -> int:
        return self.table.num_rows

    def images(self, rows: Sequence[int] | np.ndarray) -> list[ScoredImage]:
        """Return rows as images."""
        found = self.table.take(pa.array(rows, pa.int64())).to_pylist()
        return [self._image(int(number), row) for number, row in zip(rows, found, strict=True)]

    def image(self, number: int) -> ScoredImage:
        """Return one row as an image."""
        return self.images([number])[0]

    @cached_property
    def keys(self) -> list[tuple[Path, str]]:
        """Folder and file of each image: what a label is of."""
        folders = [self.files[k].images for k in self._file_of_row]
        return list(zip(folders, self.table.column("file").to_pylist(), strict=True))

    def worst_first(self, rows: np.ndarray) -> np.ndarray:
        """Rows by p-value, and by score among equals: conformal p-values have a floor."""
        p_value = np.nan_to_num(self.p_value[rows], nan=math.inf)
        return rows[np.lexsort((-np.nan_to_num(self.anomaly[rows], nan=-math.inf), p_value))]

    def spots_highest_first(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return, for all spots of these rows, the row and which of its spots it is (0 the highest)."""
        sigma = self._sigma[rows].ravel()
        order = np.argsort(-sigma, kind="stable")  # NaN last
        order = order[: np.isfinite(sigma).sum()]
        return rows[order // SPOTS], order % SPOTS

    def places(self, rows: np.ndarray) -> tuple[np.ndarray, list[tuple[float, str]]]:
        """Return where each row is along the scan, and ticks: angles (deg), one turn after the other for several
        cells."""
        if "angle_deg" not in self.names:
            return np.arange(1, len(rows) + 1, dtype=float), []
        angle = self._numbers("angle_deg")[rows]
        cells, first, turn = np.unique(self._sortable("cell")[rows], return_index=True, return_inverse=True)
        if len(cells) == 1:
            return angle, []
        names = [self.image(rows[k]).about.get("cell", "?") for k in first]
        return angle % 360.0 + 360.0 * turn, [(360.0 * k, f"cell {name}") for k, name in enumerate(names)]

    def earlier(self, number: int) -> int | None:
        """The image of the same place in an earlier scan, the latest such; None where metadata tells of none.

        Without times of any kind, an image of the same place in any other scan.
        """
        source, own = self.files[self._file_of_row[number]], self.table.slice(number, 1).to_pylist()[0]
        gap = self._gap(source, own)
        if gap is None:
            return None
        same = gap <= SAME_PLACE_DEG
        for name in ("cavity", "cell", "side"):
            if name in self.names:
                same &= self._is(pc.equal, name, own[name])
        same[number] = False
        if source.time in self.names:
            same &= self._is(pc.less, source.time, own[source.time])
        elif "scan" not in self.names:
            return None
        if "scan" in self.names:
            same &= ~self._is(pc.equal, "scan", own["scan"])
        rows = np.flatnonzero(same)
        if not len(rows):
            return None
        when = self._sortable(source.time)[rows] if source.time in self.names else np.zeros(len(rows))
        return int(rows[np.lexsort((gap[rows], -when))[0]])

    def _gap(self, source: ScoresFile, own: Mapping[str, Any]) -> np.ndarray | None:
        """Return how far each row is from the place of one of them, in degrees; by a named position only 0 or
        infinity."""
        name = source.position or "angle_deg"
        if name not in self.names or own[name] is None:
            return None
        if name == "angle_deg":
            return np.nan_to_num(np.abs((self._numbers(name) - own[name] + 180.0) % 360.0 - 180.0), nan=math.inf)
        return np.where(self._is(pc.equal, name, own[name]), 0.0, math.inf)

    def _is(self, compare: Any, name: str, value: Any) -> np.ndarray:
        if value is None:
            return np.zeros(len(self), bool)
        column = self.table.column(name)
        return compare(column, pa.scalar(value, column.type)).fill_null(False).to_numpy()

    def _numbers(self, name: str) -> np.ndarray:
        if name not in self.table.column_names:
            return np.full(len(self), np.nan)
        return pc.cast(self.table.column(name), pa.float64()).to_numpy().astype(float)

    def _texts(self, name: str) -> np.ndarray:
        if name not in self.names:
            return np.full(len(self), "")
        return np.array(["" if value is None else str(value) for value in self.table.column(name).to_pylist()])

    def _sortable(self, name: str) -> np.ndarray:
        """The rank of each row's value, so that numbers, texts and times sort alike; missing last."""
        if name not in self.names:
            return np.zeros(len(self), int)
        return pc.rank(self.table.column(name), tiebreaker="dense").to_numpy()

    def _grouped(self) -> tuple[Scan, ...]:
        stems = np.array([source.title or source.path.stem for source in self.files])[self._file_of_row]
        cavity, scan = self._texts("cavity"), self._texts("scan")
        groups: dict[tuple[str, str, str], list[int]] = {}
        for row, (one, other) in enumerate(zip(cavity, scan, strict=True)):
            groups.setdefault((str(one), str(other), "" if one or other else str(stems[row])), []).append(row)
        angle = np.nan_to_num(self._numbers("angle_deg"), nan=math.inf)
        cell = self._sortable("cell")
        found = []
        for number, (names, members) in enumerate(sorted(groups.items())):
            rows = np.array(members)
            rows = rows[np.lexsort((angle[rows], cell[rows]))]
            worst = int(self.worst_first(rows)[0])
            counts = int(self.rare[rows].sum()), int(self._clear[rows].sum())
            title = ", ".join(name for name in names if name)
            found.append(Scan(number, title, rows, worst, float(self.p_value[worst]), self._rarest(worst), *counts))
        return tuple(found)

    def _rarest(self, row: int) -> float:
        return self.files[self._file_of_row[row]].rarest

    def _image(self, number: int, row: Mapping[str, Any]) -> ScoredImage:
        spots = []
        for k in range(1, SPOTS + 1):
            *values, good = (row.get(f"spot{k}_{name}") for name in SPOT_FIELDS)
            numbers = [math.nan if value is None else float(value) for value in values]
            if not all(map(math.isfinite, numbers[:3])):
                break
            x, y, sigma, area = numbers
            spots.append(StoredSpot(x, y, sigma, area, good or ""))
        about = {name: row[name] for name in self.names if row[name] is not None}
        scores = float(self.anomaly[number]), float(self.p_value[number])
        source = self.files[self._file_of_row[number]]
        return ScoredImage(number, source, row["file"], row.get("map") or "", *scores, tuple(spots), about)


def _key(text: str) -> str:
    return hashlib.blake2s(text.encode(), digest_size=6).hexdigest()
