"""The recommended scorer for beam orbits: which monitor disagrees with all the others, and did the orbit itself move.

Every channel is compared with what all other channels say of it (conditional residual), against a baseline that
follows slow drift but not faults. A window is tested for its mean, for too much and for too little spread, and for
repeated values; every channel's tails are calibrated by themselves, so that a channel with heavy tails does not
speak for the others. `monitor` is the evidence of the strongest channel, less what is left when that channel is
taken out: one broken monitor explains everything, a moved beam does not. `beam` is the evidence that the rest of
the orbit moved, froze, or was mirrored about a past orbit. Both are in nats: -ln of the chance in good data.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from lynkeus.core import (
    About,
    Array,
    Batch,
    Evidence,
    Finding,
    Floats,
    LastBatch,
    ModelError,
    Scores,
    Source,
    Unseen,
)
from lynkeus.files.arrays import arrays_of, part_of, read_folder, write_folder
from lynkeus.scorers.orbit.baseline import CENTRE_WINDOWS, Gate, OrbitBaseline, Pace, Walk, walk
from lynkeus.scorers.orbit.judge import MEMORY, QUIET_NATS, FaultOrMotion
from lynkeus.scorers.orbit.tails import Kept, Tails, fit_tails
from lynkeus.scorers.orbit.windows import WindowStatistics, window_statistics
from lynkeus.scorers.orbit.words import MOSTLY, OrbitWords, WindowTests
from lynkeus.transforms.conditional import ConditionalModel, fit_conditional
from lynkeus.transforms.rows import like_values
from lynkeus.transforms.thinned import Thinned

GAP_S = 60.0  # after a longer gap the baseline is found anew
GATE_WIDTHS, NOTICE_WIDTHS = 6.0, 2.0  # robust sigmas of the energy of all channels
FROZEN_NATS = 200.0
WORTH_SAYING = 2.0  # nats: one window in seven
SURE_SIGMA, SURE_NATS = 8.0, 16.0  # beyond this no chance is left in weeks of windows


@dataclass
class Orbit:
    """Outputs `monitor` and `beam` for windows of a table (or single rows).

    `pace` sets how the baseline follows drift. Learned: `schema_`, `model_`, `tails_`, `gate_`, `flip_` (c, modes).
    """

    outputs: ClassVar[tuple[str, ...]] = ("monitor", "beam")
    about: ClassVar[About] = About(("table", "waveform"), False, "residual in sigmas", "seconds")
    evidence_labels: ClassVar[dict[str, str]] = {
        "monitor": "evidence against the channel (nats)",
        "beam": "shift against the baseline (sigma)",
    }
    pace: Pace = field(default_factory=Pace)
    _memo: LastBatch[WindowTests] = field(default_factory=LastBatch, init=False, repr=False)

    def fit(self, source: Source) -> Self:
        """Learn from windows (or rows) in time order. Raises SchemaError where nothing can be learned."""
        self.schema_ = source.schema
        self.model_ = fit_conditional(source)
        channels = len(self.model_.centre)
        self._prepare()
        sigma = np.ones(channels, np.float32)
        self.gate_ = Gate(sigma, 6.0, np.inf, self._correlation)
        for _ in range(2):  # the first walk finds the scale of quiet deviations, the second walks by it
            self._start = self._first_baseline(source)
            kept = self._walk_through(source)
            quiet = kept.energy <= np.quantile(kept.energy, 0.9)
            spread = np.diff(np.quantile(kept.deviation[quiet], [0.16, 0.84], axis=0), axis=0)[0] / 2
            self.gate_ = Gate(np.maximum(spread, 1e-3).astype(np.float32), 6.0, np.inf, self._correlation)
            energy = self.gate_.energies(kept.deviation)
            middle = float(np.median(energy))
            width = 1.4826 * float(np.median(np.abs(energy - middle)))
            levels = middle + GATE_WIDTHS * width, middle + NOTICE_WIDTHS * width
            self.gate_ = Gate(self.gate_.sigma, 6.0, levels[0], self._correlation, levels[1])
        kept = self._walk_through(source)
        self.tails_ = fit_tails(kept, self.gate_)
        self._discriminator = FaultOrMotion(self.tails_, self.gate_, self._to_jitter)
        self._start = self._baseline.copy()
        self._start.known = self._start.known[:0]
        self.resume({})
        return self

    def score(self, batch: Batch) -> Scores:
        """Return the evidence (n, 2) in nats, `monitor` and `beam`; NaN for a window that misses more than half of its
        values."""
        return self._found(batch).scores

    def explain(self, batch: Batch, output: str = "monitor") -> Evidence:
        """Return the evidence of each channel in the shape of `values`: nats for `monitor`, deviations in sigmas for
        `beam`."""
        found = self._found(batch)
        evidence = found.nats if output == "monitor" else found.deviation / self.gate_.sigma
        return like_values(batch, evidence[:, None, :])

    def find(self, batch: Batch, output: str = "monitor") -> list[tuple[Finding, ...]]:
        """Name the monitor that is wrong, or the channel that moved most; from WORTH_SAYING nats on in words too."""
        found, names = self._found(batch), self.schema_.names
        moved = np.abs(found.deviation / self.gate_.sigma).argmax(axis=1)
        monitor = output == "monitor"
        place, nats = (found.place if monitor else moved), found.scores[:, 0 if monitor else 1]
        words = OrbitWords(
            names, (self.schema_.units or ("",))[0], self.model_.conditional_sigma, self.tails_, self.gate_.sigma
        )
        say = words.monitor if monitor else words.beam
        return [
            (Finding(where=names[channel], says=say(found, row) if nats[row] > WORTH_SAYING else ""),)
            for row, channel in enumerate(place.tolist())
        ]

    def unseen(self, batch: Batch) -> Unseen:
        """Return the scores as they are; no good data is a channel beyond SURE_SIGMA of its quiet deviation, and where
        the orbit moved by SURE_NATS."""
        found = self._found(batch)
        sigma = np.abs(found.deviation * self.gate_.per_sigma)
        most = np.array(self.schema_.names)[sigma.argmax(axis=1)]
        moved = found.scores[:, 1] > SURE_NATS
        wrong = (sigma.max(axis=1) > SURE_SIGMA) & ~moved
        return Unseen(found.scores, np.stack([np.where(wrong, most, ""), np.where(moved, most, "")], axis=1))

    def update(self, batch: Batch) -> None:
        """Move the baseline past a batch."""
        self._baseline = self._found(batch).after
        self._memo.forget()

    def state(self) -> dict[str, Array]:
        """Return the baseline as arrays."""
        return self._baseline.to_arrays()

    def resume(self, state: dict[str, Array]) -> None:
        """Go on from a state; from the fitted baseline where it is empty."""
        self._memo.forget()
        if state:
            self._baseline = OrbitBaseline.from_arrays(state)
        else:
            self._baseline = self._start.copy()
            self._baseline.fresh, self._baseline.end_ns = True, 0
            self._baseline.recent = np.zeros_like(self._start.recent)

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        arrays = arrays_of(self.model_)
        arrays |= {f"tails.{name}": value for name, value in self.tails_.to_arrays().items()}
        arrays |= {f"start.{name}": value for name, value in self._start.to_arrays().items()}
        arrays |= {"gate.sigma": self.gate_.sigma}
        gate = {name: getattr(self.gate_, name) for name in ("channel", "energy", "notice")}
        settings = {"pace": asdict(self.pace), "gate": gate}
        write_folder(folder, self.schema_, settings, arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        schema, settings, arrays = read_folder(folder)
        try:
            scorer = cls(Pace(**settings["pace"]))
            scorer.schema_ = schema
            scorer.model_ = part_of(ConditionalModel, arrays)
            scorer._prepare()
            scorer.tails_ = Tails.from_arrays(_part(arrays, "tails."))
            scorer._start = OrbitBaseline.from_arrays(_part(arrays, "start."))
            scorer.gate_ = Gate(arrays["gate.sigma"], correlation=scorer._correlation, **settings["gate"])
            scorer._discriminator = FaultOrMotion(scorer.tails_, scorer.gate_, scorer._to_jitter)
        except KeyError as error:
            raise ModelError(f"{folder}: the entry {error} of an orbit scorer is missing; fit it again") from error
        scorer.resume({})
        return scorer

    def _prepare(self) -> None:
        """Make single-precision copies of what every window needs."""
        model = self.model_
        self._centre = model.centre.astype(np.float32)
        self._to_residual = model.to_residual.astype(np.float32)
        self._correlation = model.correlation.astype(np.float32)
        values, vectors = np.linalg.eigh(np.linalg.inv(model.precision))
        whiten = vectors / np.sqrt(values)
        self.flip_ = np.linalg.solve(model.to_residual, whiten).astype(np.float32)
        self._to_jitter = (np.linalg.inv(model.to_residual) / model.jitter).astype(np.float32)
        self._memo.forget()

    def _first_baseline(self, source: Source) -> OrbitBaseline:
        """Return a baseline at the median of the first twenty windows of the source."""
        channels = len(self.model_.centre)
        level = np.zeros(channels, np.float32)
        for batch in source:
            level = np.median(self._statistics(batch[:20]).mean, axis=0)
            break
        centres = np.repeat(level[None], len(CENTRE_WINDOWS), axis=0)
        recent = np.zeros((len(MEMORY), channels), np.float32)
        return OrbitBaseline(level, centres, np.zeros(channels, np.float32), level[None][:0], recent)

    def _walk_through(self, source: Source) -> Kept:
        """Return the statistics of the reference along the moving baseline."""
        self.resume({})
        kept = Thinned()
        for batch in source:
            statistics = self._statistics(batch)
            walked = self._walk(batch, statistics)
            given = np.flatnonzero(~statistics.mostly_missing())
            sway = np.square(walked.away[given] @ self._to_jitter).sum(axis=1)
            spread, repeats = statistics.spread[given], statistics.repeats[given]
            kept.add(walked.deviation[given], walked.energy[given], sway, spread, repeats)
        deviation, energy, sway, spread, repeats = kept.columns
        return Kept(deviation, energy, sway, spread, repeats, statistics.length)

    def _walk(self, batch: Batch, statistics: WindowStatistics) -> Walk:
        """Move the baseline past a batch; windows that miss most values leave it alone and deviate by nothing."""
        restart, missing = self._gaps(batch), statistics.mostly_missing()
        if not missing.any():
            return walk(self._baseline, statistics.mean, restart, self.gate_, self.pace)
        given = np.flatnonzero(~missing)
        walked = walk(self._baseline, statistics.mean[given], restart[given], self.gate_, self.pace)
        deviation, energy, away = np.zeros_like(statistics.mean), np.zeros(len(missing)), np.zeros_like(statistics.mean)
        deviation[given], energy[given], away[given] = walked.deviation, walked.energy, walked.away
        return Walk(deviation, energy, away, given[walked.noticed], walked.towards)

    def _statistics(self, batch: Batch) -> WindowStatistics:
        return window_statistics(batch, self._centre, self._to_residual)

    def _gaps(self, batch: Batch) -> Array:
        """Return a mask (n,) of the windows that start more than GAP_S after the end of the one before."""
        if batch.time_ns is None:
            return np.zeros(len(batch), bool)
        ends = batch.meta.get("end_ns", batch.time_ns)
        before = np.concatenate([[self._baseline.end_ns or batch.time_ns[0]], ends[:-1]]) if len(batch) else ends
        if len(batch):
            self._baseline.end_ns = int(ends[-1])
        return np.asarray(batch.time_ns - before > GAP_S * 1e9)

    def _found(self, batch: Batch) -> WindowTests:
        """Return everything about a batch, from memory until the next batch or `update`."""
        return self._memo.of(batch, self._look)

    def _look(self, batch: Batch) -> WindowTests:
        """Return everything about a batch, computed from the present baseline, which stays where it is."""
        self.schema_.require(batch.schema, "the scorer orbit")
        before = self._baseline
        self._baseline = before.copy()
        statistics = self._statistics(batch)
        walked = self._walk(batch, statistics)
        after, self._baseline = self._baseline, before
        moved = self._discriminator.moved(walked)
        misshapen = self._discriminator.misshapen(statistics, before.recent)
        after.recent = misshapen.recent
        frozen = (statistics.repeats >= max(statistics.length - 1, 1)).mean(axis=1, dtype=np.float64)
        mirrored = np.zeros(len(frozen))
        if len(walked.noticed):
            likeness = self._flip_likeness(walked.deviation[walked.noticed], walked.towards)
            mirrored[walked.noticed] = np.maximum(likeness, 0.0) / 2.0  # a likelihood ratio
        loud = np.where(frozen > MOSTLY, FROZEN_NATS * frozen, moved.rest + mirrored)
        # A step inside the window is spread of all that moved.
        of_shape = misshapen.alone - np.maximum(loud - QUIET_NATS, 0.0)
        of_mean = moved.strongest - np.maximum(moved.rest - QUIET_NATS, 0.0)  # a kick in the line is one channel's kink
        place = np.where(of_shape > of_mean, misshapen.nats.argmax(axis=1), moved.place)
        monitor, beam = np.maximum(of_mean, of_shape), np.maximum(loud, moved.sway)
        scores = np.stack([monitor, beam], axis=1).astype(np.float64)
        scores[statistics.mostly_missing()] = np.nan
        nats = np.maximum(moved.nats, misshapen.nats)
        return WindowTests(statistics, walked.deviation, nats, place, frozen, mirrored, scores, after)

    def _flip_likeness(self, deviation: Floats, towards: Floats) -> Floats:
        """Return how much better (k,) a mirror image about a long-term centre explains the deviation than standing
        still."""
        here = (deviation @ self.flip_)[:, None, :]
        away = here - 2.0 * (towards @ self.flip_)
        # Clipped, so that no mode by itself speaks for a mirror image.
        gain = np.clip(here**2 - away**2, -4.0, 4.0).sum(axis=2)
        return gain.max(axis=1)


def _part(arrays: dict[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
