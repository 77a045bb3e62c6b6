"""How `orbit` looks at windows: statistics, the walk of the baseline past them, and the judgement of what was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Batch, Floats, TimesNs
from lynkeus.scorers.orbit.adopted import NOT_YET, USED
from lynkeus.scorers.orbit.baseline import Gate, OrbitBaseline, Pace
from lynkeus.scorers.orbit.geometry import Geometry
from lynkeus.scorers.orbit.judge import QUIET_NATS, FaultOrMotion, Told
from lynkeus.scorers.orbit.masks import Change, change_of_absence, change_of_masks, runs
from lynkeus.scorers.orbit.tails import Tails
from lynkeus.scorers.orbit.walk import Means, Walk, walk
from lynkeus.scorers.orbit.windows import WindowStatistics, residuals, window_statistics
from lynkeus.scorers.orbit.words import MOSTLY, WindowTests, joined
from lynkeus.transforms.conditional import ConditionalModel

GAP_S = 60.0  # after a longer gap the baseline is found anew
FROZEN_NATS = 200.0
MOST_DENSE = 1000  # channels: of more, the geometry without one takes many seconds, in which a stream would stand still
MASKS_KEPT = 4  # geometries of the last sets of masked channels


@dataclass(frozen=True)
class Sight:
    """All that windows are looked at with. `gate` and `geometry` belong to one set of channels in use; `masked` gives
    the same for another one."""

    model: ConditionalModel
    pace: Pace
    gate: Gate
    tails: Tails | None
    geometry: Geometry
    _others: dict[bytes, Sight] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, model: ConditionalModel, pace: Pace, gate: Gate | None = None, tails: Tails | None = None) -> Self:
        """Return the sight with all channels in use. Without a `gate` any deviation is quiet."""
        geometry = Geometry.of(model, np.ones(len(model.centre), bool))
        first = gate or Gate(np.ones(len(model.centre), np.float32), 6.0, np.inf, geometry.correlation)
        return cls(model, pace, first, tails, geometry)

    def but(self, gate: Gate, tails: Tails | None = None) -> Self:
        """Return a sight with another gate; with tails it knows how far the whole orbit sways in good data."""
        if tails is not None:
            gate = replace(gate, sway=tails.sway.at(QUIET_NATS), to_jitter=self.geometry.to_jitter)
        return replace(self, gate=gate, tails=tails, _others={})

    def masked(self, masked: npt.NDArray[np.uint8]) -> Sight:
        """Return the sight without the channels that are masked."""
        used = masked == USED
        if (used == self.geometry.used).all():
            return self
        key = used.tobytes()
        if key not in self._others:
            geometry = Geometry.of(self.model, used)
            sigma = np.where(used, self.gate.sigma, np.float32(np.inf))
            gate = replace(
                self.gate, sigma=sigma, correlation=geometry.correlation, to_jitter=geometry.to_jitter,
            )  # fmt: skip
            while len(self._others) >= MASKS_KEPT:
                del self._others[next(iter(self._others))]
            self._others[key] = replace(self, gate=gate, geometry=geometry, _others={})
        return self._others[key]

    def statistics(self, batch: Batch) -> WindowStatistics:
        """Return what each window says of each channel."""
        return window_statistics(batch, self.geometry)

    def walk(self, state: OrbitBaseline, batch: Batch, statistics: WindowStatistics) -> Walk:
        """Move the state past a batch; windows that miss most values leave it alone and deviate by nothing. What is
        missing in others becomes what is expected, in the `statistics` too."""
        restart, missing = _gaps(state, batch), statistics.mostly_missing()
        shifts = statistics.raw * (self.geometry.used / self.model.jitter).astype(np.float32)
        means = Means(statistics.mean, restart, batch.time_ns, shifts, statistics.gaps)
        if not missing.any():
            return walk(state, means, self.gate, self.pace)
        given = np.flatnonzero(~missing)
        some = means.rows(given)
        walked = walk(state, some, self.gate, self.pace)
        statistics.mean[given] = some.mean
        deviation, energy, away = np.zeros_like(statistics.mean), np.zeros(len(missing)), np.zeros_like(statistics.mean)
        deviation[given], energy[given], away[given] = walked.deviation, walked.energy, walked.away
        told, sway = np.zeros(deviation.shape, bool), np.full(len(missing), np.nan)
        told[given], sway[given] = walked.told, walked.sway
        elsewhere = given[walked.elsewhere]
        noticed = given[walked.noticed]
        return Walk(deviation, energy, away, sway, noticed, walked.ways, walked.towards, told, elsewhere, walked.here)

    def look(self, batch: Batch, before: OrbitBaseline) -> WindowTests:
        """Return everything about a batch, computed from a state, which stays as it is.

        A channel that is masked, or in use again, changes what all others are compared with: what follows is looked at
        anew.
        """
        parts: list[WindowTests] = []
        while True:
            sight = self.masked(before.standing.masked)
            found = sight._look(batch, before)
            change = sight._change(batch, found)
            if change is None:
                return joined([*parts, found])
            if change.windows:
                found = sight._look(batch[: change.windows], before)
                sight._change(batch[: change.windows], found)  # counts up to there
                before = self.with_masks(found.after, change.masked, change.since_ns)
                parts.append(found._replace(after=before))
            else:
                before = self.with_masks(before, change.masked, change.since_ns)
            if change.windows == len(batch):
                return joined(parts)
            batch = batch[change.windows :]

    def with_masks(
        self, before: OrbitBaseline, masked: npt.NDArray[np.uint8], since_ns: npt.NDArray[np.int64]
    ) -> OrbitBaseline:
        """Return a state in which other channels are masked, each since some time."""
        old, new = self.masked(before.standing.masked), self.masked(masked)
        state = new._turned(before, old)
        state.standing.run[masked != state.standing.masked] = 0.0
        state.standing.masked, state.standing.masked_ns = masked.copy(), since_ns.copy()
        if new.geometry is not old.geometry:
            state.held[masked != USED] = 0.0
        return state

    def taken_over(self, before: OrbitBaseline, other: Sight) -> OrbitBaseline:
        """Return a state of another sight, about the same centre, for this one."""
        masked = before.standing.masked
        return self.masked(masked)._turned(before, other.masked(masked))

    def _turned(self, before: OrbitBaseline, other: Sight) -> OrbitBaseline:
        """Return a copy of a state in the residuals of this sight instead of another one's."""
        state = before.copy()
        if self.geometry is other.geometry:
            return state
        matrix = other.geometry.change_to(self.geometry)
        for name in ("level", "centres", "known", "last"):
            setattr(state, name, (getattr(state, name) @ matrix).astype(np.float32))
        state.pending = [(row @ matrix).astype(np.float32) for row in state.pending]
        state.standing.anchor = (state.standing.anchor @ matrix).astype(np.float32)
        state.course.slope = (state.course.slope @ matrix).astype(np.float32)
        state.course.recent = (state.course.recent @ matrix).astype(np.float32)
        return state

    def _change(self, batch: Batch, found: WindowTests) -> Change | None:
        """Return the first change of the masks in a batch, and count towards later ones in the state after it."""
        if not self.pace.mask_after:
            return None
        statistics, standing, time_ns = found.statistics, found.after.standing, batch.time_ns
        gone = np.zeros(found.run.shape, bool) if statistics.gone is None else statistics.gone
        quick = self.model.modes is not None or len(self.model.centre) <= MOST_DENSE
        after = self.pace.block if quick else np.inf
        absence = change_of_absence(standing, gone, ~statistics.mostly_missing(), after, time_ns)
        some = slice(None if absence is None else absence.windows)
        time_ns = None if time_ns is None else time_ns[some]
        return change_of_masks(standing, found.run[some], self.pace.mask_after, time_ns) or absence

    def _look(self, batch: Batch, before: OrbitBaseline) -> WindowTests:
        """Return everything about a batch by one set of channels in use."""
        assert self.tails is not None  # it is looked at after the fit only
        judge = FaultOrMotion(self.tails, self.gate, self.geometry.to_jitter, self.geometry.used, self.geometry.shadow)
        statistics, after = self.statistics(batch), before.copy()
        if batch.time_ns is not None and len(batch):
            after.standing.masked_ns[after.standing.masked_ns == NOT_YET] = batch.time_ns[0]
        walked = self.walk(after, batch, statistics)
        if "missing_is_said" in batch.meta:
            statistics = statistics.without_missing(batch.meta["missing_is_said"])
        tails = None
        if self.pace.settle:
            quiet = (walked.energy <= self.gate.energy) & ~statistics.mostly_missing()
            tails = self.tails.of_late(after.habit, self._without_shadows(walked.deviation), quiet)
        moved = judge.moved(walked, tails)
        misshapen = judge.misshapen(statistics, before.recent)
        after.recent = misshapen.recent
        frozen = _frozen(statistics)
        mirrored = np.zeros(len(frozen))
        if len(walked.noticed):
            likeness = self._flip_likeness(walked.deviation[walked.noticed], walked.towards, walked.ways)
            mirrored[walked.noticed] = np.maximum(likeness, 0.0) / 2.0  # a likelihood ratio
        rest = moved.rest
        if self.pace.settle:
            rest = self.tails.rest_of_late(after.unrest, rest, quiet)
        loud = np.where(frozen > MOSTLY, FROZEN_NATS * frozen, rest + mirrored)
        stepping = self._stepping(statistics, loud, frozen, before.last)
        if len(frozen):
            after.last = statistics.mean[-1].copy()
        of_shape = misshapen.alone - np.maximum(stepping - QUIET_NATS, 0.0)
        of_mean = moved.strongest - np.maximum(
            moved.doubt - QUIET_NATS, 0.0
        )  # a kick in the line is one channel's kink
        place = np.where(of_shape > of_mean, misshapen.place, moved.place)
        monitor, beam = np.maximum(of_mean, of_shape), np.maximum(loud, moved.sway)
        scores = np.stack([monitor, beam], axis=1).astype(np.float64)
        scores[statistics.mostly_missing()] = np.nan
        run = runs(before.standing, misshapen.odd, _still(frozen, scores[:, 1]))
        if self.pace.settle:
            place = judge.news(place, Told(walked.told, run, self.pace.block), walked, statistics, self._shots(batch))
        nats = np.maximum(moved.nats, misshapen.nats, out=moved.nats)
        deviation, own = walked.deviation, moved.deviation
        if not self.geometry.used.all():
            deviation, own = np.where(self.geometry.used, np.stack([deviation, own]), np.float32(0.0))
        return WindowTests(statistics, deviation, own, nats, run, place, frozen, mirrored, scores, after)

    def _without_shadows(self, deviation: Floats) -> Floats:
        """Return deviations (n, c) in which a channel that is wrong by itself throws no shadow: what it does to the
        others is no habit of theirs."""
        size = np.abs(deviation * self.gate.per_sigma)
        rows = np.flatnonzero(size.max(axis=1, initial=0.0) > self.gate.channel)
        if not len(rows):
            return deviation
        top = size[rows].argmax(axis=1)
        own = deviation[rows, top]
        deviation = deviation.copy()
        deviation[rows] -= own[:, None] * self.gate.correlation[top]
        deviation[rows, top] = own
        return deviation

    def _shots(self, batch: Batch) -> Callable[[int], Floats]:
        """Return what gives the residuals (shots, c) of one window of a batch."""
        return lambda row: residuals(batch[row : row + 1], self.geometry)

    def _stepping(self, statistics: WindowStatistics, loud: Floats, frozen: Floats, last: Floats) -> Floats:
        """Return how `loud` (n,) windows are in which the orbit still moves: a step inside a window is spread of all
        that moved, an orbit that stands elsewhere is not."""
        rows = np.flatnonzero((loud > QUIET_NATS) & (frozen <= MOSTLY))
        if not self.pace.settle or not len(rows):
            return loud
        earlier = np.concatenate([last[None], statistics.mean])[rows]
        change = np.float32(np.sqrt(0.5)) * (statistics.mean[rows] - earlier)
        stepping = loud.copy()
        assert self.tails is not None
        stepping[rows] = np.minimum(loud[rows], self.tails.energy.nats(self.gate.energies(change)))
        return stepping

    def _flip_likeness(self, deviation: Floats, towards: Floats, ways: npt.NDArray[np.intp]) -> Floats:
        """Return how much better (k,) a mirror image about a long-term centre explains the deviation than standing
        still."""
        here = (deviation @ self.geometry.flip)[:, None, :]
        way = towards.reshape(-1, towards.shape[2]) @ self.geometry.flip
        away = here - (2.0 * way).reshape(*towards.shape[:2], -1)[ways]
        # Clipped, so that no mode by itself speaks for a mirror image.
        gain = np.clip(here**2 - away**2, -4.0, 4.0).sum(axis=2)
        return gain.max(axis=1)


def _frozen(statistics: WindowStatistics) -> Floats:
    """Return the share (n,) of the channels that repeat their value all through the window."""
    repeats, most = statistics.repeats, max(statistics.length - 1, 1)
    if not repeats.size or repeats.max() < most:
        return np.zeros(len(repeats))
    return np.asarray((repeats >= most).mean(axis=1, dtype=np.float64))


def _still(frozen: Floats, beam: Floats) -> npt.NDArray[np.bool_]:
    """Return a mask (n,) of the windows in which the orbit stands still, so that the spread of a channel is its own."""
    return np.asarray((frozen <= MOSTLY) & (beam <= 2.0 * QUIET_NATS))


def _gaps(state: OrbitBaseline, batch: Batch) -> Array:
    """Return a mask (n,) of the windows that start more than GAP_S after the end of the one before."""
    if batch.time_ns is None:
        return np.zeros(len(batch), bool)
    ends: TimesNs = batch.meta.get("end_ns", batch.time_ns)
    before = np.concatenate([[state.end_ns or batch.time_ns[0]], ends[:-1]]) if len(batch) else ends
    if len(batch):
        state.end_ns = int(ends[-1])
    return np.asarray(batch.time_ns - before > GAP_S * 1e9)
