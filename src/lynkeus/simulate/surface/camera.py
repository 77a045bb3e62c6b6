"""The inspection camera: light from strips beside the lens, vignetting, blur, and the noise of the sensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.surface.texture import Scene

FIELD_UM = (13952.0, 11264.0)  # width and height of the camera's field: 3488 x 2816 pixels of 4 um
BLUR_UM = 3.2  # rms width of a point
BRIGHTNESS = 135.0  # of a plain sheet in the middle, of 255
READ_NOISE = 0.9
SHOT_NOISE = 0.16  # squared noise grows by its square for each count


@dataclass(frozen=True)
class Camera:
    """How the light stands: `strips` their relative brightness, `gradient` across the field, `vignetting` the loss in
    the corners, `tint` from left to right; `jitter` how much these change from shot to shot; `noise` scales the
    sensor's."""

    strips: float = 0.10
    gradient: float = 0.12
    vignetting: float = 0.30
    tint: float = 0.04
    jitter: float = 0.10
    noise: float = 1.0


def expose(reflectance: Floats, scene: Scene, camera: Camera, rng: np.random.Generator) -> Array:
    """The picture (3, rows, columns) uint8 of a surface: light, blur, noise, counts that saturate at 255."""
    counts = reflectance * (BRIGHTNESS * light(scene, camera, rng))
    blur = BLUR_UM / scene.pixel_um
    if blur > 0.2:
        counts = ndimage.gaussian_filter(counts, (0, blur, blur), truncate=3)
    noise = rng.standard_normal(counts.shape, dtype=np.float32)
    counts += camera.noise * noise * np.sqrt(READ_NOISE**2 + SHOT_NOISE**2 * np.maximum(counts, 0))
    return np.clip(np.rint(counts), 0, 255).astype(np.uint8)


def light(scene: Scene, camera: Camera, rng: np.random.Generator) -> Floats:
    """(3, rows, columns) illumination, 1 for a plain one; a piece of surface sees its part of the camera's field."""
    x, y = scene.x_um / FIELD_UM[0] * 2, scene.y_um / FIELD_UM[1] * 2  # -1 to 1 over the field
    exposure, slope, fall, middle, tint = 1 + camera.jitter * rng.uniform(-1, 1, 5)
    strips = np.cos(np.pi * (3 * x + 0.3 * middle)) * np.exp(-0.5 * y**2)  # images of the strips, soft
    even = (1 + camera.strips * strips) * (1 + camera.gradient * slope * x)
    even = even * (1 - camera.vignetting * fall * (x**2 + y**2) / 2)
    colour = np.array([1.0, 0.0, -1.0], np.float32)[:, None, None] * (camera.tint * tint * x)
    return ((1 + 0.3 * (exposure - 1)) * even * (1 + colour)).astype(np.float32)
