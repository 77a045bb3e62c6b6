"""What the inner surface of a niobium cavity looks like: grains, the weld seam of the equator, traces of the making.

Arrays are (row, column) or (channel, row, column) float32; x runs to the right along the axis of the cavity, y down
along the equator, and so does the weld seam, at x = 0 of the camera's field. docs/explanations/surface_simulator.md
has the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image
from scipy import ndimage

from lynkeus.core.batch import Array, Floats

STREAMS = (
    "seam",
    "grains",
    "waviness",
    "levels",
    "rough",
    "rolling",
    "machining",
)  # one seed each: none disturbs another
LIGHT = (0.94, 0.34)  # direction (x, y) towards the light
BOUNDARY_UM = 6.0  # width of a grain boundary
GRAIN_GROWTH = 7.0  # of the molten seam, by its heat
WAVES_UM = ((40.0, 2.5), (200.0, 9.0))  # length and rms of the waviness of grain boundaries
ETCH_MEMORY = 0.6  # correlation of the brightness of a grain before and after another treatment
ROUGH_UM = 7.0  # correlation length of roughness


@dataclass(frozen=True)
class Vendor:
    """How a manufacturer's cavities look. `grain_um` mean intercept length away from the seam; `rolling` relative
    brightness, `rolling_um` width of rolling marks; `hue` of red, green, blue; `seam_um` width of the seam; `ripple_um`
    distance of its ripples (the speed of the welding), `chevron` how far they sag, in ripples."""

    grain_um: float
    rolling: float
    rolling_um: float
    hue: tuple[float, float, float]
    seam_um: float
    ripple_um: float
    chevron: float


@dataclass(frozen=True)
class Treatment:
    """What chemistry leaves, each as relative brightness: `grains` spread from grain to grain; `steps` light and
    shade of the steps between grains, `step_um` wide; `groove` dark boundary; `rough` grain of the metal; `ripples`
    of the seam. `marks`: share of machining and rolling marks that is left."""

    grains: float
    steps: float
    step_um: float
    groove: float
    rough: float
    marks: float
    ripples: float


VENDORS = {
    "a": Vendor(55.0, 0.05, 14.0, (1.00, 0.97, 0.92), 2600.0, 260.0, 2.6),
    "b": Vendor(85.0, 0.02, 30.0, (0.93, 0.98, 1.02), 3400.0, 420.0, 1.2),
    "c": Vendor(120.0, 0.09, 9.0, (1.06, 0.95, 0.83), 2000.0, 180.0, 4.0),
}
TREATMENTS = {
    "none": Treatment(0.02, 0.00, 8.0, 0.02, 0.05, 1.0, 0.13),
    "bcp": Treatment(0.11, 0.10, 3.0, 0.16, 0.06, 0.1, 0.09),
    "ep": Treatment(0.05, 0.05, 14.0, 0.05, 0.015, 0.15, 0.06),
}


@dataclass(frozen=True)
class Scene:
    """A piece of surface: `shape` in pixels of `pixel_um`, its centre at `centre_um` (x, y) of the camera's field.

    `place` is the seed of all that lasts: the same place has the same grains, whatever is done to it. `dirt` 0 to 1;
    `roughness` in that of the treatment: without it what is left is what grains, seam and making look like.
    """

    shape: tuple[int, int]
    pixel_um: float
    place: tuple[int, ...]
    vendor: str = "a"
    treatment: str = "ep"
    centre_um: tuple[float, float] = (0.0, 0.0)
    dirt: float = 0.0
    roughness: float = 1.0

    def stream(self, name: str) -> np.random.Generator:
        """The random numbers of one trait of this place."""
        return np.random.default_rng([*self.place, STREAMS.index(name)])

    @cached_property
    def x_um(self) -> Floats:
        """Return x of the centres of the pixels (1, columns) on the surface, in um."""
        pixels = np.arange(self.shape[1], dtype=np.float32) - (self.shape[1] - 1) / 2
        return (self.centre_um[0] + self.pixel_um * pixels)[None, :].astype(np.float32)

    @cached_property
    def y_um(self) -> Floats:
        """Return y of the centres of the pixels (rows, 1) on the surface, in um."""
        pixels = np.arange(self.shape[0], dtype=np.float32) - (self.shape[0] - 1) / 2
        return (self.centre_um[1] + self.pixel_um * pixels)[:, None].astype(np.float32)


def niobium(scene: Scene) -> Floats:
    """Reflectance (3, rows, columns) relative to a plain sheet, without defects, light or camera."""
    vendor, treatment = VENDORS[scene.vendor], TREATMENTS[scene.treatment]
    across = seam_coordinate(scene)
    label = grain_labels(scene, across)
    level, tint, height = _grain_levels(scene, int(label.max()) + 1)
    grey = 1 + treatment.grains * level[label]
    grey += treatment.steps * _shade(height[label], treatment.step_um / scene.pixel_um)
    grey -= treatment.groove * min(1.0, BOUNDARY_UM / scene.pixel_um) * boundaries(label)
    rough = scene.stream("rough").standard_normal(scene.shape, dtype=np.float32)
    grey += scene.roughness * treatment.rough * _unit_blur(rough, ROUGH_UM / scene.pixel_um)
    molten = np.exp(-(across**6))
    grey += treatment.ripples * _ripples(scene, across) * molten
    grey -= 0.08 * np.exp(-(((np.abs(across) - 1.0) / 0.04) ** 2))  # the rim of the seam
    grey += treatment.marks * _marks(scene) * (1 - 0.9 * molten)
    warm = np.array([0.2, 0.0, -0.2], np.float32)[:, None, None] * (treatment.grains * tint[label])
    return grey * (np.array(vendor.hue, np.float32)[:, None, None] + warm)


def seam_coordinate(scene: Scene) -> Floats:
    """Return (rows, columns): 0 in the middle of the weld seam, -1 and 1 at its rims, which wander a little."""
    half_um = VENDORS[scene.vendor].seam_um / 2
    phase, amplitude = scene.stream("seam").uniform(0, 2 * np.pi, 3), half_um * np.array([0.03, 0.02, 0.01])
    y = scene.y_um / half_um
    wander = sum(a * np.sin(k * y + p) for a, k, p in zip(amplitude, (0.7, 2.3, 6.1), phase, strict=True))
    return ((scene.x_um - wander) / half_um).astype(np.float32)


def grain_labels(scene: Scene, across: Floats) -> Array:
    """Return (rows, columns) number of the grain: Voronoi cells of a Poisson process, larger where the weld was hot.

    The mean intercept length of such cells is pi / 4 / sqrt(points per area) (Meijering 1953; Stoyan, Chiu, Kendall and
    Mecke, Stochastic Geometry), so the density follows from the size that is asked for.
    """
    rng = scene.stream("grains")
    margin = round(VENDORS[scene.vendor].grain_um / scene.pixel_um) + 1  # cells at the edge need neighbours
    hot = np.pad(1 / (1 + (across / 1.3) ** 6), margin, "edge")
    grain = VENDORS[scene.vendor].grain_um / scene.pixel_um
    count = max(1, rng.poisson(hot.size * (np.pi / 4 / grain) ** 2))
    row, column = rng.integers(0, hot.shape[0], count), rng.integers(0, hot.shape[1], count)
    kept = rng.random(count) < (1 + (GRAIN_GROWTH - 1) * hot[row, column]) ** -2.0
    kept[:1] = True  # at least one grain
    row, column = row[kept], column[kept]
    owner = np.zeros(hot.shape, np.int32)
    owner[row, column] = np.arange(len(row))
    empty = np.ones(hot.shape, bool)
    empty[row, column] = False
    nearest = ndimage.distance_transform_edt(empty, return_distances=False, return_indices=True)
    inside = np.s_[margin:-margin, margin:-margin]
    row, column = _wavy(scene)
    return owner[nearest[0][inside], nearest[1][inside]][row, column]


def _wavy(scene: Scene) -> tuple[Array, Array]:
    """Rows and columns moved a little to and fro: grain boundaries are not drawn with a ruler."""
    rng, places = scene.stream("waviness"), []
    for axis, side in enumerate(scene.shape):
        moved = np.arange(side, dtype=np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
        for scale_um, size_um in WAVES_UM:
            moved = moved + smooth_noise(scene.shape, scale_um / scene.pixel_um, rng) * (size_um / scene.pixel_um)
        places.append(np.clip(np.rint(moved), 0, side - 1).astype(np.int32))
    return places[0], places[1]


def boundaries(label: Array) -> Floats:
    """1 where a pixel and the one to its right or below belong to two grains, else 0."""
    edge = np.zeros(label.shape, np.float32)
    edge[:, :-1] = label[:, 1:] != label[:, :-1]
    edge[:-1] = np.maximum(edge[:-1], label[1:] != label[:-1])
    return edge


def _grain_levels(scene: Scene, grains: int) -> tuple[Floats, Floats, Floats]:
    """Brightness, tint and height of each grain, of unit spread: each crystal orientation etches differently.

    A treatment changes the brightness (another facet) but not wholly, and neither tint nor height.
    """
    lasting = scene.stream("levels").standard_normal((3, grains), dtype=np.float32)
    kind = list(TREATMENTS).index(scene.treatment)
    etched = np.random.default_rng([*scene.place, len(STREAMS), kind]).standard_normal(grains, dtype=np.float32)
    level = ETCH_MEMORY * lasting[0] + np.sqrt(1 - ETCH_MEMORY**2) * etched
    return np.clip(level, -2.5, 2.5).astype(np.float32), lasting[1], lasting[2]


def _shade(height: Floats, blur: float) -> Floats:
    """Light and shade of a landscape of steps, each `blur` pixels wide."""
    soft = ndimage.gaussian_filter(height, max(blur / 2, 0.3), truncate=3)
    down, right = np.gradient(soft)
    return (-(LIGHT[0] * right + LIGHT[1] * down) * max(blur, 1.5)).astype(np.float32)


def _unit_blur(noise: Floats, length: float) -> Floats:
    """White noise with this correlation length in pixels, and the spread it would have if seen at full resolution."""
    if length < 0.5:
        return noise * np.float32(2 * length)
    soft = ndimage.gaussian_filter(noise, length / 2, truncate=3)
    return soft / (soft.std() + 1e-9)


def _ripples(scene: Scene, across: Floats) -> Floats:
    """The frozen waves of the weld pool: chevrons, about -1 to 1."""
    vendor, rng = VENDORS[scene.vendor], scene.stream("seam")
    wander = smooth_noise(scene.shape, 350 / scene.pixel_um, rng)
    phase = 2 * np.pi * (scene.y_um / vendor.ripple_um + vendor.chevron * across**2 + 0.12 * wander)
    strength = 1 + 0.4 * smooth_noise(scene.shape, 500 / scene.pixel_um, rng)
    return strength * (0.7 * np.sin(phase) + 0.3 * np.sin(2 * phase + 0.8))


def _marks(scene: Scene) -> Floats:
    """Marks of rolling (all one way, the vendor's own) and of grinding (two ways)."""
    vendor = VENDORS[scene.vendor]
    marks = vendor.rolling * lines(scene, 75.0, vendor.rolling_um, scene.stream("rolling"))
    rng = scene.stream("machining")
    for angle_deg in rng.uniform(-35, 35, 2):
        marks += 0.045 * lines(scene, float(angle_deg), 8.0, rng)
    return marks


def lines(scene: Scene, angle_deg: float, width_um: float, rng: np.random.Generator) -> Floats:
    """Parallel marks of this width at an angle to the x axis, of unit spread where strong, each of finite length."""
    angle = np.radians(angle_deg)
    along = np.abs(scene.x_um * -np.sin(angle) + scene.y_um * np.cos(angle) + 1e5) / (width_um / 2)
    first = int(along.min())
    profile = rng.standard_normal(int(along.max()) - first + 2, dtype=np.float32)
    profile = _unit_blur(profile, 2.0)
    broken = np.clip(0.6 + 0.6 * smooth_noise(scene.shape, 300 / scene.pixel_um, rng), 0, 1.5)
    return profile[along.astype(np.int32) - first] * broken


def smooth_noise(shape: tuple[int, int], scale: float, rng: np.random.Generator) -> Floats:
    """Noise of about unit spread that varies over `scale` pixels."""
    rows, columns = (max(2, int(np.ceil(side / scale)) + 3) for side in shape)
    coarse = Image.fromarray(1.3 * rng.standard_normal((rows, columns), dtype=np.float32))
    box = (1.0, 1.0, 1.0 + min(shape[1] / scale, columns - 1.0), 1.0 + min(shape[0] / scale, rows - 1.0))
    return np.asarray(coarse.resize((shape[1], shape[0]), Image.Resampling.BICUBIC, box=box))
