"""Whole inspections on disk, as users have them: images of many cavities and scans, metadata, masks, properties."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.simulate.surface.defects import CLASSES, Defect, drawn_defect
from lynkeus.simulate.surface.limits import BARE_MV_M, Weak, limit_mv_m, vertical_test
from lynkeus.simulate.surface.source import START, SURFACES, Shot, screw_pits, take
from lynkeus.simulate.surface.texture import TREATMENTS, VENDORS, Scene

EQUATOR_UM_PER_DEGREE = 1803.0  # of a TESLA cavity, 206.6 mm in diameter
SHIFT = 3  # pixels by which the camera misses a place, at most
LATER = 0.25  # share of the defects that a treatment makes
SOFTENED = {"pit": 0.9, "bump": 0.7, "scratch": 0.6, "stain": 0.4, "cat_eye": 0.9}  # contrast that a treatment leaves
SCREW_PITTED = 0.4  # share of the positions of a screw that get pits
SMALLEST_PIT = 0.4  # radius of a pit when it appears, of its last


@dataclass(frozen=True)
class ScanPlan:
    """What to inspect. Niobium: `cavities` of `cells`, `angles` images around each equator, a scan after each
    treatment.

    `defects` mean number of a cavity, `emitters` share of the cavities that field emission may limit. Ball screw:
    `cavities` are screws, seen at `angles` positions on `visits` days. `size` (rows, columns), `ending` jpg or png.
    Raises SettingsError.
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
        least = min(self.cavities, self.cells, self.angles, self.visits, len(self.treatments))
        if least < 1 or min(self.size) < 16 or self.defects < 0 or not 0 <= self.emitters <= 1 or self.pixel_um <= 0:
            raise SettingsError("ScanPlan: counts must be from 1, size from 16, defects not negative, emitters a share")
        unknown = [name for name in self.treatments if name not in TREATMENTS]
        if unknown or self.surface not in SURFACES or self.ending not in ("jpg", "png"):
            raise SettingsError(
                f"ScanPlan: surface is one of {', '.join(SURFACES)}, treatments of {', '.join(TREATMENTS)}, "
                f"ending jpg or png; got {self.surface!r}, {', '.join(self.treatments)}, {self.ending!r}"
            )


class Entry(NamedTuple):
    """One image to be made: its line of meta.csv, the Shot, and where its spots would quench."""

    row: dict[str, Any]
    shot: Shot
    bare_mv_m: float


def write_scans(folder: Path | str, plan: ScanPlan | None = None, processes: int = 1) -> None:
    """Write `images/<cavity>/<scan>/*`, `masks/` (PNG by the same path, of images with a defect only) and the tables.

    meta.csv: file (relative to images), cavity, cell, angle_deg, side, position, vendor, treatment, scan, time, label
    (good or defect). truth.csv: each defect with kind, x, y, radius in pixels, contrast and the field it allows.
    properties.csv (niobium): what the vertical test after the last scan found. The result does not depend on
    `processes`. Raises SettingsError where the folder holds images already, SourceError where it cannot be written.
    """
    plan, folder = plan or ScanPlan(), Path(folder)
    if (folder / "images").exists():
        raise SettingsError(f"{folder}: holds images already; give another folder")
    entries = list(niobium_entries(plan) if plan.surface == "niobium" else screw_entries(plan))
    write = partial(_write_image, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if processes > 1:
            with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
                found = [row for rows in pool.map(write, entries, chunksize=8) for row in rows]
        else:
            found = [row for entry in entries for row in write(entry)]
        _write_table(folder / "meta.csv", [entry.row for entry in entries])
        _write_table(folder / "truth.csv", found, ("file", "kind", "x", "y", "radius", "contrast", "limit_mv_m"))
        if plan.surface == "niobium":
            _write_table(folder / "properties.csv", [properties(plan, cavity) for cavity in range(plan.cavities)])
    except OSError as error:
        raise SourceError(
            f"{folder}: cannot be written ({error.strerror}); free space or give another folder"
        ) from error


def cavity_name(number: int) -> str:
    """From 0 on."""
    return f"cav{number + 1:03d}"


def weak_spots(plan: ScanPlan, cavity: int) -> list[list[Weak]]:
    """For each scan the defects of a cavity: they stay where they are, treatments soften them, and make new ones."""
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
    """Of the middle of an image, or of a defect in it."""
    away = 0.0 if defect is None else (defect.y - (plan.size[0] - 1) / 2) * plan.pixel_um / EQUATOR_UM_PER_DEGREE
    return (360 * angle / plan.angles + away) % 360


def properties(plan: ScanPlan, cavity: int) -> dict[str, Any]:
    """The line of properties.csv: the vertical test after the last treatment."""
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


def _write_image(folder: Path, entry: Entry) -> list[dict[str, Any]]:
    """Write image and mask; returns the lines of truth.csv."""
    picture, file = take(entry.shot), entry.row["file"]
    image = folder / "images" / file
    image.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(picture.pixels.transpose(1, 2, 0))).save(image, quality=92)
    if picture.mask.any():
        mask = (folder / "masks" / file).with_suffix(".png")
        mask.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.mask.astype(np.uint8) * 255).save(mask)
    return [
        {
            "file": file,
            "kind": defect.kind,
            **{name: round(value, 2) for name, value in spot._asdict().items()},
            "contrast": round(defect.contrast, 3),
            "limit_mv_m": round(limit_mv_m(defect, entry.bare_mv_m), 2),
        }
        for defect, spot in zip(entry.shot.defects, picture.spots, strict=True)
    ]


def _write_table(path: Path, rows: Iterable[Mapping[str, Any]], names: tuple[str, ...] = ()) -> None:
    rows = list(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names or tuple(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
