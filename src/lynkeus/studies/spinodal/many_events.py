"""What many events say together: cumulants of the baryons in windows of momentum, and the figure of pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lynkeus.commission.figures import SERIES, finished, save
from lynkeus.core import Batch, Findings
from lynkeus.simulate.spinodal.source import CLASSES
from lynkeus.transforms.clumping import cumulant_test, pair_differences

WINDOWS = (2, 3, 4, 6)  # bins of momentum on a side
REACH = 6  # bins on each side of 0 that windows are laid side by side in
EVENTS = 1000
RATIOS = ("variance / mean", "skewness x sigma", "kurtosis x variance")


def across_events(test: Batch, figure: Path) -> Findings:
    """Return cumulant ratios of 1,000 events of each class, or as many as there are, means over windows side by side,
    and by how many standard errors they differ; and the first two principal components of the differences in momentum
    of all pairs."""
    assert test.truth is not None
    counts, truth = test.values[:, 0], test.truth
    lines = [["window, bins", *(f"{name}: {' and '.join(CLASSES)}" for name in RATIOS)]]
    metrics: dict[str, float] = {}
    for window in WINDOWS:
        own = _in_windows(counts, window)
        one, other, apart = cumulant_test(own[truth == 0][:EVENTS], own[truth == 1][:EVENTS])
        each = zip(one, other, apart, strict=True)
        lines.append([f"{window} x {window}", *(f"{a:.2f}, {b:.2f} ({s:+.1f} sigma)" for a, b, s in each)])
        metrics[f"cumulants.{window}.sigma"] = float(apart[0])
    metrics["cumulants.sigma"] = max(metrics.values())
    save(_pairs(pair_differences(counts), truth), figure)
    caption = "The first two principal components of the differences in momentum of all pairs of baryons of an event."
    return Findings({figure.name: caption}, metrics, {"Cumulants over events": lines})


def _in_windows(counts: np.ndarray, window: int) -> np.ndarray:
    """Return (events, windows) how many baryons are in each window of so many bins on a side."""
    middle = counts.shape[1] // 2
    inside = counts[:, middle - REACH : middle + REACH, middle - REACH : middle + REACH]
    many = 2 * REACH // window
    return inside.reshape(len(counts), many, window, many, window).sum(axis=(2, 4)).reshape(len(counts), -1)


def _pairs(pairs: np.ndarray, truth: np.ndarray) -> Figure:
    off = pairs - pairs.mean(axis=0)
    scores = off @ np.linalg.svd(off, full_matrices=False)[2][:2].T
    figure = Figure(figsize=(5.6, 4.6), layout="constrained")
    axes = figure.subplots()
    for number, name in enumerate(CLASSES):
        own = scores[truth == number][:EVENTS]
        axes.scatter(own[:, 0], own[:, 1], s=4, color=SERIES[number], label=name)
    axes.set(xlabel="first principal component", ylabel="second")
    axes.legend(frameon=False)
    return finished(figure)
