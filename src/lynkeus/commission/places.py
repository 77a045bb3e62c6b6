"""Places: where in a map a scorer looks, averaged over samples that were turned to lie upon one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lynkeus.commission.figures import finished
from lynkeus.core import Array, Batch, Evidence, Floats
from lynkeus.fitting.fitted import Fitted


@dataclass(frozen=True)
class Places:
    """The `mean` size (row, column) of the evidence, what the `axes` are, and `alike`: the correlation of the means of
    both halves of the samples, by which one sees whether it would be the same again."""

    mean: Floats
    axes: tuple[str, str]
    alike: float


class Said(list[str]):
    """What is to be said, and on the way sums of the evidence of maps, by output and half of the samples."""

    def __init__(self) -> None:
        super().__init__()
        self.sums: dict[str, Floats] = {}
        self.counts: dict[str, Array] = {}
        self.axes = ("row", "column")

    def add(self, fitted: Fitted, batch: Batch, output: str, evidence: Evidence) -> None:
        """Add the evidence (n, ...) of maps; of other samples nothing."""
        scorer: Any = fitted.scorer
        if batch.schema.kind != "image" or None in batch.schema.shape:
            return
        self.axes = getattr(scorer, "axes", self.axes)
        size = np.abs(np.nan_to_num(evidence)).reshape(len(evidence), -1, *evidence.shape[-2:]).sum(axis=1)
        turn = scorer.turn(batch.values) if hasattr(scorer, "turn") else np.zeros(len(size), int)
        sums = self.sums.setdefault(output, np.zeros((2, *size.shape[1:])))
        counts = self.counts.setdefault(output, np.zeros(2))
        for one, by in zip(size, turn, strict=True):
            half = int(counts.sum()) // 2 % 2  # pairs: classes often come in turn
            sums[half] += np.roll(one, by, axis=1)
            counts[half] += 1

    @property
    def places(self) -> dict[str, Places]:
        """Return the maps by output."""
        found = {}
        for output, sums in self.sums.items():
            halves = (sums / np.maximum(self.counts[output], 1)[:, None, None]).reshape(2, -1)
            known = (halves.std(axis=1) > 0).all()
            alike = float(np.corrcoef(halves[0], halves[1]).ravel()[1]) if known else float("nan")
            found[output] = Places(sums.sum(axis=0) / max(self.counts[output].sum(), 1), self.axes, alike)
        return found


def map_figure(places: Places) -> Figure:
    """Return the map as a heat map; the first row is at the bottom."""
    figure = Figure(figsize=(7.0, 3.4), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(places.mean, origin="lower", aspect="auto", cmap="viridis")
    axes.set(ylabel=places.axes[0], xlabel=places.axes[1])
    axes.set_title(f"mean size of the evidence; both halves of the samples correlate by {places.alike:.2f}", fontsize=9)
    figure.colorbar(shown, ax=axes)
    return finished(figure)
