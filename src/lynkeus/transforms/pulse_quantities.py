"""What one sees of a light pulse at a glance: its area, height, width and rise, measured on waveforms."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Floats

QUANTITIES = ("area_phd", "height_phd_ns", "width_ns", "rise_ns", "fall_ns", "above_ns", "undershoot_phd_ns")
MARGIN = 2  # samples beside the part above threshold that still belong to the pulse


def measure_pulses(waveforms: Floats, step_ns: float, threshold: float) -> Floats:
    """Return (n, QUANTITIES) of (n, samples) baseline-subtracted waveforms in phd per sample.

    The pulse reaches from the first to the last sample beyond +-`threshold`; `width` is where its area goes from 10 to
    90 %, `rise` from 10 to 50 %, `fall` from 50 to 90 %, NaN where there is no area; `above`: time above threshold.
    """
    above = np.abs(waveforms) > threshold  # a pulse may undershoot
    samples = waveforms.shape[1]
    first = above.argmax(axis=1) - MARGIN
    last = samples - 1 - above[:, ::-1].argmax(axis=1) + MARGIN
    at = np.arange(samples)
    some = np.asarray(above.any(axis=1, keepdims=True))
    own = np.where((at >= first[:, None]) & (at <= last[:, None]) & some, waveforms, 0.0)
    running = own.cumsum(axis=1, dtype=np.float64)
    area = running[:, -1]
    t10, t50, t90 = (_crossing(running, share * area) * step_ns for share in (0.1, 0.5, 0.9))
    shape = np.stack([t90 - t10, t50 - t10, t90 - t50], axis=1)
    shape[~some[:, 0] | (area <= 0)] = np.nan
    height, undershoot = own.max(axis=1, initial=0.0) / step_ns, -own.min(axis=1, initial=0.0) / step_ns
    return np.column_stack([area, height, shape, (own > threshold).sum(axis=1) * step_ns, undershoot])


def _crossing(running: Floats, level: Floats) -> Floats:
    """Return (n,) in samples, where a sum first reaches its level, between two samples by a straight line."""
    after = (running >= level[:, None]).argmax(axis=1)
    rows = np.arange(len(running))
    before = np.where(after > 0, running[rows, after - 1], 0.0)
    step = running[rows, after] - before
    return after + np.where(step > 0, (level - before) / np.where(step > 0, step, 1.0), 0.0)
