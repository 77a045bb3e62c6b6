"""Tables of b-tag scale factors as CMS publishes them (BTagCalibration, CSV), as corrections for correctionlib.

A row: operating point, method, systematic, flavour, ranges of eta, pt and discriminant, and a formula in x (pt; of the
operating point 3, reshaping, the discriminant). Formulas are never evaluated by Python: correctionlib parses them.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lynkeus.core import SourceError

COLUMNS = 11
POINTS = {"0": "loose", "l": "loose", "1": "medium", "m": "medium", "2": "tight", "t": "tight",
          "3": "shape", "s": "shape", "shape": "shape"}  # fmt: skip
SHAPE = "shape"
OLD_FLAVOURS = {0: 5, 1: 4, 2: 0}  # of BTagEntry; newer files have the numbers of the Particle Data Group
HEAD = "OperatingPoint, measurementType, sysType, jetFlavor, etaMin, etaMax, ptMin, ptMax, discrMin, discrMax, formula"


@dataclass(frozen=True)
class Row:
    """One line of the table: `flavour` 5, 4 or 0; ranges contain their lower end; `line` is its number in the file."""

    point: str
    method: str
    systematic: str
    flavour: int
    eta: tuple[float, float]
    pt: tuple[float, float]
    discriminant: tuple[float, float]
    formula: str
    line: int


@dataclass(frozen=True)
class Table:
    """All rows of a file, and the name of the tagger."""

    tagger: str
    rows: tuple[Row, ...]
    path: Path

    def of(self, point: str, method: str) -> list[Row]:
        """Return the rows of one correction."""
        return [row for row in self.rows if (row.point, row.method) == (point, method)]

    def kinds(self) -> list[tuple[str, str]]:
        """Return each operating point with each method, in the order of the file."""
        return list(dict.fromkeys((row.point, row.method) for row in self.rows))


def read_table(path: Path) -> Table:
    """Read a CSV file, also gzipped. Raises SourceError with the line for one that is no such table."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SourceError(f"{path}: cannot be read ({reason}); give a CSV file of b-tag scale factors") from error
    lines = text.splitlines()
    if not lines or "operatingpoint" not in lines[0].lower():
        raise SourceError(f"{path}: line 1 is not the head of a table of scale factors, TAGGER;{HEAD}")
    tagger = lines[0].partition(";")[0].strip().strip('"') if ";" in lines[0] else path.name.partition(".")[0]
    return Table(tagger, tuple(_with_flavours(list(_rows(path, lines)))), path)


def _rows(path: Path, lines: Sequence[str]) -> Iterable[Row]:
    for number, cells in enumerate(csv.reader(lines[1:], skipinitialspace=True), 2):
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        if len(cells) != COLUMNS:
            raise SourceError(f"{path}: line {number} has {len(cells)} columns, not {COLUMNS}: {HEAD}")
        point = POINTS.get(cells[0].lower())
        if point is None:
            raise SourceError(f"{path}: line {number}: operating point {cells[0]!r} is none of 0, 1, 2, 3, L, M, T, S")
        try:
            flavour, edges = int(cells[3]), [float(cell) for cell in cells[4:10]]
        except ValueError:
            raise SourceError(f"{path}: line {number}: flavour and ranges must be numbers, got {cells[3:10]}") from None
        if not all(low < high for low, high in (edges[:2], edges[2:4])) or edges[4] > edges[5]:
            raise SourceError(f"{path}: line {number}: a range ends before it begins: {cells[4:10]}; mend that line")
        yield Row(
            point, cells[1], cells[2], flavour, (edges[0], edges[1]), (edges[2], edges[3]), (edges[4], edges[5]),
            cells[10].strip('"'), number,
        )  # fmt: skip


def _with_flavours(rows: Sequence[Row]) -> list[Row]:
    """Flavours as 5, 4, 0: files that hold a 5 or a 4 have these already, others 0, 1, 2 for b, c, light."""
    if any(row.flavour in (4, 5) for row in rows):
        return list(rows)
    return [replace(row, flavour=OLD_FLAVOURS.get(row.flavour, row.flavour)) for row in rows]
