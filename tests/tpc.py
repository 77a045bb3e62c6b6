"""Hits of a simple detector of its own: straight tracks, single clusters, groups of neighbouring pads, and labels some
of which are turned over at random."""

from __future__ import annotations

import numpy as np

ROWS, PADS, TIMES = 24, 150.0, 250.0
CELLS = (5, 8)
ON, OFF = 0.04, 0.06  # shares of the labels of noise, and of signal, that are turned over


def hit_columns(events: int, seed: int, on: float = ON, off: float = OFF) -> dict[str, np.ndarray]:
    """Return columns of hits as another program might write them: adc (n, pads, times) and numbers."""
    random = np.random.default_rng(seed)
    hits = np.concatenate([_event(number, random) for number in range(events)])
    event, row, pad, time, charge, width, length, signal = hits.T
    away = [(np.arange(many) - many // 2)[None, :] - (place % 1 - 0.5)[:, None] for many, place in
            zip(CELLS, (pad, time), strict=True)]  # fmt: skip
    shape = np.exp(-0.5 * (away[0] / width[:, None]) ** 2)[:, :, None]
    shape = shape * np.exp(-0.5 * (away[1] / length[:, None]) ** 2)[:, None, :]
    adc = shape / shape.sum(axis=(1, 2), keepdims=True) * charge[:, None, None]
    adc += random.normal(0, 1.0, adc.shape)
    turned = random.uniform(size=len(hits))
    on_track = np.where(signal > 0, turned > off, turned < on)
    return {
        "event": event.astype(int), "row": row.astype(int), "pad": pad, "time": time, "charge": adc.sum(axis=(1, 2)),
        "width": width, "adc": adc.astype(np.float32), "on_track": on_track.astype(np.int8),
        "is_signal": signal.astype(int),
    }  # fmt: skip


def _event(number: int, random: np.random.Generator) -> np.ndarray:
    found = []
    for _ in range(random.poisson(10)):
        start, slope = random.uniform((0, 0), (PADS, TIMES)), random.normal(0, 0.8, 2)
        for row in range(ROWS):
            pad, time = start + slope * row + random.normal(0, (0.15, 0.3))
            if 2 < pad < PADS - 2 and 5 < time < TIMES - 5 and random.uniform() > 0.05:
                width = 0.9 + 0.1 * abs(random.normal())
                found.append((row, pad, time, 80 * np.exp(random.normal(0, 0.5)), width, 1.6, 1))
    for _ in range(random.poisson(160)):
        row, pad, time = random.integers(ROWS), random.uniform(2, PADS - 2), random.uniform(5, TIMES - 5)
        width = 0.6 + 0.4 * abs(random.normal())
        found.append((row, pad, time, 35 * np.exp(random.normal(0, 0.7)), width, 1.2 + 0.8 * abs(random.normal()), 0))
    for _ in range(random.poisson(4)):
        row, pad, time = random.integers(ROWS), random.uniform(2, PADS - 20), random.uniform(5, TIMES - 5)
        found += [(row, pad + 1.1 * k, time + random.normal(0, 0.5), 50 * np.exp(random.normal(0, 0.5)), 0.8, 1.2, 0)
                  for k in range(random.integers(4, 15))]  # fmt: skip
    return np.column_stack([np.full(len(found), number + 1000), np.array(found)])
