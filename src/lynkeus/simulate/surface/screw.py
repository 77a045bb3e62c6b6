"""The thread of a ball screw under a fixed camera: turned metal, shining flanks, dirt that grows with time."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from lynkeus.core.batch import Floats
from lynkeus.simulate.surface.texture import Scene, lines, smooth_noise

LEAD = 0.42  # distance of the grooves, of the width of the picture
SLANT_DEG = 78.0  # of the grooves to the x axis
STEEL = (1.00, 0.99, 0.95)
GREASE = (0.62, 0.70, 0.82)  # share of the light that dirt takes from red, green, blue


def screw(scene: Scene) -> Floats:
    """Reflectance (3, rows, columns) without pits, of `scene.dirt` 0 (clean) to 1.

    The place decides how the thread stands and how the metal was turned; patches of dirt lie where they lay and grow.
    """
    rng = scene.stream("seam")
    angle, offset = np.radians(SLANT_DEG + rng.normal(0, 1.5)), rng.random()
    width_um = scene.shape[1] * scene.pixel_um
    x, y = scene.x_um - scene.centre_um[0], scene.y_um - scene.centre_um[1]
    bulge = 0.12 * (y / width_um) ** 2  # the cylinder bends the lines
    turns = (x * np.sin(angle) - y * np.cos(angle)) / (LEAD * width_um) + bulge + offset
    phase = turns - np.floor(turns)  # 0 to 0.7 the groove, then the land
    grey, land = _profile(phase)
    grey = grey * (1 + 0.05 * lines(scene, SLANT_DEG, 9.0, scene.stream("rolling")))
    grey += 0.10 * land * lines(scene, SLANT_DEG, 24.0, scene.stream("machining"))
    rough = scene.stream("rough").standard_normal(scene.shape, dtype=np.float32)
    grey += 0.03 * ndimage.gaussian_filter(rough, 0.7, truncate=3)
    dirt = _dirt(scene, phase)
    colour = np.array(STEEL)[:, None, None] * (1 - np.array(GREASE)[:, None, None] * dirt)
    return (grey * colour * (1 - 0.35 * _gloss(scene))).astype(np.float32)


def _profile(phase: Floats) -> tuple[Floats, Floats]:
    """Brightness across one turn (two highlights in the groove, a dark shadow at each edge), and how much is land."""
    across = (phase - 0.35) / 0.35  # -1 to 1 over the groove
    shine = 0.75 * np.exp(-(((across + 0.45) / 0.13) ** 2)) + 0.40 * np.exp(-(((across - 0.62) / 0.10) ** 2))
    edge = np.exp(-(((np.abs(across) - 1.0) / 0.07) ** 2))
    land = (np.abs(across) > 1.0).astype(np.float32)
    return 0.62 + 0.14 * across**2 + shine + 0.25 * land - 0.38 * edge, land


def _dirt(scene: Scene, phase: Floats) -> Floats:
    """Return (rows, columns) 0 to 1: patches that are thickest beside the edges of the groove."""
    rng = scene.stream("levels")
    patches = 0.7 * smooth_noise(scene.shape, scene.shape[1] / 8, rng) + 0.35 * smooth_noise(scene.shape, 25.0, rng)
    edges = np.exp(-((np.minimum(np.abs(phase - 0.05), np.abs(phase - 0.66)) / 0.09) ** 2))
    thick = patches + 0.8 * edges - 1.9 + 2.4 * scene.dirt
    return np.clip(0.35 * thick, 0, 0.7)


def _gloss(scene: Scene) -> Floats:
    """Uneven gloss of the metal, 0 to about 1."""
    return np.clip(0.3 + 0.25 * smooth_noise(scene.shape, scene.shape[1] / 5, scene.stream("grains")), 0, 1)
