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
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from lynkeus.core import About, Array, Batch, Evidence, Floats, ModelError, Scores, Source
from lynkeus.files.arrays import read_folder, write_folder
from lynkeus.scorers.orbit.baseline import CENTRE_WINDOWS, Baseline, Gate, Pace, Walk, walk
from lynkeus.scorers.orbit.judge import MEMORY, QUIET_NATS, Judge
from lynkeus.scorers.orbit.tails import Kept, Tails, fit_tails
from lynkeus.scorers.orbit.windows import WindowStatistics, window_statistics
from lynkeus.transforms.conditional import ConditionalModel, fit_conditional
from lynkeus.transforms.rows import like_values
from lynkeus.transforms.thinned import Thinned

GAP_S = 60.0  # after a longer gap the baseline is found anew
GATE_WIDTHS, NOTICE_WIDTHS = 6.0, 2.0  # robust sigmas of the energy of all channels
FROZEN_NATS, MOSTLY = 200.0, 0.5
MOVED_SIGMA = 4.0
SURE_SIGMA, SURE_NATS = 8.0, 16.0  # beyond this no chance is left in weeks of windows


class Found(NamedTuple):
    """What `score`, `explain` and `locate` share for one batch."""

    statistics: WindowStatistics
    deviation: Floats  # (n, c) mean minus baseline, conditional sigmas
    nats: Floats  # (n, c) evidence that the channel is wrong
    place: npt.NDArray[np.intp]  # (n,) the channel that `monitor` speaks of
    frozen: Floats  # (n,) share of the channels that repeat their value all through the window
    mirrored: Floats  # (n,) nats for a mirrored orbit
    scores: Scores  # (n, 2)
    after: Baseline


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
    _memo: tuple[Batch, Found] | None = field(default=None, init=False, repr=False)

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
        self._judge = Judge(self.tails_, self.gate_, self._to_jitter)
        self._start = self._baseline.copy()
        self._start.known = self._start.known[:0]
        self.resume({})
        return self

    def score(self, batch: Batch) -> Scores:
        """(n, 2) nats: `monitor`, `beam`; NaN for a window that misses more than half of its values."""
        return self._find(batch).scores

    def explain(self, batch: Batch, output: str = "monitor") -> Evidence:
        """Evidence of each channel in the shape of `values`: nats for `monitor`, deviations in sigmas for `beam`."""
        found = self._find(batch)
        evidence = found.nats if output == "monitor" else found.deviation / self.gate_.sigma
        return like_values(batch, evidence[:, None, :])

    def locate(self, batch: Batch) -> npt.NDArray[np.str_]:
        """(n, 2) channel names: the monitor that is wrong, and the channel that moved most."""
        found = self._find(batch)
        names = np.array(self.schema_.names)
        moved = np.abs(found.deviation / self.gate_.sigma)
        return np.stack([names[found.place], names[moved.argmax(axis=1)]], axis=1)

    def suspects(self, batch: Batch) -> npt.NDArray[np.str_]:
        """(n, 2) channel names: one beyond SURE_SIGMA of its quiet deviation; where the orbit moved by SURE_NATS."""
        found = self._find(batch)
        sigma = np.abs(found.deviation * self.gate_.per_sigma)
        most = np.array(self.schema_.names)[sigma.argmax(axis=1)]
        moved = found.scores[:, 1] > SURE_NATS
        wrong = (sigma.max(axis=1) > SURE_SIGMA) & ~moved
        return np.stack([np.where(wrong, most, ""), np.where(moved, most, "")], axis=1)

    def tell(self, batch: Batch, row: int, output: str) -> str:
        """Half a sentence on the strongest test of one window."""
        found = self._find(batch)
        names, unit = self.schema_.names, (self.schema_.units or ("",))[0]
        if output == "beam":
            return self._tell_beam(found, row)
        channel = int(found.place[row])
        sigma = float(self.model_.conditional_sigma[channel])
        said = self.tails_.strongest_test(
            found.deviation[row : row + 1], found.statistics.rows(np.array([row])), channel
        )
        if said == "mean":
            off = float(found.deviation[row, channel])
            return f"{names[channel]} is off by {off * sigma:+.3g} {unit} from what all the others say of it"
        spread = float(np.sqrt(found.statistics.spread[row, channel] / max(found.statistics.length - 1, 1)))
        words = {
            "wide": f"{spread:.2g} times as noisy as usual",
            "narrow": f"too quiet ({spread:.2g} of its usual noise)",
        }
        words |= {"repeat": "stuck: it repeats its value", "missing": "giving no values"}
        return f"{names[channel]} is {words[said]}"

    def _tell_beam(self, found: Found, row: int) -> str:
        moved = np.abs(found.deviation[row] / self.gate_.sigma)
        many = int((moved > MOVED_SIGMA).sum())
        if found.frozen[row] > MOSTLY:
            return f"the readout is frozen: {found.frozen[row]:.0%} of the channels repeat their values"
        if found.mirrored[row] > QUIET_NATS:
            return "the orbit looks like a mirror image of what it was"
        if not many:
            return "the whole orbit moved along its usual modes, all monitors agree"
        return f"{many} channels moved, most of all {self.schema_.names[int(moved.argmax())]}"

    def update(self, batch: Batch) -> None:
        """Move the baseline past a batch."""
        self._baseline = self._find(batch).after
        self._memo = None

    def state(self) -> dict[str, Array]:
        """The baseline as arrays."""
        return self._baseline.to_arrays()

    def resume(self, state: dict[str, Array]) -> None:
        """Go on from a state; from the fitted baseline where it is empty."""
        self._memo = None
        if state:
            self._baseline = Baseline.from_arrays(state)
        else:
            self._baseline = self._start.copy()
            self._baseline.fresh, self._baseline.end_ns = True, 0
            self._baseline.recent = np.zeros_like(self._start.recent)

    def save(self, folder: Path) -> None:
        """Write to a folder."""
        model = self.model_
        arrays: dict[str, Any] = {"centre": model.centre, "jitter": model.jitter, "precision": model.precision}
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
            scorer.model_ = ConditionalModel(arrays["centre"], arrays["jitter"], arrays["precision"])
            scorer._prepare()
            scorer.tails_ = Tails.from_arrays(_part(arrays, "tails."))
            scorer._start = Baseline.from_arrays(_part(arrays, "start."))
            scorer.gate_ = Gate(arrays["gate.sigma"], correlation=scorer._correlation, **settings["gate"])
            scorer._judge = Judge(scorer.tails_, scorer.gate_, scorer._to_jitter)
        except KeyError as error:
            raise ModelError(f"{folder}: the entry {error} of an orbit scorer is missing; fit it again") from error
        scorer.resume({})
        return scorer

    def _prepare(self) -> None:
        """Single-precision copies of what every window needs."""
        model = self.model_
        self._centre = model.centre.astype(np.float32)
        self._to_residual = model.to_residual.astype(np.float32)
        self._correlation = model.correlation.astype(np.float32)
        values, vectors = np.linalg.eigh(np.linalg.inv(model.precision))
        whiten = vectors / np.sqrt(values)
        self.flip_ = np.linalg.solve(model.to_residual, whiten).astype(np.float32)
        self._to_jitter = (np.linalg.inv(model.to_residual) / model.jitter).astype(np.float32)
        self._memo = None

    def _first_baseline(self, source: Source) -> Baseline:
        channels = len(self.model_.centre)
        level = np.zeros(channels, np.float32)
        for batch in source:
            level = np.median(self._statistics(batch[:20]).mean, axis=0)
            break
        centres = np.repeat(level[None], len(CENTRE_WINDOWS), axis=0)
        recent = np.zeros((len(MEMORY), channels), np.float32)
        return Baseline(level, centres, np.zeros(channels, np.float32), level[None][:0], recent)

    def _walk_through(self, source: Source) -> Kept:
        """Statistics of the reference along the moving baseline."""
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
        """(n,) True where a window starts long after the one before it."""
        if batch.time_ns is None:
            return np.zeros(len(batch), bool)
        ends = batch.meta.get("end_ns", batch.time_ns)
        before = np.concatenate([[self._baseline.end_ns or batch.time_ns[0]], ends[:-1]]) if len(batch) else ends
        if len(batch):
            self._baseline.end_ns = int(ends[-1])
        return np.asarray(batch.time_ns - before > GAP_S * 1e9)

    def _find(self, batch: Batch) -> Found:
        """Everything about a batch, kept until the next batch or `update`."""
        if self._memo is not None and self._memo[0] is batch:
            return self._memo[1]
        self.schema_.require(batch.schema, "the scorer orbit")
        before = self._baseline
        self._baseline = before.copy()
        statistics = self._statistics(batch)
        walked = self._walk(batch, statistics)
        after, self._baseline = self._baseline, before
        moved = self._judge.moved(walked)
        misshapen = self._judge.misshapen(statistics, before.recent)
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
        found = Found(statistics, walked.deviation, nats, place, frozen, mirrored, scores, after)
        self._memo = (batch, found)
        return found

    def _flip_likeness(self, deviation: Floats, towards: Floats) -> Floats:
        """(k,) how much better a mirror image about a long-term centre explains the deviation than standing still."""
        here = (deviation @ self.flip_)[:, None, :]
        away = here - 2.0 * (towards @ self.flip_)
        gain = np.clip(here**2 - away**2, -4.0, 4.0).sum(axis=2)
        return gain.max(axis=1)


def _part(arrays: dict[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
