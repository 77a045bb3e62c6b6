"""One broken channel, or a moved beam: the strongest channel is judged by what it leaves unexplained.

A fault in channel i shows in the residual of every channel j that is predicted from it, in the known ratio given by
the correlation of their residuals: its shadow. Taken out together with its shadow, a broken monitor leaves quiet
channels behind; a beam that moved does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core import Floats
from lynkeus.scorers.orbit.baseline import Gate
from lynkeus.scorers.orbit.habit import OwnTails
from lynkeus.scorers.orbit.tails import Tails
from lynkeus.scorers.orbit.thin import Thin
from lynkeus.scorers.orbit.walk import Walk
from lynkeus.scorers.orbit.windows import WindowStatistics

SEVERAL = 3  # a broken monitor may take its other plane along; three channels are more than one monitor
QUIET_NATS = 5.0  # what the third strongest channel reaches in good data
MANY = 250  # channels, from which on it reaches more
MEMORY = (1.0, 0.7, 0.4)  # a fault lasts: weights of what was held against the same channel one, two, three windows ago
REMEMBERED_NATS = (2.0, 6.0)  # of earlier nats, what lies above the first counts, up to the second
LOUD_NATS = 12.0  # from here on the shadow of the strongest channel is always taken off the others


class Moved(NamedTuple):
    """Evidence that the mean moved: `nats` (n, c) of each channel; (n,) `strongest` of them, less what it leaves
    unexplained, at the channel `place`; nats that the `rest` of the channels moved, and that the whole orbit did, as
    all channels agree: its `sway`; `doubt`: the rest, or of an orbit that is quiet at a new place, the rest there, and
    `deviation` (n, c), by which channels are judged."""

    nats: Floats
    strongest: Floats
    place: npt.NDArray[np.intp]
    rest: Floats
    sway: Floats
    doubt: Floats
    deviation: Floats

    @property
    def alone(self) -> Floats:
        """Return the evidence (n,) that one channel moved and the others did not: a kick in the line is a kink of one
        channel."""
        return np.asarray(self.strongest - np.maximum(self.doubt - QUIET_NATS, 0.0))


class Misshapen(NamedTuple):
    """Evidence that the spread changed: `nats` (n, c) that a channel is too noisy, too quiet, stuck or gone; `alone`
    (n,) that one channel alone is; `recent` (k, c) for the windows that follow; `now` (n, c): the nats of each window
    by itself."""

    nats: Floats
    alone: Floats
    recent: Floats
    now: Floats


@dataclass(frozen=True)
class FaultOrMotion:
    """Tells a fault of one channel from a movement of the whole orbit; `to_jitter` (c, c) turns residuals into the
    shift of each channel in units of its jitter; what channels say that are not `used` (c,) counts for nothing."""

    tails: Tails
    gate: Gate
    to_jitter: Floats | Thin
    used: npt.NDArray[np.bool_]

    def sway(self, away: Floats) -> Floats:
        """Return the squared shift (n,) in jitters, summed over channels, of residuals (n, c) away from a centre."""
        return np.square(away @ self.to_jitter).sum(axis=1)

    def moved(self, walked: Walk, own: OwnTails | None = None) -> Moved:
        """Return the evidence of n windows that the mean of a channel, or the whole orbit, moved; `own`: the
        tails of each window, where they are not those of the reference."""
        found = self._moved(walked.deviation, walked.energy, walked.away, own)
        rows = walked.elsewhere
        if len(rows):  # the beam has moved, and its monitors are judged by where it is now
            energy = self.gate.energies(walked.here)
            there = None if own is None else OwnTails(own.start[rows], own.scale[rows])
            here = self._moved(walked.here, energy, walked.away[rows], there)
            # A channel that broke as the orbit became loud is off from where it was, and not from there.
            clearer = here.alone > found.alone[rows]
            for name in ("nats", "strongest", "place", "doubt", "deviation"):
                getattr(found, name)[rows[clearer]] = getattr(here, name)[clearer]
        return found

    def _moved(self, deviation: Floats, energy: Floats, away: Floats, own: OwnTails | None) -> Moved:
        nats = self.tails.mean_nats(deviation, own)
        nats[:, ~self.used] = 0.0
        strongest, place, energy = nats.max(axis=1), nats.argmax(axis=1), energy.copy()
        sway = self.sway(away)
        look = np.flatnonzero((strongest > LOUD_NATS) | _several(nats) | (energy > self.gate.energy))
        if len(look):
            top, left = self._best_suspect(deviation[look], nats[look])
            place[look] = top
            energy[look] = self._energy(left)
            fault = deviation[look, top][:, None] * self.gate.correlation[top]
            sway[look] = self.sway(away[look] - fault)
            strongest[look] -= _unexplained(self.tails.mean_nats(left))  # by the reference: doubt is for the accused
        rest = self.tails.energy.nats(energy)
        return Moved(nats, strongest, place, rest, self.tails.sway.nats(sway), rest.copy(), deviation.copy())

    def _best_suspect(self, deviation: Floats, nats: Floats) -> tuple[npt.NDArray[np.intp], Floats]:
        """Return the channel (n,) whose fault explains most, and what is left (n, c) without it and its shadow.

        Asked are the channel that stands out most in its own tails and the one that does in sigmas.
        """
        rows = np.arange(len(nats))
        found = []
        for top in (nats.argmax(axis=1), np.abs(deviation * self.gate.per_sigma).argmax(axis=1)):
            left = deviation - deviation[rows, top][:, None] * self.gate.correlation[top]
            left[rows, top] = 0.0
            left[:, ~self.used] = 0.0
            found.append((top, left, self._energy(left)))
        second = found[1][2] < found[0][2]
        return np.where(second, found[1][0], found[0][0]), np.where(second[:, None], found[1][1], found[0][1])

    def misshapen(self, statistics: WindowStatistics, recent: Floats) -> Misshapen:
        """Return the evidence of n windows that a channel's spread changed; `recent` (k, c): nats of the k windows
        before them, the last one last."""
        nats = self.tails.shape_nats(statistics)
        now = nats.copy()
        now[statistics.mostly_missing()] = 0.0
        nats[:, ~self.used] = 0.0
        alone = -self._others_misshapen(statistics, nats)
        history = np.concatenate([recent, nats])
        history[len(recent) :][statistics.mostly_missing()] = 0.0
        held_against = history - np.float32(REMEMBERED_NATS[0])
        np.maximum(held_against, 0.0, out=held_against)
        np.minimum(held_against, np.float32(REMEMBERED_NATS[1]), out=held_against)
        for back, weight in enumerate(MEMORY, start=1):
            nats += np.float32(weight) * held_against[len(recent) - back : len(history) - back]
        return Misshapen(nats, alone + nats.max(axis=1), history[len(history) - len(recent) :], now)

    def news(
        self, place: npt.NDArray[np.intp], told: npt.NDArray[np.bool_], walked: Walk, statistics: WindowStatistics,
        shots: Callable[[int], Floats],
    ) -> npt.NDArray[np.intp]:  # fmt: skip
        """Return the channel (n,) that is to be named: where the one at `place` (n,) is among those that were `told`
        (n, c), the strongest of the others, if it is wrong also by what they say without those; `shots`: the residuals
        (l, c) of one window."""
        named = place.copy()
        for row in np.flatnonzero(told[np.arange(len(place)), place]):
            old = np.flatnonzero(told[row] & self.used)
            # Without channel i the residual of channel j is r_j - C_ij r_i, and its variance smaller by C_ij squared.
            share = np.linalg.solve(self.gate.correlation[np.ix_(old, old)], self.gate.correlation[old])
            width = np.maximum(1.0 - (share * self.gate.correlation[old]).sum(axis=0), 1e-3)
            left = walked.deviation[row] - walked.deviation[row, old] @ share
            if self.gate.energies(left[None])[0] > self.gate.energy:
                continue  # more than one channel is left: the orbit moves
            one = statistics.rows(np.array([row]))
            rest = shots(int(row))
            spread = np.maximum((rest - rest[:, old] @ share).var(axis=0) * len(rest) / width, 1e-3)
            nats = self.tails.shape_nats(one._replace(spread=spread[None].astype(np.float32)))[0]
            nats = np.maximum(nats, self.tails.mean_nats(left / np.sqrt(width)))
            nats[old], nats[~self.used] = 0.0, 0.0
            if nats.max() > LOUD_NATS + np.log(len(nats)):  # the strongest of so many
                named[row] = nats.argmax()
        return named

    def _others_misshapen(self, statistics: WindowStatistics, nats: Floats) -> Floats:
        """Return the nats (n,) of the spread of other channels that the strongest leaves unexplained."""
        unexplained = np.zeros(len(nats), nats.dtype)
        look = np.flatnonzero(_several(nats))
        if len(look):
            rows, top = np.arange(len(look)), nats[look].argmax(axis=1)
            shadow = self.gate.correlation[top] ** 2
            excess = np.maximum(statistics.spread[look, top] - statistics.length + 1, 0.0)
            spread = np.maximum(statistics.spread[look] - excess[:, None] * shadow, 1e-3)
            rest = statistics.rows(look)._replace(spread=spread)
            others = self.tails.shape_nats(rest)
            others[rows, top] = 0.0
            others[:, ~self.used] = 0.0
            unexplained[look] = _unexplained(others)
        return unexplained

    def _energy(self, deviation: Floats) -> Floats:
        """Return the energy (n,): clipped squared deviations in sigmas, summed over channels."""
        return np.minimum((deviation * self.gate.per_sigma) ** 2, self.gate.energy_clip).sum(axis=1)


def _quiet_of(nats: Floats) -> np.float32:
    """Return what a few of so many channels (n, c) reach in good data by chance."""
    return np.float32(QUIET_NATS + max(np.log(nats.shape[1] / MANY), 0.0))


def _several(nats: Floats) -> npt.NDArray[np.bool_]:
    """Return a mask (n,) of the windows whose third strongest channel has more nats than in good data."""
    return np.add.reduce((nats > _quiet_of(nats)).view(np.int8), axis=1, dtype=np.int16) >= SEVERAL


def _unexplained(nats: Floats) -> Floats:
    """Return the nats (n,) that others have beyond good data, but for one: a broken monitor may take its other plane
    along."""
    excess = np.maximum(nats - _quiet_of(nats), 0.0)
    return excess.sum(axis=1) - excess.max(axis=1)
