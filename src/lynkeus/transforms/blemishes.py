"""Blemishes planted into good images: pits, scratches, stains, foreign pieces and rough patches, with where they are.

None of them is meant to be a true picture of a defect. They are many, of all sizes and contrasts, and not part of the
surface: what tells them from it tells defects from it too (as in CutPaste, arXiv:2104.04015, and DRAEM, 2108.07610).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, gaussian_filter, zoom

from lynkeus.core import Array, Floats

Mask = npt.NDArray[np.bool_]
Window = tuple[slice, slice]
KINDS = ("pit", "scratch", "stain", "piece", "rough")
LARGEST = 60.0  # pixels, radius
MOST = 4  # blemishes in an image
LEAST_CHANGE = 0.04  # of the brightness: what changes less is not called a blemish
LEAST_GREY = 3.0  # and less than this either


class Blemish(NamedTuple):
    """One blemish: its `kind`, its `radius` in pixels (of a scratch: its width), and the `contrast` of a pit: how much
    brighter (above 0) or darker (below) it is, as a logarithm of the factor; None: drawn at random."""

    kind: str
    radius: float | None = None
    contrast: float | None = None


def plant_blemish(
    pixels: Array, wanted: Blemish, others: Sequence[Array], random: np.random.Generator
) -> tuple[Array, Mask]:
    """Return an image (channel, row, column) of 0 ... 255 with one blemish, and the mask (row, column) of what changed;
    where chance makes it as bright as the surface nothing may have changed.

    `others`: good images of the same number of channels, of which pieces are taken.
    """
    made, mask = pixels.astype(np.float32), np.zeros(pixels.shape[1:], bool)
    _plant(made, mask, others, random, wanted)
    return np.clip(np.rint(made), 0, 255).astype(np.uint8), mask


def plant_blemishes(pixels: Array, others: Sequence[Array], random: np.random.Generator) -> tuple[Array, Mask]:
    """Return an image (channel, row, column) of 0 ... 255 with one to MOST blemishes, and a mask (row, column) of them.

    `others`: good images of the same number of channels, of which pieces are taken.
    """
    made, mask = pixels.astype(np.float32), np.zeros(pixels.shape[1:], bool)
    for _ in range(random.integers(1, MOST + 1)):
        _plant(made, mask, others, random, Blemish(KINDS[random.integers(len(KINDS))]))
    return np.clip(np.rint(made), 0, 255).astype(np.uint8), mask


def _plant(made: Floats, mask: Mask, others: Sequence[Array], random: np.random.Generator, wanted: Blemish) -> None:
    kind = wanted.kind
    shape = _SHAPES[kind](made.shape[1:], random, wanted.radius)
    window = _window(made.shape[1:], shape.shape, random)
    inside = tuple(slice(0, part.stop - part.start) for part in window)
    shape = shape[inside]
    soft = gaussian_filter(shape.astype(np.float32), random.uniform(0.4, 1.5 if kind in ("pit", "scratch") else 4.0))
    if not shape.any() or soft.max() <= 0:
        return
    soft /= soft.max()
    part = made[(slice(None), *window)]
    usual = part[:, shape].mean(axis=1)[:, None, None]
    surface = (
        _SURFACES[kind](part, usual, others, random) if wanted.contrast is None else part * np.exp(wanted.contrast)
    )
    new = np.clip(surface, 0, 255)
    change = soft * (new - part)
    mask[window] |= np.abs(change).max(axis=0) > max(LEAST_GREY, LEAST_CHANGE * float(usual.mean()))
    part += change


def _window(size: tuple[int, ...], shape: tuple[int, ...], random: np.random.Generator) -> Window:
    """Return a random window of the image for a blemish; three in ten may hang over its edge by a third."""
    parts = []
    for most, length in zip(size, shape, strict=True):
        length = min(length, most)
        over = length // 3 if random.random() < 0.3 else 0
        start = int(random.integers(-over, most - length + over + 1))
        parts.append(slice(max(start, 0), min(start + length, most)))
    return parts[0], parts[1]


def _noise(shape: tuple[int, ...], grain: float, random: np.random.Generator) -> Floats:
    """Return smooth noise of unit standard deviation with structures of `grain` pixels."""
    coarse = random.normal(size=tuple(int(length / grain) + 3 for length in shape)).astype(np.float32)
    fine = zoom(coarse, grain, order=2, prefilter=False)[: shape[0], : shape[1]]
    return np.asarray(fine / max(float(fine.std()), 1e-6))


def _log_uniform(low: float, high: float, random: np.random.Generator) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(max(high, low)))))


def _pit(size: tuple[int, ...], random: np.random.Generator, radius: float | None) -> Mask:
    """Return the mask of an ellipse of a radius of 1.5 to 25 pixels, with a frayed edge where it is large."""
    radius = radius or _log_uniform(1.5, min(25.0, min(size) / 3), random)
    long, angle = float(np.exp(random.uniform(0, 0.7))), random.uniform(0, np.pi)
    half = int(np.ceil(1.4 * radius * long)) + 1
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    distance = np.hypot(along / long, across * long) / radius
    if radius > 6:
        distance = distance * (1 + 0.17 * _noise(distance.shape, max(4.0, radius), random))
    return np.asarray(distance < 1)


def _scratch(size: tuple[int, ...], random: np.random.Generator, radius: float | None) -> Mask:
    """Return the mask of a line that bends at random, 1 to 7 pixels wide."""
    steps = int(random.uniform(15, min(400.0, max(20.0, 0.7 * max(size)))))
    angle = random.uniform(0, 2 * np.pi) + np.cumsum(random.normal(0, random.uniform(0.01, 0.2), steps))
    y, x = np.cumsum(np.sin(angle)), np.cumsum(np.cos(angle))
    width = int(radius or random.choice([1, 1, 2, 3, 4]))
    rows, columns = (np.rint(axis - axis.min()).astype(int) + width for axis in (y, x))
    line = np.zeros((rows.max() + width + 1, columns.max() + width + 1), bool)
    line[rows, columns] = True
    return np.asarray(binary_dilation(line, iterations=width - 1)) if width > 1 else line


def _region(size: tuple[int, ...], random: np.random.Generator, radius: float | None) -> Mask:
    """Return the mask of a patch with an irregular outline: smooth noise above a level that rises outwards."""
    radius = radius or _log_uniform(10.0, min(LARGEST, max(size) / 4), random)
    half = int(2.5 * radius) + 1
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    return np.asarray(_noise(y.shape, radius, random) > (np.hypot(y, x) / (2 * radius)) ** 6 - 0.5)


def _darker(part: Floats, usual: Floats, others: Sequence[Array], random: np.random.Generator) -> Floats:
    """Darker, or more rarely brighter; or one shade with the structure gone."""
    gain = float(np.exp((1 if random.random() < 0.33 else -1) * random.uniform(0.12, 1.6)))
    if random.random() < 0.7:
        return part * gain
    return usual * gain + 8 * _noise(part.shape[1:], 3.0, random)


def _stained(part: Floats, usual: Floats, others: Sequence[Array], random: np.random.Generator) -> Floats:
    """A shade, each colour by itself; the structure stays."""
    gain = np.exp((1 if random.random() < 0.33 else -1) * random.uniform(0.12, 0.6))
    return np.asarray(part * gain * np.exp(random.normal(0, 0.08, (len(part), 1, 1))), np.float32)


def _pasted(part: Floats, usual: Floats, others: Sequence[Array], random: np.random.Generator) -> Floats:
    """A piece of another good image, turned or mirrored, in half of the cases as bright as what was there."""
    other = others[int(random.integers(len(others)))]
    other = np.rot90(other, int(random.integers(4)), (1, 2))[:, :, :: int(random.choice([-1, 1]))]
    _, rows, columns = part.shape
    at = random.integers(other.shape[1]), random.integers(other.shape[2])
    row, column = (
        (at[axis] + np.arange(length)) % other.shape[1 + axis] for axis, length in enumerate((rows, columns))
    )
    piece = other[:, row[:, None], column].astype(np.float32)
    return piece if random.random() < 0.5 else piece - piece.mean(axis=(1, 2), keepdims=True) + usual


def _roughened(part: Floats, usual: Floats, others: Sequence[Array], random: np.random.Generator) -> Floats:
    """Return the window with noise of another grain, 2 to 12 pixels, added to its structure."""
    noise = _noise(part.shape[1:], _log_uniform(2.0, 12.0, random), random)
    return part + noise * random.uniform(0.15, 1.2) * (float(part.std()) + 5)


_SHAPES: dict[str, Callable[..., Mask]] = {
    "pit": _pit, "scratch": _scratch, "stain": _region, "piece": _region, "rough": _region,
}  # fmt: skip
_SURFACES: dict[str, Callable[..., Floats]] = {
    "pit": _darker, "scratch": _darker, "stain": _stained, "piece": _pasted, "rough": _roughened,
}  # fmt: skip
