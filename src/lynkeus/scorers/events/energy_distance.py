"""Energy distance of the events of a run from good ones (Szekely & Rizzo 2013), or kernel MMD (Gretton et al. 2012).

Both are a mean kernel within the run, within the reference, and between them: minus the distance, or a Gaussian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from scipy.spatial.distance import cdist

from lynkeus.core import About, Batch, Evidence, Floats, Scores, SettingsError, Source
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.transforms.plot_scores import NullDistribution, worst_plot
from lynkeus.transforms.standard_events import FEWEST, StandardEvents, decorrelated, evidence_of

KERNELS = ("energy", "rbf")
POOL = 40_000  # good events from which the reference and runs of any size are drawn
SIZES = (20, 40, 80, 160, 320, 640, 1280, 2000)  # of runs drawn to learn what is usual
DRAWS = 60


@dataclass
class EnergyDistance:
    """`anomaly` of a run: -log10 of how often the events of a good run are so far from the reference.

    `kernel`: energy, or rbf (MMD, as wide as the median distance). Columns are in sigmas, those of wide range
    logarithmic, and what they have in common is taken out. At most `most` events of a run, and as many of the
    reference, are compared. What is usual is learned from runs of all sizes drawn from good events. Learned: `events_`,
    `mix_` of columns, `reference_` (n, c), `width_`, `within_`, `null_` by size, `run_null_` runs.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(
        ("cloud",), False, "density against the reference where an event is", "seconds", runs=True
    )
    kernel: str = "energy"
    most: int = 2000
    seed: int = 0

    def fit(self, source: Source) -> Self:
        """Learn in two passes over good runs. Raises SettingsError for the kernel, SchemaError for too few events."""
        if self.kernel not in KERNELS:
            raise SettingsError(f"kernel must be one of {', '.join(KERNELS)}, got {self.kernel!r}")
        self.schema_ = source.schema
        self.events_, pool = StandardEvents.fit(source, "energy_distance", POOL, self.seed)
        self.mix_ = decorrelated(pool)
        pool = pool @ self.mix_
        count = min(self.most, len(pool) // 2)
        self.reference_, others = pool[:count], pool[count:]
        self.width_ = float(np.median(cdist(others[:500], self.reference_[:500])))
        self.within_ = float(self._kernel(self.reference_, self.reference_).mean())
        self.null_ = self._null(others)
        self.run_null_ = NullDistribution.fit(np.concatenate([self._deviates(batch) for batch in source]))
        return self

    def score(self, batch: Batch) -> Scores:
        """Return (n, 1); NaN for a run of too few events."""
        self.schema_.require(batch.schema, "the scorer energy_distance")
        return worst_plot(self.run_null_.of(self._deviates(batch)))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Return the log ratio of the densities of run and reference at each event, the same for all of its values."""
        self.schema_.require(batch.schema, "the scorer energy_distance")
        return evidence_of(batch, [self._witness(run @ self.mix_) for run in self.events_.runs(batch)])

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        own = {
            "reference": self.reference_,
            "null": self.null_,
            "mix": self.mix_,
            "kernel": np.array([self.width_, self.within_]),
        }
        own |= self.events_.to_arrays() | arrays_of(self.run_null_, "usual_")
        write_folder(folder, self.schema_, asdict(self), own)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.events_, scorer.run_null_ = (
            StandardEvents.from_arrays(arrays),
            part_of(NullDistribution, arrays, "usual_"),
        )
        scorer.reference_, scorer.null_, scorer.mix_ = arrays["reference"], arrays["null"], arrays["mix"]
        scorer.width_, scorer.within_ = map(float, arrays["kernel"])
        return scorer

    def _kernel(self, a: Floats, b: Floats) -> Floats:
        distance = cdist(a, b)
        return -distance if self.kernel == "energy" else np.exp(-0.5 * (distance / self.width_) ** 2)

    def _statistic(self, run: Floats) -> float:
        """Cube root of the squared distance times the effective number of events: of about normal scatter."""
        n, m = len(run), len(self.reference_)
        between = self._kernel(run, self.reference_).mean()
        square = self._kernel(run, run).mean() + self.within_ - 2 * between
        return float(np.cbrt(max(square, 0.0) * n * m / (n + m)))

    def _null(self, others: Floats) -> Floats:
        """(3, sizes): logarithm of the size, mean and spread of the statistic of good runs of that size."""
        rng = np.random.default_rng(self.seed)
        found: list[tuple[float, float, float]] = []
        for size in SIZES:
            if size <= min(self.most, len(others) // 2):
                draws = DRAWS if size < 1000 else DRAWS // 2
                drawn = [self._statistic(others[rng.choice(len(others), size, replace=False)]) for _ in range(draws)]
                found.append((float(np.log(size)), float(np.mean(drawn)), float(np.std(drawn))))
        return np.array(found or [(0.0, 0.0, 1.0)]).T

    def _deviates(self, batch: Batch) -> Floats:
        found = [self._deviate(run) for run in self._thinned([run @ self.mix_ for run in self.events_.runs(batch)])]
        return np.array(found).reshape(len(batch), 1)

    def _deviate(self, run: Floats) -> float:
        if len(run) < FEWEST:
            return np.nan
        size, mean, spread = self.null_
        at = np.log(len(run))
        return float((self._statistic(run) - np.interp(at, size, mean)) / np.interp(at, size, spread))

    def _thinned(self, runs: Sequence[Floats]) -> list[Floats]:
        """At most so many events of each run, which do not depend on the other runs."""
        rng = [np.random.default_rng(self.seed) for _ in runs]
        return [
            run if len(run) <= self.most else run[own.choice(len(run), self.most, replace=False)]
            for run, own in zip(runs, rng, strict=True)
        ]

    def _witness(self, run: Floats) -> Floats:
        (some,) = self._thinned([run])
        if not len(some):
            return np.zeros(run.shape)
        denser = self._kernel(run, some).mean(axis=1) - self._kernel(run, self.reference_).mean(axis=1)
        return np.repeat(denser[:, None], run.shape[1], axis=1)
