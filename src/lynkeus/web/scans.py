"""The scores of image folders as the inspection pages need them: scans, spots, the same place in an earlier scan."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from lynkeus.core.errors import SourceError

RARE = 0.01  # p-value up to which an image is called anomalous
CLEAR_SPOT = 5.0  # sigma
SPOTS = 3
SAME_PLACE_DEG = 3.0
_SPOT_FIELDS = ("x", "y", "sigma", "area")
_SCORES = {"file", "anomaly", "p_value", "map"} | {f"spot{k}_{f}" for k in range(1, SPOTS + 1) for f in _SPOT_FIELDS}


@dataclass(frozen=True)
class ScoresFile:
    """What a scores file says of itself: where images and maps lie, which columns are position and time ("": none)."""

    path: Path
    images: Path
    maps: Path | None
    position: str = ""
    time: str = ""


@dataclass(frozen=True)
class Spot:
    """One of the most anomalous spots: pixels of the image (x right, y down), area in pixels."""

    x: float
    y: float
    sigma: float
    area: float


@dataclass(frozen=True)
class ScoredImage:
    """One row of the scores. `number` is what its address holds, `about` every metadata column."""

    number: int
    source: ScoresFile
    file: str
    map: str
    anomaly: float
    p_value: float
    spots: tuple[Spot, ...]
    about: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Tells pictures apart in a browser's cache, whatever number they have after scoring again."""
        return hashlib.blake2s(f"{self.source.images}\0{self.file}".encode(), digest_size=6).hexdigest()


@dataclass(frozen=True)
class Scan:
    """The images of one cavity in one scan, in order of cell and angle; `worst` is the number of the rarest image."""

    number: int
    title: str
    rows: np.ndarray
    worst: int
    worst_p: float
    rare: int
    spots: int

    @property
    def expected(self) -> float:
        """How many images as rare a good scan has by chance."""
        return RARE * len(self.rows)


class ScoredImages:
    """Every image of the scores files given. Raises SourceError where one cannot be shown."""

    def __init__(self, paths: Iterable[Path]) -> None:
        read = [_read(path) for given in paths for path in _files(given)]
        if not read:
            raise SourceError("--scans names no Parquet file: give the file that lynkeus score wrote")
        self.files = [source for source, _ in read]
        try:
            whole = pa.concat_tables([table for _, table in read], promote_options="permissive")
            self.table = whole.combine_chunks()
        except pa.ArrowException as error:
            raise SourceError(f"--scans: the columns of the files do not fit together: {error}") from error
        self.names = [name for name in self.table.column_names if name not in _SCORES]
        self.anomaly, self.p_value = self._numbers("anomaly"), self._numbers("p_value")
        self.rare = self.p_value <= RARE
        sigma = np.array([self._numbers(f"spot{k}_sigma") for k in range(1, SPOTS + 1)])
        self._clear = (sigma > CLEAR_SPOT).sum(axis=0)
        self._file_of_row = np.repeat(np.arange(len(read)), [table.num_rows for _, table in read])
        self.scans = self._grouped()
        self.scan_of = np.empty(self.table.num_rows, int)
        for scan in self.scans:
            self.scan_of[scan.rows] = scan.number

    def __len__(self) -> int:
        return self.table.num_rows

    def images(self, rows: Sequence[int] | np.ndarray) -> list[ScoredImage]:
        """Rows as images."""
        found = self.table.take(pa.array(rows, pa.int64())).to_pylist()
        return [self._image(int(number), row) for number, row in zip(rows, found, strict=True)]

    def image(self, number: int) -> ScoredImage:
        """One row as an image."""
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

    def places(self, rows: np.ndarray) -> tuple[np.ndarray, list[tuple[float, str]]]:
        """Where each row is along the scan, and ticks: angles (deg), one turn after the other for several cells."""
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
        """How far each row is from the place of one of them, in degrees; by a named position only 0 or infinity."""
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
        stems = np.array([source.path.stem for source in self.files])[self._file_of_row]
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
            found.append(Scan(number, title, rows, worst, float(self.p_value[worst]), *counts))
        return tuple(found)

    def _image(self, number: int, row: Mapping[str, Any]) -> ScoredImage:
        spots = []
        for k in range(1, SPOTS + 1):
            values = [row.get(f"spot{k}_{name}") for name in _SPOT_FIELDS]
            numbers = [math.nan if value is None else float(value) for value in values]
            if math.isfinite(numbers[0]) and math.isfinite(numbers[1]):
                spots.append(Spot(*numbers))
        about = {name: row[name] for name in self.names if row[name] is not None}
        scores = float(self.anomaly[number]), float(self.p_value[number])
        source = self.files[self._file_of_row[number]]
        return ScoredImage(number, source, row["file"], row.get("map") or "", *scores, tuple(spots), about)


def _files(given: Path) -> list[Path]:
    """A file itself; of a folder every Parquet file in it that holds scores."""
    if not given.is_dir():
        return [given]
    return [
        path for path in sorted(given.glob("*.parquet")) if b"lynkeus" in (parquet.read_schema(path).metadata or {})
    ]


def _read(path: Path) -> tuple[ScoresFile, pa.Table]:
    try:
        table = _plain(parquet.read_table(path, partitioning=None))
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{path} cannot be read as a Parquet table of scores: {error}") from error
    missing = [name for name in ("file", "anomaly", "p_value") if name not in table.column_names]
    kept = (table.schema.metadata or {}).get(b"lynkeus")
    if missing or kept is None:
        lacks = f"column {missing[0]!r}" if missing else "where its images are (metadata 'lynkeus')"
        raise SourceError(f"{path} lacks {lacks}: give the file that lynkeus score wrote for a folder of images")
    try:
        said = json.loads(kept)
        maps = Path(said["maps"]) if said.get("maps") else None
        source = ScoresFile(path, Path(said["images"]), maps, said.get("position") or "", said.get("time") or "")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"{path}: its metadata 'lynkeus' cannot be read ({error}); score the images again") from error
    if not table.num_rows:
        raise SourceError(f"{path} holds no image: score a folder of images first")
    return source, table.replace_schema_metadata()


def _plain(table: pa.Table) -> pa.Table:
    """Numbers and texts as such, never as dictionaries, so that they can be compared and joined."""
    fields = []
    for field in table.schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if field.name in ("file", "map"):
            kind = pa.string()
        elif field.name in _SCORES or field.name == "angle_deg":
            kind = pa.float64()
        fields.append((field.name, kind))
    return table.cast(pa.schema(fields, table.schema.metadata))
