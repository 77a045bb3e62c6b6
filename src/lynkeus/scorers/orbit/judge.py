"""One broken channel, or a moved beam: the strongest channel is judged by what it leaves unexplained.

A fault in channel i shows in the residual of every channel j that is predicted from it, in the known ratio given by
the correlation of their residuals: its shadow. Taken out together with its shadow, a broken monitor leaves quiet
channels behind; a beam that moved does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core import Floats
from lynkeus.scorers.orbit.baseline import Gate
from lynkeus.scorers.orbit.habit import OwnTails
from lynkeus.scorers.orbit.loops import compiled
from lynkeus.scorers.orbit.tails import START_NATS, Tails
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
    (n,) that one channel alone is, which is that at `place`; `recent` (k, c) for the windows that follow; `odd` (n, c):
    whether a window by itself says so."""

    nats: Floats
    alone: Floats
    place: npt.NDArray[np.intp]
    recent: Floats
    odd: npt.NDArray[np.bool_]


class Told(NamedTuple):
    """Which channels are no news in which windows: those that are `off` (n, c) for long, and those whose spread was
    wrong in more windows than right by `long`, of the `run` (n, c)."""

    off: npt.NDArray[np.bool_]
    run: npt.NDArray[np.int32]
    long: int

    def of(self, *index: Any) -> npt.NDArray[np.bool_]:
        """Return it for some windows, or of some windows for some channels."""
        return np.asarray(self.off[index] | (self.run[index] >= self.long))


@dataclass(frozen=True)
class FaultOrMotion:
    """Tells a fault of one channel from a movement of the whole orbit; `to_jitter` (c, c) turns residuals into the
    shift of each channel in units of its jitter; what channels say that are not `used` (c,) counts for nothing;
    `shadow` (c, c): the share of the noise of one channel that shows in the spread of another."""

    tails: Tails
    gate: Gate
    to_jitter: Floats | Thin
    used: npt.NDArray[np.bool_]
    shadow: Floats

    def sway(self, away: Floats) -> Floats:
        """Return the squared shift (n,) in jitters, summed over channels, of residuals (n, c) away from a centre."""
        return np.square(away @ self.to_jitter).sum(axis=1)

    def moved(self, walked: Walk, own: OwnTails | None = None) -> Moved:
        """Return the evidence of n windows that the mean of a channel, or the whole orbit, moved; `own`: the
        tails of each window, where they are not those of the reference."""
        found = self._moved(walked.deviation, walked.energy, walked.away, walked.sway, own)
        rows = walked.elsewhere
        if len(rows):  # the beam has moved, and its monitors are judged by where it is now
            found = found._replace(deviation=found.deviation.copy())
            energy = self.gate.energies(walked.here)
            there = None if own is None else own.rows(rows)
            here = self._moved(walked.here, energy, walked.away[rows], walked.sway[rows], there)
            # A channel that broke as the orbit became loud is off from where it was, and not from there.
            clearer = here.alone > found.alone[rows]
            for name in ("nats", "strongest", "place", "doubt", "deviation"):
                getattr(found, name)[rows[clearer]] = getattr(here, name)[clearer]
        return found

    def _moved(self, deviation: Floats, energy: Floats, away: Floats, sway: Floats, own: OwnTails | None) -> Moved:
        nats, strongest, place, several = self._of_means(deviation, own)
        sway, energy = sway.copy(), energy.copy()
        asked = np.flatnonzero(np.isnan(sway))
        sway[asked] = self.sway(away[asked] if len(asked) < len(away) else away)
        look = np.flatnonzero((strongest > LOUD_NATS) | several | (energy > self.gate.energy))
        if len(look):
            place[look], energy[look], unexplained, rest = self._suspects(look, deviation, nats, away)
            sway[look] = self.sway(rest)
            strongest[look] -= unexplained
        rest = self.tails.energy.nats(energy)
        return Moved(nats, strongest, place, rest, self.tails.sway.nats(sway), rest.copy(), deviation)

    def _of_means(
        self, deviation: Floats, own: OwnTails | None
    ) -> tuple[Floats, Floats, npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """Return the nats (n, c) of means; the strongest (n,), where it is, and whether several are loud."""
        loops = compiled()
        if loops is None or own is None or deviation.dtype != np.float32:
            nats = self.tails.mean_nats(deviation, own)
            nats[:, ~self.used] = 0.0
            return nats, nats.max(axis=1), nats.argmax(axis=1), _several(nats)
        nats, n = np.empty_like(deviation), len(deviation)
        strongest, place, many = np.empty(n, np.float32), np.empty(n, np.intp), np.empty(n, np.int64)
        found = nats, strongest, place, many
        loops.mean_evidence(deviation, self.tails.mean.level, tuple(own), self.used, _quiet_of(nats), found)
        return nats, strongest, place, many >= SEVERAL

    def _suspects(
        self, rows: npt.NDArray[np.intp], deviation: Floats, nats: Floats, away: Floats
    ) -> tuple[npt.NDArray[np.intp], Floats, Floats, Floats]:
        """Return of some windows (k,) the channel whose fault explains most; the energy that is left without it, and
        the nats; and how far `away` (k, c) the rest is.

        Asked are the channel that stands out most in its own tails and the one that does in sigmas.
        """
        loops, k = compiled(), len(rows)
        if loops is not None and deviation.dtype == away.dtype == np.float32:
            place, energy, unexplained = np.empty(k, np.intp), np.empty(k), np.empty(k, np.float32)
            rest, gate, mean = np.empty((k, deviation.shape[1]), np.float32), self.gate, self.tails.mean
            limits = np.array([gate.energy_clip, START_NATS, _quiet_of(nats)], np.float32)
            of_channels = gate.correlation, gate.per_sigma, mean.level, mean.scale, self.used, limits
            result = place, energy, unexplained, rest
            loops.best_suspects(rows, (deviation, nats, away), of_channels, result)
            return result
        deviation, at = deviation[rows], np.arange(k)
        asked = []
        for top in (nats[rows].argmax(axis=1), np.abs(deviation * self.gate.per_sigma).argmax(axis=1)):
            left = deviation - deviation[at, top][:, None] * self.gate.correlation[top]
            left[at, top] = 0.0
            left[:, ~self.used] = 0.0
            asked.append((top, left, self._energy(left)))
        second = asked[1][2] < asked[0][2]
        top, left = np.where(second, asked[1][0], asked[0][0]), np.where(second[:, None], asked[1][1], asked[0][1])
        fault = deviation[at, top][:, None] * self.gate.correlation[top]
        unexplained = _unexplained(self.tails.mean_nats(left))  # by the reference: doubt is for the accused
        return top, self._energy(left), unexplained, away[rows] - fault

    def misshapen(self, statistics: WindowStatistics, recent: Floats) -> Misshapen:
        """Return the evidence of n windows that a channel's spread changed; `recent` (k, c): nats of the k windows
        before them, the last one last."""
        loops = compiled() if statistics.length > 2 else None
        nothing = statistics.mostly_missing()
        history = np.concatenate([recent, np.empty_like(statistics.spread)])
        nats, odd = history[len(recent) :], np.empty(statistics.spread.shape, np.bool_)
        if loops is not None:
            lines = self.tails.of_shape(statistics, QUIET_NATS)
            loops.shape_evidence(statistics.spread, statistics.repeats, lines, self.used, nothing, nats, odd)
        else:
            nats[:] = self.tails.shape_nats(statistics)
            nats[nothing] = 0.0
            np.greater(nats, QUIET_NATS, out=odd)
            nats[:, ~self.used] = 0.0
        alone = -self._others_misshapen(statistics, nats)
        weights, held = np.array(MEMORY, np.float32), np.array(REMEMBERED_NATS, np.float32)
        remembered = (loops.remembered if loops else _remembered)(history, weights, held)
        place = remembered.argmax(axis=1)
        alone += np.take_along_axis(remembered, place[:, None], axis=1)[:, 0]
        return Misshapen(remembered, alone, place, history[len(history) - len(recent) :], odd)

    def news(
        self, place: npt.NDArray[np.intp], told: Told, walked: Walk, statistics: WindowStatistics,
        shots: Callable[[int], Floats],
    ) -> npt.NDArray[np.intp]:  # fmt: skip
        """Return the channel (n,) that is to be named: where the one at `place` (n,) is among those that were `told`,
        the strongest of the others, if it is wrong also by what they say without those; `shots`: the residuals
        (l, c) of one window."""
        named = place.copy()
        for row in np.flatnonzero(told.of(np.arange(len(place)), place)):
            old = np.flatnonzero(told.of(row) & self.used)
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
        unexplained, loops = np.zeros(len(nats), nats.dtype), compiled() if statistics.length > 2 else None
        if loops is not None:
            lines, shown = self.tails.of_shape(statistics, QUIET_NATS), (statistics.spread, statistics.repeats)
            known = self.shadow, _quiet_of(nats), statistics.length
            loops.others_misshapen(*shown, lines, self.used, nats, known, unexplained)
            return unexplained
        look = np.flatnonzero(_several(nats))
        if len(look):
            rows, top = np.arange(len(look)), nats[look].argmax(axis=1)
            shadow = self.shadow[top]
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


def _remembered(history: Floats, weights: Floats, held: Floats) -> Floats:
    """Return the nats (n, c) of the last n of some windows (k + n, c), and what was held against the same channel in
    the k ones before each."""
    held_against = history - held[0]
    np.maximum(held_against, 0.0, out=held_against)
    np.minimum(held_against, held[1], out=held_against)
    nats = history[len(weights) :].copy()
    for back, weight in enumerate(weights, start=1):
        nats += weight * held_against[len(weights) - back : len(history) - back]
    return nats


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
