"""What the study asks of the scores: correlation by aggregation and by place, and where the quench is in the list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from lynkeus.core import Array, Batch, Findings, Floats, Inspecting, Outcome, Scorer
from lynkeus.evaluate.aggregate import AGGREGATIONS, aggregate
from lynkeus.evaluate.correlation import LEVEL, Correlations, correlate
from lynkeus.evaluate.correlation_report import ALIKE, correlate_cavities
from lynkeus.evaluate.image_scores import ImageScores
from lynkeus.evaluate.quench import REGIONS, quench_ranks, worst_near_quench
from lynkeus.studies.cavity_scans.figures import aggregation_figure, locality_figure
from lynkeus.studies.cavity_scans.scans import Scans
from lynkeus.studies.cavity_scans.spots import CHUNK, SMOOTH, LocalContrast, Standard, spot_columns, told_spots

FIELD = "max_field_mv_m"
GOOD_MAPS = 200  # good images whose maps set the unit
TOP = 3
CEILING, ELSEWHERE = "the worst defect as it is", "quench place of another cavity"
CONTRAST = "local contrast"
Quenches = dict[str, tuple[float, float]]
Finder = Callable[[Batch], dict[str, Floats]]


@dataclass(frozen=True)
class CavityLook:
    """Scores of `test` against the properties of its cavities. `good`: what maps are standardised on."""

    test: Scans
    good: Scans

    def __call__(self, case: str, outcomes: Sequence[Outcome], folder: Path) -> Findings:
        metrics: dict[str, float] = {}
        by_aggregation: dict[str, Correlations] = {}
        by_region: dict[str, Correlations] = {}
        for outcome in outcomes:
            if outcome.scorer is None and outcome.name != CONTRAST:
                continue  # has no map
            name, scores = outcome.name, self._scores(outcome)
            last = scores.scan()
            by_aggregation[name], _ = correlate_cavities(aggregate(last, ("cavity",), ALIKE), self.test.properties)
            by_region[name] = self._by_region(last)
            plain, _ = correlate_cavities(aggregate(last, ("cavity",)), self.test.properties)
            numbers = {f"compared with all.{key}": value for key, value in _of_pairs(plain).items()}
            numbers |= _of_pairs(by_aggregation[name]) | _of_pairs(by_region[name])
            numbers |= self._quenches(last) | _of_good_groups(scores)
            metrics |= {f"{name}.{key}": value for key, value in numbers.items()}
        field = {FIELD: self.test.properties.numbers[FIELD]}
        by_region[CEILING] = correlate({REGIONS[0]: self.test.limits_mv_m}, field)
        metrics |= {f"{CEILING}.{key}": value for key, value in _of_pairs(by_region[CEILING]).items()}
        aggregation_figure(by_aggregation, tuple(AGGREGATIONS), tuple(field), folder / "aggregation.svg")
        locality_figure(by_region, (*REGIONS, ELSEWHERE), folder / "locality.svg")
        return Findings({"aggregation.svg": AGGREGATION, "locality.svg": LOCALITY}, metrics)

    def _scores(self, outcome: Outcome) -> ImageScores:
        """As a table of scores holds them: metadata, anomaly, spots."""
        batch, find = outcome.test, self._finder(outcome.scorer)
        parts = [find(batch[at : at + CHUNK]) for at in range(0, len(batch), CHUNK)]
        spots = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return ImageScores({**batch.meta, "anomaly": outcome.scores[:, 0], **spots})

    def _finder(self, scorer: Scorer | None) -> Finder:
        """Spots of maps in sigma of good images: a scorer's own, of its evidence, or of local contrast."""
        if isinstance(scorer, Inspecting):
            return lambda batch: told_spots([one.spots for one in scorer.inspect(batch)])
        good = self.good.batch[:: max(1, len(self.good.batch) // GOOD_MAPS)]
        if scorer is None:
            contrast = LocalContrast(good.values)
            return lambda batch: spot_columns(contrast.maps(batch.values))

        def shown(batch: Batch) -> Floats:
            evidence = np.abs(scorer.explain(batch)).mean(axis=1, dtype=np.float32)
            return np.asarray(gaussian_filter(evidence, (0, SMOOTH, SMOOTH)))

        standard = Standard(np.concatenate([shown(good[at : at + CHUNK]) for at in range(0, len(good), CHUNK)]))
        return lambda batch: spot_columns(standard.sigma(shown(batch)))

    def _by_region(self, last: ImageScores) -> Correlations:
        """Field against the worst spot of a region, of cavities whose quench was located."""
        known, field = self.test.properties.quenches, self.test.properties.numbers[FIELD]
        located = np.isfinite(np.array(list(known.values()))).all(axis=1)
        regions = {region: worst_near_quench(last, known, region) for region in REGIONS}
        regions[ELSEWHERE] = worst_near_quench(last, _dealt(known, located), REGIONS[2])
        return correlate(regions, {FIELD: np.where(located, field, np.nan)})

    def _quenches(self, last: ImageScores) -> dict[str, float]:
        """How many quenches are in the list; for comparison with those of other cavities."""
        known, numbers = self.test.properties.quenches, {}
        located = np.isfinite(np.array(list(known.values()))).all(axis=1)
        for what, places in {"quench": known, "quench of another": _dealt(known, located)}.items():
            seen = [one for one in quench_ranks(last, places) if one.images_at_place]
            numbers[f"{what}.with images"] = float(len(seen))
            numbers[f"{what}.listed"] = float(np.mean([one.at_place > 0 for one in seen]))
            numbers[f"{what}.in first {TOP}"] = float(np.mean([one.rank <= TOP for one in seen]))
            numbers[f"{what}.first"] = float(np.mean([one.rank == 1 for one in seen]))
        return numbers


def _dealt(known: Quenches, located: Array) -> Quenches:
    """The place of the next cavity whose quench was located."""
    names = [name for name, there in zip(known, located, strict=True) if there]
    return known | {name: known[other] for name, other in zip(names, names[1:] + names[:1], strict=True)}


def _of_pairs(found: Correlations) -> dict[str, float]:
    numbers = {"seen with 80 % power": found.seen}
    for pair in found.pairs:
        key = f"{pair.score}.{pair.property}"
        numbers |= {f"{key}.{name}": float(getattr(pair, name)) for name in ("rho", "corrected")}
    return numbers


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


AGGREGATION = (
    "Spearman's rho of the field of simulated cavities with what is made of the images of their last scan, with 90 % "
    "intervals. Grey: what would not be found, after correction for all pairs. Negative is what physics expects"
)
LOCALITY = (
    "Spearman's rho of the field with the worst spot, in sigma of good data: of the whole cavity, of the cell that "
    "quenched, within 10 degrees of the quench; and at the quench place of another cavity, for comparison. All for "
    "cavities whose quench was located. The last one: the lowest field that a defect allows, if all were known of it"
)
