"""How windows fit what is known of an orbit: its level, the orbits that were left, other places of channels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core import Floats
from lynkeus.scorers.orbit.baseline import Gate, OrbitBaseline, Pace


class Fitting(NamedTuple):
    """How windows fit what is known: deviations (n, c) and energies (n,), for loud ones from the known orbit that
    fits; `which` orbit that is (n,), -1 for the level, None where no window was loud; the `channels` (k,) that are
    known at two places, and whether each is at its other one, `there` (n, k)."""

    deviation: Floats
    energy: Floats
    which: npt.NDArray[np.intp] | None
    channels: npt.NDArray[np.intp]
    there: npt.NDArray[np.bool_]

    def rows(self, count: int) -> Fitting:
        """Return the first windows."""
        which = None if self.which is None else self.which[:count]
        return Fitting(self.deviation[:count], self.energy[:count], which, self.channels, self.there[:count])


def from_known(state: OrbitBaseline, deviation: Floats, raw: Floats, gate: Gate, pace: Pace) -> Fitting:
    """Return the deviations from the level; where that does not fit, from the orbits that were left, and of channels
    from the place that they were at before. Changes `deviation`; `raw`: the same where the level is as well known as
    an orbit that was left."""
    before = deviation if raw is deviation else deviation.copy()
    known_places = places(state, gate, pace)
    channels, there = known_places[0], at_other_places(deviation, known_places, gate)
    if raw is not deviation:
        raw = raw + deviation - before
    energy = gate.energies(deviation)
    if energy.max() <= gate.energy:
        return Fitting(deviation, energy, None, channels, there)
    which = np.full(len(deviation), -1)
    orbits = () if state.course.ramps else state.known
    for row in np.flatnonzero(energy > gate.energy):
        for number, known in enumerate(orbits):
            other = raw[row] + state.level - known
            other_energy = gate.energies(other[None])[0]
            if other_energy <= gate.energy:
                deviation[row], energy[row], which[row] = other, other_energy, number
                break
    return Fitting(deviation, energy, which, channels, there)


Places = tuple[npt.NDArray[np.intp], Floats, Floats]


def places(state: OrbitBaseline, gate: Gate, pace: Pace) -> Places:
    """Return the channels (k,) that are known at another place too, where (k,), and how near they are there (k,)."""
    channels = np.flatnonzero(state.standing.other)
    others = state.standing.other[channels]
    return channels, others, np.minimum(pace.clip * gate.sigma[channels], np.abs(others) / 2)


def at_other_places(deviation: Floats, known: Places, gate: Gate) -> npt.NDArray[np.bool_]:
    """Return in which windows channels that are `known` at another place too are there (n, k), and take what that adds
    off `deviation` (n, c). A channel that seems to be there by the shadow of another one that is wrong is not."""
    channels, others, widths = known
    there = np.abs(deviation[:, channels] - others) < widths if len(channels) else np.zeros((len(deviation), 0), bool)
    if there.any():
        for column, channel in enumerate(channels.tolist()):  # one after the other: each throws a shadow on the rest
            rows = np.flatnonzero(np.abs(deviation[:, channel] - others[column]) < widths[column])
            size = np.abs(deviation[rows] * gate.per_sigma)
            top = size.argmax(axis=1) if len(rows) else rows
            wrong = (top != channel) & (size[np.arange(len(rows)), top] > gate.channel)
            shadow = np.where(wrong, deviation[rows, top] * gate.correlation[top, channel], np.float32(0.0))
            near = rows[np.abs(deviation[rows, channel] - shadow - others[column]) < widths[column]]
            there[:, column] = False
            there[near, column] = True
            deviation[near] -= others[column] * gate.correlation[channel]
    return there
