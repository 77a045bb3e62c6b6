"""Defects of a metal surface, each with its exact mask: pit, bump, scratch, stain, cat-eye."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.surface.texture import LIGHT

CLASSES = ("good", "pit", "bump", "scratch", "stain", "cat_eye")  # truth is the place in this list
RADIUS_UM = {"pit": (40, 200), "bump": (60, 220), "scratch": (150, 450), "stain": (120, 350), "cat_eye": (70, 220)}
CONTRAST = {"pit": (0.2, 0.7), "bump": (0.15, 0.6), "scratch": (0.2, 0.6), "stain": (0.1, 0.4), "cat_eye": (0.2, 0.7)}
BROWN, BLUE = (0.35, 0.65, 1.0), (1.0, 0.6, 0.25)  # share of the contrast that a stain takes from red, green, blue


@dataclass(frozen=True)
class Defect:
    """One defect: `kind` of CLASSES, middle `x`, `y` in pixels (x right, y down), `radius_um` (scratch: half its
    length).

    `contrast` is the relative change of brightness of its core: pit, scratch and cat-eye are darker by it in the
    middle, a bump brighter and darker by it on its two sides, a stain darker by it in one colour. `angle_deg`: of a
    scratch, of a cat-eye's slit. `ragged`: how far the outline of pit or stain strays from a circle, rms; `seed` of
    that outline.
    """

    kind: str
    x: float
    y: float
    radius_um: float
    contrast: float
    angle_deg: float = 0.0
    ragged: float = 0.0
    seed: int = 0


class DefectSpot(NamedTuple):
    """Where a defect is in its image, in pixels."""

    x: float
    y: float
    radius: float


def drawn_defect(kind: str, shape: tuple[int, int], pixel_um: float, rng: np.random.Generator) -> Defect:
    """A defect of random size (log-uniform in RADIUS_UM), contrast and place, inside an image where it fits into it."""
    least, most = RADIUS_UM[kind]
    radius_um = float(np.exp(rng.uniform(np.log(least), np.log(most))))
    margin = [min(radius_um / pixel_um + 2, (side - 1) / 2) for side in shape]
    y, x = (float(rng.uniform(edge, side - 1 - edge)) for edge, side in zip(margin, shape, strict=True))
    contrast, angle_deg, seed = (
        float(rng.uniform(*CONTRAST[kind])),
        float(rng.uniform(0, 180)),
        int(rng.integers(2**31)),
    )
    return Defect(kind, x, y, radius_um, contrast, angle_deg, 0.15 if kind == "stain" else 0.0, seed)


def plant(reflectance: Floats, defects: Sequence[Defect], pixel_um: float, shift: tuple[int, int] = (0, 0)) -> Array:
    """Put the defects into a reflectance (3, rows, columns), in place; returns the mask (rows, columns).

    `shift`: (x, y) pixels by which the picture is moved. Outside the mask, which is True in a defect, nothing changes.
    """
    _, height, width = reflectance.shape
    mask = np.zeros((height, width), bool)
    for defect in defects:
        x, y, reach = defect.x + shift[0], defect.y + shift[1], 1.5 * defect.radius_um / pixel_um + 2
        rows, columns = _around(y, reach, height), _around(x, reach, width)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        dy, dx = np.ogrid[rows, columns]
        factor, inside = PROFILES[defect.kind](defect, (dx - x) * pixel_um, (dy - y) * pixel_um, pixel_um)
        reflectance[:, rows, columns] *= np.where(inside, factor, 1).astype(np.float32)
        mask[rows, columns] |= inside
    return mask


def _around(middle: float, reach: float, side: int) -> slice:
    return slice(max(0, int(middle - reach)), max(0, min(side, int(middle + reach) + 2)))


def spots(defects: Sequence[Defect], pixel_um: float, shift: tuple[int, int] = (0, 0)) -> tuple[DefectSpot, ...]:
    """Middle and radius of each defect in pixels of the image."""
    return tuple(DefectSpot(d.x + shift[0], d.y + shift[1], d.radius_um / pixel_um) for d in defects)


def _polar(defect: Defect, dx: Floats, dy: Floats) -> Floats:
    """Distance from the middle in units of the outline, whose area is pi r^2 also where it is ragged."""
    distance = np.hypot(dx, dy)
    if defect.ragged == 0:
        return distance / defect.radius_um
    rng, angle = np.random.default_rng(defect.seed), np.arctan2(dy, dx)
    waves = [(k, rng.normal() / k**1.5, rng.uniform(0, 2 * np.pi)) for k in (2, 3, 5, 7)]
    size = np.sqrt(sum(a**2 for _, a, _ in waves) / 2)
    outline = 1 + defect.ragged / size * sum(a * np.cos(k * angle + p) for k, a, p in waves)
    area = np.sqrt(1 + defect.ragged**2)  # the mean of the outline squared
    return distance / (defect.radius_um * np.maximum(outline, 0.3) / area)


def _step(value: Floats, start: float, end: float) -> Floats:
    """0 before `start`, 1 after `end`, smooth between."""
    t = np.clip((value - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)


def _towards_light(defect: Defect, dx: Floats, dy: Floats) -> Floats:
    return (LIGHT[0] * dx + LIGHT[1] * dy) / defect.radius_um


Profile = Callable[[Defect, Floats, Floats, float], tuple[Floats, Array]]


def _pit(defect: Defect, dx: Floats, dy: Floats, _: float) -> tuple[Floats, Array]:
    """Dark and flat in the middle, its far wall lit, a bright rim."""
    r, c = _polar(defect, dx, dy), defect.contrast
    floor = 1 - _step(r, 0.55, 0.85)
    rim = _step(r, 0.7, 0.85) * (1 - _step(r, 0.88, 1.0))
    lit = -0.35 * _towards_light(defect, dx, dy) * _step(r, 0.2, 0.6) * (1 - _step(r, 0.7, 0.95))
    return 1 + c * (0.45 * rim * (1 - 0.6 * _towards_light(defect, dx, dy)) + lit - floor), r <= 1


def _bump(defect: Defect, dx: Floats, dy: Floats, _: float) -> tuple[Floats, Array]:
    """A hill: the slope towards the light is bright, the other dark."""
    r = np.hypot(dx, dy) / defect.radius_um
    slope = np.maximum(1 - r**2, 0) / 0.385  # of the profile (1 - r^2)^2, 1 at its steepest
    return 1 + defect.contrast * slope * _towards_light(defect, dx, dy), r <= 1


def _scratch(defect: Defect, dx: Floats, dy: Floats, pixel_um: float) -> tuple[Floats, Array]:
    """A thin line, slightly bent, with a bright lip; widest in its middle."""
    angle = np.radians(defect.angle_deg)
    along = (dx * np.cos(angle) + dy * np.sin(angle)) / defect.radius_um
    across = -dx * np.sin(angle) + dy * np.cos(angle) - 0.06 * defect.radius_um * along**2
    half_um = max(5.0 + 0.02 * defect.radius_um, 0.75 * pixel_um)
    d = across / (half_um * np.sqrt(np.clip(1 - along**2, 1e-6, 1)))
    dark, lip = 1 - _step(np.abs(d), 0.45, 0.8), _step(d, 0.45, 0.7) * (1 - _step(d, 0.75, 1.0))
    return 1 + defect.contrast * (0.5 * lip - dark), (np.abs(along) <= 1) & (np.abs(d) <= 1)


def _stain(defect: Defect, dx: Floats, dy: Floats, _: float) -> tuple[Floats, Array]:
    """Another hue with soft edges, nothing of a relief."""
    r = _polar(defect, dx, dy)
    tint = np.array(BROWN if defect.seed % 2 else BLUE)[:, None, None]
    return 1 - defect.contrast * tint * (1 - _step(r, 0.5, 1.0)), r <= 1


def _cat_eye(defect: Defect, dx: Floats, dy: Floats, _: float) -> tuple[Floats, Array]:
    """Return the brightness and the mask of a bright ring around a dark slit."""
    r, c, angle = np.hypot(dx, dy) / defect.radius_um, defect.contrast, np.radians(defect.angle_deg)
    narrow = (-dx * np.sin(angle) + dy * np.cos(angle)) / (0.55 * defect.radius_um)
    slit = np.hypot((dx * np.cos(angle) + dy * np.sin(angle)) / (0.85 * defect.radius_um), narrow)
    ring = _step(r, 0.5, 0.75) * (1 - _step(r, 0.85, 1.0))
    dark = 1 - _step(slit, 0.55, 0.8)
    ring *= 0.75 + 0.35 * _towards_light(defect, dx, dy)
    return 1 + c * (ring * (1 - dark) - dark), r <= 1


PROFILES: dict[str, Profile] = {"pit": _pit, "bump": _bump, "scratch": _scratch, "stain": _stain, "cat_eye": _cat_eye}
