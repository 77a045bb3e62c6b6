"""Whole inspections of surfaces: images of many cavities and scans, metadata, masks, and what a vertical test found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from lynkeus.core.batch import Array, Batch, Schema
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.surface.defects import CLASSES, Defect, drawn_defect, spots
from lynkeus.simulate.surface.limits import BARE_MV_M, Weak, limit_mv_m, vertical_test
from lynkeus.simulate.surface.source import SCHEMA, START, SURFACES, Shot, defect_mask, image_size, screw_pits, take
from lynkeus.simulate.surface.texture import TREATMENTS, VENDORS, Scene

EQUATOR_UM_PER_DEGREE = 1803.0  # of a TESLA cavity, 206.6 mm in diameter
SHIFT = 3  # pixels by which the camera misses a place, at most
LATER = 0.25  # share of the defects that a treatment makes
SOFTENED = {"pit": 0.9, "bump": 0.7, "scratch": 0.6, "stain": 0.4, "cat_eye": 0.9}  # contrast that a treatment leaves
SCREW_PITTED = 0.4  # share of the positions of a screw that get pits
SHARE = 8  # images that a process makes at a time
SMALLEST_PIT = 0.4  # radius of a pit when it appears, of its last


@dataclass(frozen=True)
class ScanPlan:
    """What to inspect. Niobium: `cavities` of `cells`, `angles` images around each equator, a scan after each
    treatment.

    `defects` mean number of a cavity, `emitters` share of the cavities that field emission may limit. Ball screw:
    `cavities` are screws, seen at `angles` positions on `visits` days. `size` (rows, columns), `ending` jpg or png; in
    a URL `size=512x640` and `treatments=bcp,ep`. As a Source it gives the images one by one: truth 1 with a defect,
    meta as in `meta.csv`. Raises SettingsError.
    """

    surface: str = "niobium"
    cavities: int = 4
    cells: int = 9
    angles: int = 18
    treatments: tuple[str, ...] = ("bcp", "ep")
    visits: int = 12
    defects: float = 3.0
    emitters: float = 0.2
    size: tuple[int, int] = (512, 640)
    pixel_um: float = 8.0
    ending: str = "jpg"
    seed: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.treatments, str):
            object.__setattr__(self, "treatments", tuple(filter(None, self.treatments.split(","))))
        if not isinstance(self.size, tuple):
            object.__setattr__(self, "size", image_size(self.size, "inspection"))
        counts = (self.cavities, self.cells, self.angles, self.visits, self.seed)
        if not all(isinstance(count, int) for count in counts):
            raise SettingsError("ScanPlan: cavities, cells, angles, visits and seed are whole numbers")
        least = min(self.cavities, self.cells, self.angles, self.visits, len(self.treatments))
        if least < 1 or min(self.size) < 16 or self.defects < 0 or not 0 <= self.emitters <= 1 or self.pixel_um <= 0:
            raise SettingsError("ScanPlan: counts must be from 1, size from 16, defects not negative, emitters a share")
        unknown = [name for name in self.treatments if name not in TREATMENTS]
        if unknown or self.surface not in SURFACES or self.ending not in ("jpg", "png"):
            raise SettingsError(
                f"ScanPlan: surface is one of {', '.join(SURFACES)}, treatments of {', '.join(TREATMENTS)}, "
                f"ending jpg or png; got {self.surface!r}, {', '.join(self.treatments)}, {self.ending!r}"
            )

    @property
    def schema(self) -> Schema:
        """Return the schema: colour images of one size."""
        return replace(SCHEMA, shape=(3, *self.size))

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Yield what decides each image, in the order in which they are taken."""
        return tuple(niobium_entries(self) if self.surface == "niobium" else screw_entries(self))

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Batch]:
        for entry in self.entries:
            meta = {name: np.array([value]) for name, value in entry.row.items()}
            truth = np.array([bool(entry.shot.defects)], np.int64)
            yield Batch(self.schema, take(entry.shot).pixels[None], truth=truth, meta=meta)

    def masks(self, batch: Batch) -> Array:
        """Return where the defects of the images of a batch are: (n, rows, columns), True in a defect."""
        return np.stack([defect_mask(self._shots[file]) for file in batch.meta["file"].tolist()])

    @cached_property
    def _shots(self) -> dict[str, Shot]:
        return {entry.row["file"]: entry.shot for entry in self.entries}

    @property
    def tables(self) -> dict[str, Iterable[dict[str, Any]]]:
        """Return what is known beside the images: each defect with kind, x, y, radius in pixels, contrast and the field
        that it allows; of niobium also what the vertical test of each cavity found after the last scan."""
        found: dict[str, Iterable[dict[str, Any]]] = {"truth.csv": (row for e in self.entries for row in _truth(e))}
        if self.surface == "niobium":
            found["properties.csv"] = (properties(self, cavity) for cavity in range(self.cavities))
        return found


class Entry(NamedTuple):
    """One image to be made: its line of meta.csv, the Shot, and where its spots would quench."""

    row: dict[str, Any]
    shot: Shot
    bare_mv_m: float


def cavity_name(number: int) -> str:
    """Return the name of the cavity of that number, from 0."""
    return f"cav{number + 1:03d}"


def weak_spots(plan: ScanPlan, cavity: int) -> list[list[Weak]]:
    """Return the defects of a cavity for each scan: they stay where they are, treatments soften them, and make new
    ones."""
    rng = np.random.default_rng([plan.seed, 11, cavity])
    scans: list[list[Weak]] = [[] for _ in plan.treatments]
    for _ in range(rng.poisson(plan.defects)):
        cell, angle = int(rng.integers(1, plan.cells + 1)), int(rng.integers(plan.angles))
        defect = drawn_defect(str(rng.choice(CLASSES[1:])), plan.size, plan.pixel_um, rng)
        first = int(rng.integers(1, len(scans))) if len(scans) > 1 and rng.random() < LATER else 0
        for scan in range(first, len(scans)):
            softer = replace(defect, contrast=defect.contrast * SOFTENED[defect.kind] ** (scan - first))
            scans[scan].append(Weak(cell, angle, angle_deg(plan, angle, defect), softer))
    return scans


def angle_deg(plan: ScanPlan, angle: int, defect: Defect | None = None) -> float:
    """Return the angle along the equator of the middle of an image, or of a defect in it, in degrees."""
    away = 0.0 if defect is None else (defect.y - (plan.size[0] - 1) / 2) * plan.pixel_um / EQUATOR_UM_PER_DEGREE
    return (360 * angle / plan.angles + away) % 360


def properties(plan: ScanPlan, cavity: int) -> dict[str, Any]:
    """Return the line of properties.csv: the vertical test after the last treatment."""
    rng = np.random.default_rng([plan.seed, 12, cavity])
    emits = bool(rng.random() < plan.emitters)
    test = vertical_test(weak_spots(plan, cavity)[-1], plan.treatments[-1], plan.cells, emits, rng)
    return {"cavity": cavity_name(cavity)} | asdict(test)


def niobium_entries(plan: ScanPlan) -> Iterator[Entry]:
    """Cavity by cavity, scan by scan, ordered by cell and angle. A place keeps its grains from scan to scan."""
    for cavity in range(plan.cavities):
        vendor = list(VENDORS)[cavity % len(VENDORS)]
        weak = weak_spots(plan, cavity)
        for scan, treatment in enumerate(plan.treatments):
            for cell, angle in np.ndindex(plan.cells, plan.angles):
                key = (cavity, cell, angle)
                here = tuple(one.defect for one in weak[scan] if (one.cell, one.image) == (cell + 1, angle))
                scene = Scene(plan.size, plan.pixel_um, (plan.seed, 13, *key), vendor, treatment)
                seconds = ((scan * 30 + cavity) * 86400) + (cell * plan.angles + angle) * 12
                row = {
                    "cell": cell + 1,
                    "angle_deg": round(angle_deg(plan, angle), 2),
                    "side": "equator",
                    "position": f"{cavity_name(cavity)}_c{cell + 1}_{angle:03d}",
                    "vendor": vendor,
                    "treatment": treatment,
                }
                image = f"c{cell + 1}_{angle:03d}.{plan.ending}"
                place = (cavity_name(cavity), f"{scan + 1}_{treatment}", image)
                shot = Shot("niobium", scene, (plan.seed, 14, *key, scan), here, _shift((plan.seed, 15, *key, scan)))
                yield Entry(_row(place, row, seconds, bool(here)), shot, BARE_MV_M[treatment][0])


def screw_entries(plan: ScanPlan) -> Iterator[Entry]:
    """Screw by screw, day by day, position by position: dirt and pits grow."""
    for screw, visit, position in np.ndindex(plan.cavities, plan.visits, plan.angles):
        rng = np.random.default_rng([plan.seed, 21, screw, position])
        born = int(rng.integers(1, plan.visits + 1)) if rng.random() < SCREW_PITTED else plan.visits
        grown = SMALLEST_PIT + (1 - SMALLEST_PIT) * (visit - born) / max(1, plan.visits - 1 - born)
        pits = screw_pits(plan.size, plan.pixel_um, rng) if visit >= born else ()
        pits = tuple(replace(pit, radius_um=pit.radius_um * grown) for pit in pits)
        key = (screw, position, visit)
        dirt = min(1.0, (visit + np.random.default_rng([plan.seed, 22, *key]).uniform(0, 1.5)) / plan.visits)
        scene = Scene(plan.size, plan.pixel_um, (plan.seed, 23, screw, position), dirt=0.9 * dirt)
        name = f"screw{screw + 1:02d}"
        row = {
            "cell": 0,
            "angle_deg": round(angle_deg(plan, position), 2),
            "side": "",
            "position": f"{name}_p{position:02d}",
            "vendor": "",
            "treatment": "",
        }
        shot = Shot("ball_screw", scene, (plan.seed, 24, *key), pits, _shift((plan.seed, 25, *key)))
        place = (name, f"day{visit + 1:03d}", f"p{position:02d}.{plan.ending}")
        yield Entry(_row(place, row, visit * 86400 + position * 12, bool(pits)), shot, np.nan)


def _shift(seed: tuple[int, ...]) -> tuple[int, int]:
    x, y = np.random.default_rng(seed).integers(-SHIFT, SHIFT + 1, 2).tolist()
    return x, y


def _row(place: tuple[str, str, str], row: Mapping[str, Any], seconds: int, defect: bool) -> dict[str, Any]:
    """A line of meta.csv; `place`: cavity, scan, name of the file."""
    time = f"{START + np.timedelta64(seconds, 's')}Z"
    label = "defect" if defect else "good"
    return {"file": "/".join(place), "cavity": place[0], **row, "scan": place[1], "time": time, "label": label}


def _truth(entry: Entry) -> Iterator[dict[str, Any]]:
    """Yield the lines of truth.csv for the defects of an image."""
    defects = entry.shot.defects
    for defect, spot in zip(defects, spots(defects, entry.shot.scene.pixel_um, entry.shot.shift), strict=True):
        yield {
            "file": entry.row["file"],
            "kind": defect.kind,
            **{name: round(value, 2) for name, value in spot._asdict().items()},
            "contrast": round(defect.contrast, 3),
            "limit_mv_m": round(limit_mv_m(defect, entry.bare_mv_m), 2),
        }
