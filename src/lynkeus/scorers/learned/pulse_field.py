"""Pulses relative to their own accelerating field: set points differ from pulse to pulse, faults are what is left."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Array, Floats

HIGH = 0.9  # of the largest probe amplitude: samples that make up the field
LEAST_SHARE = 0.05  # of the largest amplitude of any signal: a probe that reads less gives no unit


def relative_to_field(values: Array) -> Floats:
    """Pulses (n, 2 * signals, t), I and Q of the probe first, divided by the complex field of each.

    The field is the mean of the probe where it is high. A cavity is nearly linear: all its signals grow and turn with
    its set point. Signals of a pulse without field are divided by the share LEAST_SHARE of the largest of them.
    """
    signals = values[:, 0::2] + 1j * values[:, 1::2]
    amplitude = np.abs(signals)
    high = amplitude[:, 0] > HIGH * np.nanmax(np.nan_to_num(amplitude[:, 0]), axis=1, initial=0.0, keepdims=True)
    field = np.where(high, signals[:, 0], 0.0).sum(axis=1) / np.maximum(high.sum(axis=1), 1)
    least = LEAST_SHARE * np.nan_to_num(amplitude).max(axis=(1, 2), initial=0.0)
    field = np.where(np.abs(field) > least, field, np.where(least > 0, least, 1.0))
    relative = signals / field[:, None, None]
    return np.stack([relative.real, relative.imag], axis=2).reshape(values.shape)
