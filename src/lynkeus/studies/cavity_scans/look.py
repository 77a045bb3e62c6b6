"""What the study asks beside AUROC: spots, correlations, ranks and latent space of every scorer that has a map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter, zoom

from lynkeus.core import Batch, Findings, Floats, Outcome, Scorer
from lynkeus.fitting.explanation import explanation
from lynkeus.scans.correlation import correlate
from lynkeus.scans.image_scores import ImageScores
from lynkeus.scans.quench import REGIONS
from lynkeus.scorers.inspect.scorer import Inspect
from lynkeus.studies.cavity_scans.answers import FIELD, ONE_CELL, Answers, ask
from lynkeus.studies.cavity_scans.figures import aggregation_figure, locality_figure, standing_figure
from lynkeus.studies.cavity_scans.latent import Space, colours_of, lay_flat, space_of
from lynkeus.studies.cavity_scans.scans import Scans, halved
from lynkeus.studies.cavity_scans.spots import CHUNK, SMOOTH, LocalContrast, Standard, spot_columns, told_spots
from lynkeus.studies.cavity_scans.tables import all_tables

GOOD_MAPS = 200  # good images whose maps set the unit
CONTRAST = "local contrast"
CEILING = "if all were known of every defect"
Finder = Callable[[Batch], dict[str, Floats]]


@dataclass(frozen=True)
class CavityLook:
    """Scores of `test` against the properties of its cavities. `good`: what maps are standardised on.

    One look for all parts: the last part (`shows`) has the tables and figures, of the scorers of all.
    """

    test: Scans
    good: Scans
    methods: Sequence[str]  # of maps of the latent space
    found: dict[str, Answers] = field(default_factory=dict)
    spaces: dict[str, Space] = field(default_factory=dict)
    shows: str = "inspections"

    def __call__(self, case: str, outcomes: Sequence[Outcome], folder: Path) -> Findings:
        """Return tables, numbers and figures of one case; figures are written to the folder."""
        metrics: dict[str, float] = {}
        for outcome in outcomes:
            if outcome.scorer is None and outcome.name != CONTRAST:
                continue  # has no map
            every = ImageScores({**outcome.test.meta, "anomaly": outcome.scores[:, 0]})
            answers = ask(every, self._last(every, outcome), self.test)
            self.found[outcome.name] = answers
            metrics |= {f"{outcome.name}.{key}": value for key, value in answers.metrics().items()}
            space = space_of(outcome)
            if space is not None:
                self.spaces[outcome.name] = space
        if case != self.shows:
            return Findings(metrics=metrics)
        return self._all(metrics, folder)

    def _all(self, metrics: dict[str, float], folder: Path) -> Findings:
        """Return what the scorers of all parts found."""
        limits, field = self.test.limits_mv_m, {FIELD: self.test.properties.numbers[FIELD]}
        ceiling = {
            REGIONS[0]: correlate({REGIONS[0]: limits.min(axis=1)}, field).pairs[0],
            ONE_CELL: correlate({ONE_CELL: limits.ravel()}, self.test.of_cells.numbers).pairs[0],
        }
        metrics |= {f"{CEILING}.{place}.rho": pair.rho for place, pair in ceiling.items()}
        standing_figure(self.found, folder / "standing.svg")
        aggregation_figure(self.found, folder / "aggregation.svg")
        locality_figure(self.found, folder / "locality.svg")
        spaces = self.spaces | {"mean colour": colours_of(self.test.batch)}
        laid = lay_flat(spaces, self.test.batch, self.methods)
        laid.draw("tsne", folder / "latent.png")
        for one in laid.purities:
            metrics |= {f"latent.{one.method}.{one.column}.{key}": getattr(one, key) for key in ("purity", "p_value")}
        return Findings(CAPTIONS, metrics, all_tables(self.found, ceiling, laid.purities))

    def _last(self, every: ImageScores, outcome: Outcome) -> ImageScores:
        """The last scan of each cavity, with spots, in pixels of the images as they were taken."""
        last = ImageScores({**every.columns, "row": np.arange(len(every))}).scan()
        batch, find = outcome.test[last.column("row")], self._finder(outcome)
        parts = [find(batch[at : at + CHUNK]) for at in range(0, len(batch), CHUNK)]
        return ImageScores({**last.columns, **{name: np.concatenate([p[name] for p in parts]) for name in parts[0]}})

    def _finder(self, outcome: Outcome) -> Finder:
        """Spots of maps in sigma of good images: a scorer's own, of its evidence, or of local contrast."""
        scorer = outcome.scorer
        if isinstance(scorer, Inspect):
            return lambda batch: told_spots([one.spots for one in scorer.inspect(batch)])
        good = self.good.batch[:: max(1, len(self.good.batch) // GOOD_MAPS)]
        if scorer is None:
            contrast = LocalContrast(good.values)
            return lambda batch: spot_columns(contrast.maps(batch.values))
        if outcome.test.values.shape[1:] != good.values.shape[1:]:
            good = halved(good)
        standard = Standard(
            np.concatenate([_shown(scorer, good[at : at + CHUNK]) for at in range(0, len(good), CHUNK)])
        )
        return lambda batch: spot_columns(self._full_size(standard.sigma(_shown(scorer, batch))))

    def _full_size(self, maps: Floats) -> Floats:
        larger = np.array(self.test.plan.size) / maps.shape[1:]
        return (
            maps
            if (larger == 1).all()
            else np.asarray(zoom(maps, (1, *larger), order=1, mode="nearest", grid_mode=True))
        )


def _shown(scorer: Scorer, batch: Batch) -> Floats:
    evidence = np.abs(explanation(scorer, batch, scorer.outputs[0])).mean(axis=1, dtype=np.float32)
    return np.asarray(gaussian_filter(evidence, (0, SMOOTH, SMOOTH)))


CAPTIONS = {
    "standing.svg": "How well the score of an image, and the worst spot of its map, tell whether it has a defect "
    "(AUROC); how often the worst spot of an image with a defect lies in it, and how often one of its three spots lies "
    "within 8 pixels of it; 90 % intervals. Grey strokes are chance: the same spots asked about the defect of another "
    "image",
    "aggregation.svg": "Spearman's rho of what the vertical test of simulated cavities found with what is made of the "
    "images of their last scan, with 90 % intervals. Grey: what would not be found, after correction for all pairs of "
    "a scorer. Negative is what physics expects of the field",
    "locality.svg": "Spearman's rho of the field with the worst spot, and with the mean score, of the whole cavity, of "
    "the cell that quenched, within 10 degrees of the quench; for comparison at the quench place of another cavity; "
    "these of cavities whose quench was located. Last lane: every cell as a cavity of its own, with a test of its own",
    "latent.png": "Images of six cavities, both scans, as points. In the titles: the share of the 15 nearest "
    "neighbours on the map that are alike, and by chance. A map is no space: distances between groups mean little",
}
