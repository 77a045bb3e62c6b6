"""What is asked of the scores of one scorer: by aggregation, by place, of the list of spots, of good groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lynkeus.core import Floats
from lynkeus.metrics.rates import COVERAGE, auroc, bootstrap_auroc
from lynkeus.scans.aggregate import aggregate
from lynkeus.scans.cavity_properties import CavityProperties
from lynkeus.scans.correlation import LEVEL, Correlations, Pair, correlate
from lynkeus.scans.correlation_report import ALIKE, correlate_cavities
from lynkeus.scans.image_scores import ImageScores
from lynkeus.scans.quench import REGIONS, Joined, QuenchRank, quench_ranks, scores_near_quench, worst_sigma
from lynkeus.studies.cavity_scans.pointing import pointing
from lynkeus.studies.cavity_scans.scans import MEASURED, Scans

FIELD = MEASURED[0]
TOP = 3
ELSEWHERE, ONE_CELL = "quench place of another cavity", "every cell, tested by itself"
WORST, MEAN = "worst spot", "mean score"
PLACES = (*REGIONS, ELSEWHERE, ONE_CELL)
Quenches = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Answers:
    """Of one scorer. `alike`, `plain`: cavities by aggregation, compared with good images of their vendor and
    treatment, or with all; `unrelated`: as `alike`, with a field that the surface has nothing to do with; `places`:
    worst spot and mean score by region; `one_cell`: the same of every cell; `ranks`: of the quench in the list of
    spots, `of_another`: of that of another cavity."""

    alike: Correlations
    plain: Correlations
    unrelated: Correlations
    places: dict[str, Correlations]
    one_cell: Correlations
    ranks: tuple[QuenchRank, ...]
    of_another: tuple[QuenchRank, ...]
    numbers: dict[str, float]

    def by_place(self, what: str) -> dict[str, Pair]:
        """PLACES -> the field with the worst spot or the mean score there."""
        found = {pair.score: pair for pair in self.places[what].pairs}
        return found | {ONE_CELL: next(pair for pair in self.one_cell.pairs if pair.score == what)}

    def metrics(self) -> dict[str, float]:
        """Return all numbers by name."""
        found = dict(self.numbers)
        for start, one in {"": self.alike, "compared with all.": self.plain, "unrelated.": self.unrelated}.items():
            found |= {f"{start}{key}": value for key, value in of_pairs(one).items()}
        for name, one in {**self.places, f"{ONE_CELL}": self.one_cell}.items():
            found |= {f"{name}, {key}": value for key, value in of_pairs(one).items()}
        return found


def ask(every: ImageScores, last: ImageScores, test: Scans) -> Answers:
    """Answer all questions from the scores of all scans, and those of the last scan with their spots."""
    known = test.properties.quenches
    cavities = aggregate(last, ("cavity",), ALIKE)
    seen = {"quench": _seen(last, known), "quench of another": _seen(last, dealt(known))}
    numbers = _auroc("image auroc", last, last.anomaly) | _auroc("auroc of the worst spot", last, worst_sigma(last))
    numbers |= pointing(last, test.masks) | _of_good_groups(every)
    for words, ranks in seen.items():
        numbers |= _of_ranks(words, ranks)
    return Answers(
        correlate_cavities(cavities, test.properties)[0],
        correlate_cavities(aggregate(last, ("cavity",)), test.properties)[0],
        correlate_cavities(cavities, test.unrelated)[0],
        {
            WORST: _by_place(last, worst_sigma(last), test, np.max),
            MEAN: _by_place(last, above_alike(last), test, np.mean),
        },
        _of_cells(last, test.of_cells),
        seen["quench"],
        seen["quench of another"],
        numbers,
    )


def above_alike(scores: ImageScores) -> Floats:
    """Return (n,) scores above the median of good images of the same vendor and treatment."""
    found, good = scores.anomaly.copy(), scores.good()
    for _, rows in scores.groups(ALIKE):
        found[rows] -= np.median(found[rows][good[rows]])
    return found


def dealt(known: Quenches) -> Quenches:
    """The place of the next cavity whose quench was located."""
    names = [name for name, place in known.items() if np.isfinite(place).all()]
    return known | {name: known[other] for name, other in zip(names, names[1:] + names[:1], strict=True)}


def _by_place(last: ImageScores, values: Floats, test: Scans, joined: Joined) -> Correlations:
    """Field against the values of a region, of cavities whose quench was located."""
    known = test.properties.quenches
    located = np.isfinite(np.array(list(known.values()))).all(axis=1)
    regions = {region: scores_near_quench(last, values, known, region, joined) for region in REGIONS}
    regions[ELSEWHERE] = scores_near_quench(last, values, dealt(known), REGIONS[2], joined)
    return correlate(regions, {FIELD: np.where(located, test.properties.numbers[FIELD], np.nan)})


def _of_cells(last: ImageScores, of_cells: CavityProperties) -> Correlations:
    """Field of every cell against the worst spot and the mean score of its images."""
    worst, above = worst_sigma(last), above_alike(last)
    rows = {" ".join(group): rows for group, rows in last.groups(("cavity", "cell"))}
    scores = {
        WORST: np.array([worst[rows[name]].max() for name in of_cells.cavities]),
        MEAN: np.array([above[rows[name]].mean() for name in of_cells.cavities]),
    }
    return correlate(scores, of_cells.numbers)


def of_pairs(found: Correlations) -> dict[str, float]:
    """rho with its interval, and the corrected p-value, of every pair; what would have been seen."""
    numbers = {"seen with 80 % power": found.seen, "found": float(len(found.found))}
    for pair in found.pairs:
        key = f"{pair.score}.{pair.property}"
        numbers |= {f"{key}.{name}": float(getattr(pair, name)) for name in ("rho", "low", "high", "corrected")}
    return numbers


def _auroc(key: str, scores: ImageScores, values: Floats) -> dict[str, float]:
    """Return the AUROC with its interval by a bootstrap over cavities."""
    faulty = ~scores.good()
    copies = bootstrap_auroc(faulty, values, scores.column("cavity"))
    low, high = np.nanquantile(copies, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return {key: auroc(faulty, values), f"{key}.low": float(low), f"{key}.high": float(high)}


def _seen(last: ImageScores, places: Quenches) -> tuple[QuenchRank, ...]:
    """Return what is known of those places of which there are images."""
    return tuple(one for one in quench_ranks(last, places) if one.images_at_place)


def _of_ranks(words: str, ranks: tuple[QuenchRank, ...]) -> dict[str, float]:
    """Return how many quenches are in the list, and where."""
    rank = np.array([one.rank for one in ranks])
    return {
        f"{words}.with images": float(len(ranks)),
        f"{words}.listed": float(np.isfinite(rank).mean()),
        f"{words}.in first {TOP}": float((rank <= TOP).mean()),
        f"{words}.in first {TOP} by chance": float(np.mean([one.by_chance(TOP) for one in ranks])),
        f"{words}.first": float((rank == 1).mean()),
    }


def _of_good_groups(scores: ImageScores) -> dict[str, float]:
    """Share of cells with p up to 0.05, of those without a defect and of those with one, compared within a vendor and a
    treatment or with all."""
    numbers = {}
    for words, alike in {"compared with all": (), "compared with alike": ALIKE}.items():
        groups = aggregate(scores, ("cavity", "scan", "cell"), alike)
        truth = {group: bool((~scores.good()[rows]).any()) for group, rows in scores.groups(("cavity", "scan", "cell"))}
        for name in ("top_3_mean", "mean"):
            for what, faulty in {"good": False, "faulty": True}.items():
                rare = [g.p_value <= LEVEL for g in groups if g.aggregation == name and truth[g.group] == faulty]
                numbers[f"{what} cells rare.{words}.{name}"] = float(np.mean(rare)) if rare else float("nan")
    return numbers
