"""What the study looks at beyond AUROC: quench sequences before the field drops, and how small a fault is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lynkeus.core import Array, Baseline, Batch, Findings, Floats, Outcome
from lynkeus.fitting.follow import scores_along
from lynkeus.metrics.rates import auroc, bootstrap_auroc, bootstrap_interval, wilson_interval
from lynkeus.simulate.cavity.faults import CLASSES
from lynkeus.studies.xfel_cavities.figures import ahead_figure, turn_on_figure
from lynkeus.studies.xfel_cavities.pulses import SimulatedPulses

FALSE_POSITIVES = (0.01, 0.001)
DROP = 0.05  # of the field in the flat top, relative: then a quench is there for all to see
TAILS = (0.05, 0.95)


@dataclass(frozen=True)
class FurtherLook:
    """Thresholds from `healthy` pulses; how early they are exceeded in `quenches`; efficiencies for the faults in
    `sized`, one stream for each size. `train`: what the baselines learn from."""

    healthy: SimulatedPulses
    quenches: SimulatedPulses
    sized: tuple[SimulatedPulses, ...]
    train: SimulatedPulses
    baselines: Mapping[str, Baseline]

    def __call__(self, case: str, outcomes: Sequence[Outcome], folder: Path) -> Findings:
        metrics: dict[str, float] = {}
        ahead: dict[str, list[Array]] = {}
        efficiency: dict[str, Array] = {}
        for outcome in outcomes:
            name = outcome.name
            healthy, quenches, *sized = self._scores(outcome)
            limits = [float(np.quantile(healthy, 1 - share)) for share in FALSE_POSITIVES]
            metrics |= _quench(name, self.quenches.batch, quenches, healthy)
            ahead[name] = [pulses_ahead(self.quenches.batch, quenches, limit) for limit in limits]
            metrics |= _ahead(name, ahead[name])
            batches = [stream.batch for stream in self.sized]
            efficiency[name] = np.array([_efficiencies(b, s > limits[0]) for b, s in zip(batches, sized, strict=True)])
            for (at, kind), (middle, low, high) in _cells(efficiency[name]):
                key = f"{name}.turn_on.{CLASSES[1 + kind]}.{self.sized[at].size:g}"
                metrics |= {key: middle, f"{key}.low": low, f"{key}.high": high}
        there = precursors(self.quenches.batch)
        for share in FALSE_POSITIVES:
            metrics[f"ahead.chance.seen_at_{share:g}"] = float(np.mean(1 - (1 - share) ** there))
        metrics["ahead.sequences"] = float(len(there))
        ahead_figure(ahead, there, FALSE_POSITIVES, folder / "ahead.svg")
        turn_on_figure(efficiency, [stream.size for stream in self.sized], folder / "turn_on.svg")
        return Findings({"ahead.svg": AHEAD, "turn_on.svg": TURN_ON}, metrics)

    def _scores(self, outcome: Outcome) -> Sequence[Floats]:
        """Return the scores (n,) of every stream."""
        streams = [self.healthy, self.quenches, *self.sized]
        if outcome.scorer is None:
            truth, values = self.train.batch.truth, np.concatenate([stream.batch.values for stream in streams])
            scores = self.baselines[outcome.name](self.train.batch.values[truth == 0], values)
            return np.split(scores, np.cumsum([len(stream) for stream in streams])[:-1])
        found = []
        for stream in streams:
            parts = scores_along(outcome.scorer, stream, fresh=False)
            found.append(np.concatenate([scores[:, 0] for scores in parts]))
        return found


AHEAD = (
    "Share of simulated quench sequences in which a pulse was above the threshold at least so many pulses before the "
    "first one whose field dropped by more than 5 %. Left: threshold at 1 % false positives, right: 0.1 %. Grey: "
    "sequences that have so many pulses before, which no scorer can exceed. In brackets: share seen before the drop; "
    "median and quartiles of the pulses ahead, 0 where it was not seen before"
)
TURN_ON = (
    "Share of simulated faulty pulses found at 1 % false positives, against the size of the fault (1: as in the rest "
    "of this study; each size is a whole range of faults, hard and soft). Band: 90 % interval of the first scorer, "
    "sequences drawn again. Dotted: chance"
)


def _sequences(batch: Batch) -> list[tuple[Array, int]]:
    """Rows of each quench sequence that drops, but not at once, and how many pulses come before that."""
    found = []
    for number in np.unique(batch.meta["event"][batch.truth != 0]):
        rows = np.flatnonzero(batch.meta["event"] == number)
        dropped = np.flatnonzero(batch.meta["field_drop"][rows] > DROP)
        if len(dropped) and dropped[0] > 0:
            found.append((rows, int(dropped[0])))
    return found


def precursors(batch: Batch) -> Array:
    """Pulses of each quench sequence before its field drops."""
    return np.array([first for _, first in _sequences(batch)])


def pulses_ahead(batch: Batch, scores: Floats, limit: float) -> Array:
    """Return, for each quench sequence, how many pulses before the drop the first score above the limit came; 0: not
    before."""
    above = [np.append(np.flatnonzero(scores[rows] > limit), first)[0] for rows, first in _sequences(batch)]
    return np.maximum(precursors(batch) - np.array(above), 0)


def _ahead(name: str, ahead: Sequence[Array]) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for share, pulses in zip(FALSE_POSITIVES, ahead, strict=True):
        seen, key = int((pulses > 0).sum()), f"{name}.ahead_at_{share:g}"
        low, high = wilson_interval(seen, len(pulses))
        first, median, third = np.quantile(pulses, (0.25, 0.5, 0.75))
        metrics |= {f"{key}.seen": seen / len(pulses), f"{key}.low": low, f"{key}.high": high}
        metrics |= {f"{key}.first": first, f"{key}.median": median, f"{key}.third": third}
    return metrics


def _quench(name: str, batch: Batch, scores: Floats, healthy: Floats) -> dict[str, float]:
    """AUROC of all pulses of quench sequences against healthy ones; sequences are drawn again for its interval."""
    faulty = np.asarray(batch.truth) != 0
    values = np.concatenate([scores[faulty], healthy])
    truth = np.arange(len(values)) < faulty.sum()
    groups = np.concatenate([batch.meta["sequence"][faulty], -1 - np.arange(len(healthy)) // 100])
    low, high = np.quantile(bootstrap_auroc(truth, values, groups), TAILS)
    return {
        f"quench.{name}.auroc": auroc(truth, values),
        f"quench.{name}.low": float(low),
        f"quench.{name}.high": float(high),
    }


def _efficiencies(batch: Batch, found: Array) -> Floats:
    """(classes, 3) of every faulty class: share found, and its interval."""
    rows = [np.flatnonzero(batch.truth == number) for number in range(1, len(CLASSES))]
    cells = []
    for own in rows:
        events = [found[own[batch.meta["event"][own] == event]] for event in np.unique(batch.meta["event"][own])]
        cells.append((found[own].mean(), *bootstrap_interval(np.mean, events)) if len(own) else (np.nan,) * 3)
    return np.array(cells, float)


def _cells(efficiency: Floats) -> list[tuple[tuple[int, int], tuple[float, float, float]]]:
    places = np.ndindex(efficiency.shape[:2])
    return [((at, kind), (float(m), float(a), float(b))) for at, kind in places for m, a, b in [efficiency[at, kind]]]
