"""How well images are reconstructed, and how sharp they look: two numbers that need not go together."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Floats

FINE = 0.25  # cycles a pixel, half of what a grid can hold: what is finer makes an image look sharp


def mean_square_error(images: Floats, reconstructed: Floats) -> float:
    """Over all numbers of images (n, channel, row, column)."""
    return float(((images.astype(np.float64) - reconstructed) ** 2).mean())


def sharpness(images: Floats, reconstructed: Floats) -> float:
    """Power of fine structure of what is reconstructed, relative to that of the images (n, channel, row, column).

    1: as sharp; below it is blurred, above it has noise or structure that is not there. It does not ask for the same
    structure at the same place: see `mean_square_error` for that.
    """
    return _fine_power(reconstructed) / max(_fine_power(images), 1e-300)


def _fine_power(images: Floats) -> float:
    rows, columns = images.shape[-2:]
    window = np.hanning(rows)[:, None] * np.hanning(columns)  # the edges of an image are no structure
    power = np.abs(np.fft.rfft2(images * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns))
    return float(power[..., frequency > FINE].mean())
