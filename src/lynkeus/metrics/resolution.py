"""How near images that were made finer are to those that are fine: PSNR, SSIM, and the power at each wavelength."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from lynkeus.core import Array, Floats

WINDOW = 1.5  # pixels, rms, of the window of SSIM
STABLE = (0.01, 0.03)  # of the peak, as published
CAP = 100.0  # dB, of images that are the same


def psnr(found: Array, truth: Array, peak: float) -> Floats:
    """Return (n,) the peak signal-to-noise ratio of images (n, c, row, column) in dB."""
    square = ((np.asarray(found, float) - truth) ** 2).mean(axis=(1, 2, 3))
    return np.minimum(10 * np.log10(peak**2 / np.maximum(square, 1e-300)), CAP)


def ssim(found: Array, truth: Array, peak: float) -> Floats:
    """Return (n,) the structural similarity (Wang et al. 2004) of images (n, c, row, column), 1 where they are the
    same."""
    x, y = np.asarray(found, float), np.asarray(truth, float)
    sigma = (0, 0, WINDOW, WINDOW)
    mean_x, mean_y = gaussian_filter(x, sigma), gaussian_filter(y, sigma)
    var_x = gaussian_filter(x * x, sigma) - mean_x**2
    var_y = gaussian_filter(y * y, sigma) - mean_y**2
    both = gaussian_filter(x * y, sigma) - mean_x * mean_y
    one, two = ((share * peak) ** 2 for share in STABLE)
    found = (2 * mean_x * mean_y + one) * (2 * both + two)
    result: Floats = (found / ((mean_x**2 + mean_y**2 + one) * (var_x + var_y + two))).mean(axis=(1, 2, 3))
    return result


def power(images: Array, bands: int = 8) -> Floats:
    """Return (bands,) the mean power of images (n, c, row, column) in even bands of spatial frequency up to half a
    pixel^-1 along an axis, without their means."""
    x = np.asarray(images, float)
    x = x - x.mean(axis=(2, 3), keepdims=True)
    edges = np.outer(np.hanning(x.shape[2] + 2)[1:-1], np.hanning(x.shape[3] + 2)[1:-1])
    squares = (np.abs(np.fft.fft2(x * edges)) ** 2).mean(axis=(0, 1))
    frequency = np.hypot(np.fft.fftfreq(x.shape[2])[:, None], np.fft.fftfreq(x.shape[3]))
    band = np.minimum((frequency / 0.5 * bands).astype(int), bands)  # corners beyond are left out
    count = np.bincount(band.ravel(), minlength=bands + 1)[:bands]
    total = np.bincount(band.ravel(), squares.ravel(), minlength=bands + 1)[:bands]
    return np.asarray(total / np.maximum(count, 1), float)
