"""What labels are worth: efficiency against the number of labelled faulty pulses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core import Batch, Findings, Floats, Outcome, Source, plugins
from lynkeus.simulate.cavity.faults import CLASSES
from lynkeus.sources import Good
from lynkeus.studies.xfel_cavities.figures import Efficiencies, label_figure
from lynkeus.studies.xfel_cavities.pulses import PulseSubset, SimulatedPulses

FALSE_POSITIVES = 0.01
STEP = 4  # every so many healthy pulses


@dataclass(frozen=True)
class LabelCurve:
    """Fits `scorers` on healthy pulses of `train` and on `counts` of labelled faulty ones, other ones for each of
    `seeds`, which are also those of the networks."""

    train: SimulatedPulses
    counts: tuple[int, ...]
    seeds: int
    scorers: Mapping[str, Mapping[str, Any]]

    def __call__(self, case: str, outcomes: Sequence[Outcome], folder: Path) -> Findings:
        test = outcomes[0].test
        found: Efficiencies = {name: {} for name in self.scorers}
        for seed in range(1, self.seeds + 1):
            for count in (0, *self.counts):
                source = PulseSubset(self.train, STEP, count, seed=seed)
                for name in self.scorers:
                    if name == ("deep_svdd" if count else "classifier"):
                        continue  # the one needs labels, the other does not read them
                    scores = self._scores(name, source if count else Good(source), test, seed)
                    found[name].setdefault(count, []).append(mean_efficiency(test, scores))
        levels = {
            outcome.name: mean_efficiency(test, outcome.scores[:, 0]) for outcome in outcomes if outcome.scorer is None
        }
        label_figure(found, levels, folder / "labels.svg")
        metrics = {f"efficiency.{name}.0": value for name, value in levels.items()}
        for name, counts in found.items():
            for count, values in counts.items():
                key = f"efficiency.{name}.{count}"
                metrics |= {key: float(np.mean(values)), f"{key}.low": min(values), f"{key}.high": max(values)}
        return Findings({"labels.svg": CAPTION.format(seeds=self.seeds)}, metrics)

    def _scores(self, name: str, source: Source, test: Batch, seed: int) -> Floats:
        scorer = plugins.make_scorer(name, {**self.scorers[name], "seed": seed})
        return np.asarray(scorer.fit(source).score(test)[:, 0])


CAPTION = (
    "Share of simulated faulty pulses found at 1 % false positives, mean over the eight classes, against the number of "
    "faulty pulses that were labelled. Mean of {seeds} trainings with other labels and other seeds, and their range. "
    "Dashed: a baseline that learns from healthy pulses only"
)


def mean_efficiency(test: Batch, scores: Floats) -> float:
    """Mean over the faulty classes of the share above all but FALSE_POSITIVES of the healthy scores."""
    limit = np.quantile(scores[test.truth == 0], 1 - FALSE_POSITIVES)
    shares = [np.mean(scores[test.truth == number] > limit) for number in range(1, len(CLASSES))]
    return float(np.mean(shares))
