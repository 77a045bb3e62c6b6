"""Pictures of metal surfaces with truth: the inside of niobium cavities, and the thread of a ball screw.

The model and where its numbers come from: docs/explanations/surface_simulator.md. One file each: grains and weld seam
(surface_texture), thread (surface_screw), defects (surface_defects), camera (surface_camera), scans on disk
(surface_scans).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

import numpy as np

from lynkeus.core.batch import Array, Batch, Schema
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.surface.camera import FIELD_UM, Camera, expose
from lynkeus.simulate.surface.defects import CLASSES, Defect, DefectSpot, drawn_defect, plant, spots
from lynkeus.simulate.surface.screw import screw
from lynkeus.simulate.surface.texture import TREATMENTS, VENDORS, Scene, niobium

SURFACES = {"niobium": niobium, "ball_screw": screw}
LARGEST_SHIFT = 4  # pixels
BATCH_PIXELS = 16_000_000
PIT_AREA = (0.001, 0.005)  # of the picture, of all pits of a ball screw together
PIT_CONTRAST = (0.35, 0.75)
PIT_RAGGED = 0.18
START = np.datetime64("2024-01-01T08:00:00")
SCHEMA = Schema("image", ("red", "green", "blue"), shape=(3, None, None))


@dataclass(frozen=True)
class Shot:
    """All that decides one picture; the same Shot gives the same pixels.

    `seed` of what changes from shot to shot (light, noise); `shift` (x, y) whole pixels, at most LARGEST_SHIFT, by
    which the camera missed the place.
    """

    surface: str
    scene: Scene
    seed: tuple[int, ...]
    defects: tuple[Defect, ...] = ()
    shift: tuple[int, int] = (0, 0)
    camera: Camera = field(default_factory=Camera)


class SurfaceImage(NamedTuple):
    """`pixels` (3, rows, columns) uint8, `mask` (rows, columns) True in a defect, `spots` in the order of the
    defects."""

    pixels: Array
    mask: Array
    spots: tuple[DefectSpot, ...]


def take(shot: Shot) -> SurfaceImage:
    """Return the picture of a shot, with the mask of its defects."""
    rows, columns = shot.scene.shape
    wide = replace(shot.scene, shape=(rows + 2 * LARGEST_SHIFT, columns + 2 * LARGEST_SHIFT))
    top, left = LARGEST_SHIFT - shot.shift[1], LARGEST_SHIFT - shot.shift[0]
    reflectance = SURFACES[shot.surface](wide)[:, top : top + rows, left : left + columns]
    mask = plant(reflectance, shot.defects, shot.scene.pixel_um, shot.shift)
    pixels = expose(reflectance, shot.scene, shot.camera, np.random.default_rng(shot.seed))
    return SurfaceImage(pixels, mask, spots(shot.defects, shot.scene.pixel_um, shot.shift))


def defect_mask(shot: Shot) -> Array:
    """Return the mask (rows, columns) of a picture, without making it."""
    return plant(np.ones((3, *shot.scene.shape), np.float32), shot.defects, shot.scene.pixel_um, shot.shift)


@dataclass
class SurfaceSource:
    """Pictures of a metal surface as batches (n, 3, rows, columns) uint8, each from its own seed.

    `surface` niobium or ball_screw; `size` rows and columns in pixels of `pixel_um`: 256, "2816x3488" or (2816,
    3488). `defects`: share of the images with a defect of `kind` (a class, or "all"; a ball screw has pits only);
    without them the same seed gives the same images good. `vendor` and `treatment` of niobium: a name, or "all".
    `positions`: 0, every image is another place; else the camera comes back to as many places in turn, a day later,
    missing by up to two pixels; on a ball screw dirt grows with each visit. Batch.truth: the place in CLASSES. meta:
    file, position, scan, time, vendor, treatment, kind, spot_x, spot_y, spot_radius of the first spot (NaN without).
    Masks: `pictures`. Raises SettingsError.
    """

    images: int = 100
    size: int | str | tuple[int, int] = 256
    surface: str = "niobium"
    vendor: str = "all"
    treatment: str = "all"
    defects: float = 0.0
    kind: str = "all"
    positions: int = 0
    pixel_um: float = 4.0
    seed: int = 1
    batch: int = 32

    def __post_init__(self) -> None:
        self.shape = image_size(self.size, "surface")
        for name, least in {"images": 1, "positions": 0, "seed": 0, "batch": 1}.items():
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < least:
                raise SettingsError(f"sim://surface: {name} must be a whole number from {least}, got {value!r}")
        for name, most in {"defects": 1.0, "pixel_um": 1000.0}.items():
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 <= value <= most or (name == "pixel_um" and value < 0.1):
                raise SettingsError(f"sim://surface: {name} must be a number up to {most:g}, got {value!r}")
        kinds = CLASSES[1:] if self.surface == "niobium" else ("pit",)
        known = {"surface": tuple(SURFACES), "vendor": tuple(VENDORS), "treatment": tuple(TREATMENTS), "kind": kinds}
        for name, names in known.items():
            names = names if name == "surface" else ("all", *names)
            if getattr(self, name) not in names:
                raise SettingsError(
                    f"sim://surface: no {name} {getattr(self, name)!r}; there are {', '.join(map(str, names))}"
                )

    @property
    def schema(self) -> Schema:
        """Return the schema: colour images of any size."""
        return SCHEMA

    def __len__(self) -> int:
        return self.images

    def of_length(self, samples: int) -> Self:
        """Return the same simulation with so many images."""
        return replace(self, images=samples)

    def masks(self, batch: Batch) -> Array:
        """Return where the defects of the images of a batch are: (n, rows, columns), True in a defect."""
        shots = [self.shot(int(file)) for file in batch.meta["file"]]
        return np.stack([defect_mask(shot) for shot in shots])

    def __iter__(self) -> Iterator[Batch]:
        step = max(1, min(self.batch, BATCH_PIXELS // (self.shape[0] * self.shape[1])))
        for first in range(0, self.images, step):
            shots = [self.shot(index) for index in range(first, min(first + step, self.images))]
            pictures = [take(shot) for shot in shots]
            kinds = [shot.defects[0].kind if shot.defects else "good" for shot in shots]
            truth = np.array([CLASSES.index(kind) for kind in kinds])
            yield Batch(
                SCHEMA,
                np.stack([picture.pixels for picture in pictures]),
                truth=truth,
                meta=self._meta(first, shots, pictures),
            )

    def pictures(self) -> Iterator[SurfaceImage]:
        """The same images one by one, with masks and all spots."""
        for index in range(self.images):
            yield take(self.shot(index))

    def shot(self, index: int) -> Shot:
        """Return what decides image number `index`, whatever came before."""
        place, visit = (index % self.positions, index // self.positions) if self.positions else (index, 0)
        lasting, passing = (np.random.default_rng([self.seed, *key]) for key in ((1, place), (2, index)))
        niobium_surface = self.surface == "niobium"
        room = [max(0.0, (whole - n * self.pixel_um) / 2) for whole, n in zip(FIELD_UM, self.shape[::-1], strict=True)]
        centre = (float(lasting.uniform(-room[0], room[0])), float(lasting.uniform(-room[1], room[1])))
        vendor, treatment = lasting.choice(list(VENDORS)), passing.choice(list(TREATMENTS))
        visits = -(-self.images // self.positions) if self.positions else 1
        age = (visit + passing.uniform(0, 1)) / visits
        scene = Scene(
            self.shape,
            self.pixel_um,
            (self.seed, 3, place),
            str(vendor) if self.vendor == "all" else self.vendor,
            str(treatment) if self.treatment == "all" else self.treatment,
            centre if niobium_surface else (0.0, 0.0),
            0.0 if niobium_surface else float(0.1 + 0.8 * age),
        )
        x, y = passing.integers(-2, 3, 2).tolist() if self.positions else (0, 0)
        return Shot(self.surface, scene, (self.seed, 4, index), self._defects(index), (x, y))

    def _defects(self, index: int) -> tuple[Defect, ...]:
        rng = np.random.default_rng([self.seed, 5, index])
        if rng.random() >= self.defects:
            return ()
        if self.surface == "ball_screw":
            return screw_pits(self.shape, self.pixel_um, rng)
        kind = str(rng.choice(CLASSES[1:])) if self.kind == "all" else self.kind
        return (drawn_defect(kind, self.shape, self.pixel_um, rng),)

    def _meta(self, first: int, shots: list[Shot], pictures: list[SurfaceImage]) -> dict[str, Array]:
        index = np.arange(first, first + len(shots))
        place, visit = (index % self.positions, index // self.positions) if self.positions else (index, 0 * index)
        of_niobium = self.surface == "niobium"
        spot = np.array([picture.spots[0] if picture.spots else (np.nan,) * 3 for picture in pictures])
        return {
            "file": np.array([f"{number:06d}" for number in index]),
            "position": np.array([f"p{number:06d}" for number in place]),
            "scan": visit.astype(str),
            "time": (START + visit * np.timedelta64(1, "D")).astype(str),
            "vendor": np.array([shot.scene.vendor if of_niobium else "" for shot in shots]),
            "treatment": np.array([shot.scene.treatment if of_niobium else "" for shot in shots]),
            "kind": np.array([shot.defects[0].kind if shot.defects else "" for shot in shots]),
            "spot_x": spot[:, 0],
            "spot_y": spot[:, 1],
            "spot_radius": spot[:, 2],
        }


def screw_pits(shape: tuple[int, int], pixel_um: float, rng: np.random.Generator) -> tuple[Defect, ...]:
    """One to three ragged pits that cover PIT_AREA of the picture together, the largest first."""
    area = np.exp(rng.uniform(*np.log(PIT_AREA))) * shape[0] * shape[1]
    shares = np.sort(rng.dirichlet(np.full(int(rng.choice([1, 1, 1, 2, 3])), 3.0)))[::-1]
    pits = []
    for share in shares:
        radius = float(np.sqrt(area * share / np.pi))
        y, x = (float(rng.uniform(radius, side - 1 - radius)) for side in shape)
        contrast, seed = float(rng.uniform(*PIT_CONTRAST)), int(rng.integers(2**31))
        pits.append(Defect("pit", x, y, radius * pixel_um, contrast, 0.0, PIT_RAGGED, seed))
    return tuple(pits)


def image_size(size: object, simulator: str) -> tuple[int, int]:
    """Return rows and columns from 256, "2816x3488" or (2816, 3488). Raises SettingsError."""
    sides = size.split("x") if isinstance(size, str) else size if isinstance(size, tuple | list) else (size, size)
    try:
        rows, columns = (int(side) for side in sides)
        if min(rows, columns) >= 16 and rows * columns <= 100_000_000:
            return rows, columns
    except (TypeError, ValueError):
        pass
    raise SettingsError(
        f"sim://{simulator}: size must be like 256 or 2816x3488 (rows x columns, each from 16), got {size!r}"
    )
