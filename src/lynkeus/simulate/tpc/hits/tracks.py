"""Tracks of an event: helices from the target through the volume, and where they cross each row of pads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.tpc.hits.volume import LIGHT, Volume

STEEPEST = 0.9  # |sin| of the angle to the beam in the bending plane up to which a row is crossed once, as it should


class Tracks(NamedTuple):
    """(n,) of each track: `momentum` across the field in GeV, `charge` +1 or -1, `angle` to the beam in the bending
    plane, `dip`: dy/ds along the arc, and `ionisation` relative to a minimum-ionising particle."""

    momentum: Floats
    charge: Floats
    angle: Floats
    dip: Floats
    ionisation: Floats


class Crossings(NamedTuple):
    """(k,) of each crossing of a row: number of the `track`, `row`, `x_mm` and `y_mm` (drift), slopes dx/dz and dy/dz,
    and `path`: length over the row in units of its pitch."""

    track: Array
    row: Array
    x_mm: Floats
    y_mm: Floats
    slope_x: Floats
    slope_y: Floats
    path: Floats


def draw_tracks(volume: Volume, many: int, random: np.random.Generator) -> Tracks:
    """Return tracks of a fixed-target event: momenta of an exponential of 2 GeV from 0.15 GeV on, forward."""
    momentum = 0.15 + random.exponential(2.0, many)
    spread = np.clip(0.28 / np.sqrt(momentum), 0.02, 0.5)
    charge = random.choice([-1.0, 1.0], many)
    angle = np.clip(random.normal(0.0, spread), -0.7, 0.7)
    dip = np.clip(random.normal(0.0, 0.7 * spread), -0.6, 0.6)
    slow = np.clip(0.5 / momentum, 0.0, 3.0) ** 2 * (random.uniform(size=many) < 0.25)  # protons and kaons
    return Tracks(momentum, charge, angle, dip, 1.0 + np.minimum(slow, 4.0))


def crossings(volume: Volume, tracks: Tracks, vertex_mm: Floats) -> Crossings:
    """Return where helices from a vertex (x, y in mm; y counts from the pads) cross the rows, within the volume."""
    z = volume.target_mm + volume.pitch_mm * np.arange(volume.rows)
    bend = tracks.charge * LIGHT * volume.field_t / (1000.0 * tracks.momentum)  # 1 / R in 1 / mm, signed
    sine = np.sin(tracks.angle)[:, None] + bend[:, None] * z[None, :]
    seen = np.abs(sine) < STEEPEST
    seen &= np.logical_and.accumulate(seen, axis=1)  # a track that has turned round does not come back as it went
    safe = np.where(seen, sine, 0.0)
    angle, first = np.arcsin(safe), tracks.angle[:, None]
    straight = np.abs(bend)[:, None] < 1e-9
    radius = np.where(straight, 0.0, 1.0 / np.where(straight, 1.0, bend[:, None]))
    along = np.tan(first) * z[None, :]
    x = vertex_mm[0] + np.where(straight, along, (np.cos(first) - np.cos(angle)) * radius)
    arc = np.where(straight, z[None, :] / np.cos(first), (angle - first) * radius)
    y = vertex_mm[1] + tracks.dip[:, None] * arc
    seen &= (x > 0) & (x < volume.width_mm) & (y > 0) & (y < volume.drift_mm)
    track, row = np.nonzero(seen)
    cosine = np.cos(angle[seen])
    slope_x, slope_y = np.tan(angle[seen]), tracks.dip[track] / cosine
    return Crossings(track, row, x[seen], y[seen], slope_x, slope_y, np.sqrt(1.0 + slope_x**2 + slope_y**2))


def deltas(volume: Volume, found: Crossings, share: float, random: np.random.Generator) -> Crossings:
    """Return the rows that delta electrons of some crossings touch: they spiral along the field, so that in one or two
    rows a series of charges lies along the drift, beside the track."""
    chosen = np.flatnonzero(random.uniform(size=len(found.row)) < share)
    if not len(chosen):
        return Crossings(*(np.asarray(own)[:0] for own in found))
    steps = random.integers(4, 16, len(chosen))
    mother = np.repeat(chosen, steps)
    step = np.concatenate([np.arange(1, many + 1) for many in steps])
    radius = np.repeat(random.uniform(3.0, 0.45 * volume.pitch_mm, len(chosen)), steps)
    advance = np.repeat(random.choice([-1.0, 1.0], len(chosen)) * random.uniform(4.0, 9.0, len(chosen)), steps)
    phase = np.repeat(random.uniform(0, 2 * np.pi, len(chosen)), steps) + 1.3 * step
    away = np.repeat(random.normal(0.0, 6.0, len(chosen)), steps)
    x = found.x_mm[mother] + away + radius * np.cos(phase)
    y = found.y_mm[mother] + advance * step
    row = found.row[mother] + (radius * np.sin(phase) > 0.35 * volume.pitch_mm)
    inside = (x > 0) & (x < volume.width_mm) & (y > 0) & (y < volume.drift_mm) & (row < volume.rows)
    flat = np.zeros(int(inside.sum()))
    path = random.uniform(0.2, 0.9, len(flat))
    return Crossings(found.track[mother][inside], row[inside], x[inside], y[inside], flat, flat, path)
