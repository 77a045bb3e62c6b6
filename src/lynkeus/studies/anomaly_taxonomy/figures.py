"""Score maps: over the plane, and over the pixels of a few images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from lynkeus.commission.figures import COLOURS, SERIES, finished, save
from lynkeus.core import Batch, Findings, Outcome

GRID = 80
SHARES = (0.5, 0.9, 0.99)  # of the good test samples that lie within a contour
SHADES = ("#c9e0e2", "#e4eff0", "#f6f9f9", "#f0d3d0")
ABREAST = 4


def plane_maps(case: str, outcomes: Sequence[Outcome], folder: Path) -> Findings:
    """Each scorer's score over the plane, with the test samples; of windows the points, by the score of theirs."""
    outcomes = [outcome for outcome in outcomes if outcome.scorer is not None]
    lines = -(-len(outcomes) // ABREAST)
    figure = Figure(figsize=(2.5 * ABREAST, 2.6 * lines), layout="constrained")
    grid = figure.subplots(lines, ABREAST, squeeze=False, sharex=True, sharey=True)
    for axes, outcome in zip(grid.flat, outcomes, strict=False):
        windows = outcome.test.schema.kind == "waveform"
        (_draw_windows if windows else _draw_contours)(axes, outcome)
        axes.set_title(outcome.name)
    for axes in grid.flat[len(outcomes) :]:
        axes.set_visible(False)
    name = f"{case}.png"
    save(finished(figure), folder / name)
    within = ", ".join(f"{share:.0%}" for share in SHARES)
    caption = f"{case}: anomalies in red; within the contours lie {within} of the good test samples"
    if outcomes[0].test.schema.kind == "waveform":
        caption = f"{case}: the points of good windows, and in red those of clumps: the darker, the higher their score"
    return Findings({name: caption})


def _draw_contours(axes: Axes, outcome: Outcome) -> None:
    values, truth, scorer = outcome.test.values, outcome.test.truth, outcome.scorer
    assert truth is not None
    assert scorer is not None
    low, high = values.min(axis=0), values.max(axis=0)
    margin = 0.1 * (high - low)
    x, y = np.linspace(low - margin, high + margin, GRID).T
    mesh = np.stack(np.meshgrid(x, y), axis=-1)
    score = scorer.score(Batch(outcome.test.schema, mesh.reshape(-1, 2)))[:, 0]
    good = np.sort(outcome.scores[truth == 0, 0])
    share = np.searchsorted(good, score) / len(good)
    axes.contourf(x, y, share.reshape(GRID, GRID), levels=(0.0, *SHARES, 1.01), colors=SHADES)
    axes.plot(*values[truth == 0].T, ".", color=COLOURS["muted"], markersize=1.2)
    axes.plot(*values[truth != 0].T, "x", color=COLOURS["alarm"], markersize=3.5)


def _draw_windows(axes: Axes, outcome: Outcome) -> None:
    truth = outcome.test.truth
    assert truth is not None
    rank = outcome.scores[:, 0].argsort().argsort() / len(truth)
    for wrong, colour, size in ((False, SERIES[0], 2.0), (True, COLOURS["alarm"], 4.0)):
        rows = np.flatnonzero((truth != 0) == wrong)
        x, y = outcome.test.values[rows].swapaxes(0, 1).reshape(2, -1)
        shade = np.repeat(0.12 + 0.88 * rank[rows] ** 4, outcome.test.values.shape[2])
        axes.scatter(x, y, s=size, color=[to_rgba(colour, alpha) for alpha in shade], linewidths=0)


def image_maps(case: str, outcomes: Sequence[Outcome], folder: Path, digits: Sequence[str]) -> Findings:
    """Four test images, and which of their pixels speak: a usual good one, the most suspicious good one, an anomaly,
    and the one that looks best; as the first scorer has it."""
    outcomes = [outcome for outcome in outcomes if outcome.scorer is not None]
    chosen = _telling(outcomes[0])
    test = outcomes[0].test[np.array(list(chosen.values()))]
    assert test.truth is not None
    figure = Figure(figsize=(1.7 * len(chosen) + 0.6, 1.8 * (1 + len(outcomes))), layout="constrained")
    grid = figure.subplots(1 + len(outcomes), len(chosen), squeeze=False)
    for axes, said, image, truth in zip(grid[0], chosen, test.values, test.truth, strict=True):
        axes.imshow(image.mean(axis=0), cmap="Greys")
        axes.set_title(f"{digits[truth] if truth else case}\n{said}")
    for line, outcome in zip(grid[1:], outcomes, strict=True):
        assert outcome.scorer is not None
        for axes, evidence in zip(line, outcome.scorer.explain(test).sum(axis=1), strict=True):
            most = max(float(np.quantile(np.abs(evidence), 0.995)), 1e-12)
            axes.imshow(evidence, cmap="RdBu_r", vmin=-most, vmax=most)
        line[0].set_ylabel(outcome.name)
    figure = finished(figure)
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_yticks([])
    name = f"digit_{case}.png"
    save(figure, folder / name)
    words = "where ink is too much (red) or missing (blue); of deep_svdd: what adds to the distance or takes from it"
    return Findings({name: f"{case} is normal: test images, and {words}"})


def _telling(outcome: Outcome) -> dict[str, int]:
    truth = outcome.test.truth
    assert truth is not None
    order = outcome.scores[:, 0].argsort()
    good, faulty = (order[(truth[order] == 0) == is_good] for is_good in (True, False))
    return {
        "usual": int(good[len(good) // 2]),
        "most suspicious": int(good[-1]),
        "anomaly": int(faulty[len(faulty) // 2]),
        "looks best": int(faulty[0]),
    }
