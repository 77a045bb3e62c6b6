"""How long a window of a series should be: whole periods, found in its autocorrelation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lynkeus.core import SettingsError

SHORTEST, LONGEST = 6, 300  # samples: fewer are no shape, and of more there are too few in most series
LAGS = 400
ENOUGH = 64  # samples that show a level, a spread and a shape
NO_PERIOD = 125  # as in TSB-AD (Liu & Paparrizos 2024)
ROWS = 20_000


def autocorrelation_period(series: npt.ArrayLike) -> int | None:
    """Lag in samples of the highest local maximum of the autocorrelation of the first 20,000 rows.

    `series` (rows,) or (rows, channels), which are averaged; NaN counts as the mean. None where the maximum is
    outside 6 to 300 samples, or there is none, as for a drift or a constant.
    """
    rows = np.asarray(series, float)[:ROWS]
    if rows.ndim not in (1, 2):
        raise SettingsError(f"a series has the shape (rows,) or (rows, channels), not {rows.shape}")
    if len(rows) < 2 * SHORTEST:
        return None
    height = _autocorrelation(rows.reshape(len(rows), -1))[3 : LAGS + 1]
    peaks = np.flatnonzero((height[1:-1] > height[:-2]) & (height[1:-1] > height[2:])) + 1
    if not len(peaks):
        return None
    period = int(peaks[np.argmax(height[peaks])]) + 3
    return period if SHORTEST <= period <= LONGEST else None


def window_length(series: npt.ArrayLike) -> int:
    """The least number of whole periods that makes 64 samples; 125 samples where there is no period."""
    period = autocorrelation_period(series)
    return NO_PERIOD if period is None else period * -(-ENOUGH // period)


def _autocorrelation(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return (lags,) from the power spectrum of rows (n, channels), mean of all channels that are not constant."""
    there = np.isfinite(rows)
    mean = np.where(there, rows, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    power = np.abs(np.fft.rfft(np.where(there, rows - mean, 0.0), 2 * len(rows), axis=0)) ** 2
    covariance = np.fft.irfft(power, axis=0)[: len(rows)]
    varies = covariance[0] > 0
    return (covariance[:, varies] / covariance[0, varies]).sum(axis=1) / max(int(varies.sum()), 1)
