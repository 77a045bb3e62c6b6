"""Efficiency curves of a few ways, and score against run size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from lynkeus.commission.figures import COLOURS, SERIES, finished, save
from lynkeus.studies.cms_run_flags.crossed import Held


def efficiency_figure(held: Mapping[str, Held], path: Path) -> None:
    """Write the share of bad runs found against the share of good runs flagged, one curve for each way."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    share = np.linspace(0, 1, 201)
    for number, (name, own) in enumerate(held.items()):
        found = [np.interp(share, *roc_curve(own.bad, run)[:2]) for run in own.run]
        axes.plot(share, np.mean(found, axis=0), color=SERIES[number % 6], label=name)
    axes.plot([0, 1], [0, 1], color=COLOURS["line"])
    axes.set_xlabel("share of good runs flagged")
    axes.set_ylabel("share of bad runs flagged")
    axes.legend(frameon=False)
    save(finished(figure), path)


def size_figure(held: Held, path: Path) -> None:
    """Write the score of every labelled run against its entries."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    size, score = held.log_size / np.log(10), held.run.mean(axis=0)
    for bad, colour, marker, name in ((False, SERIES[0], "o", "good"), (True, COLOURS["alarm"], "x", "bad")):
        rows = held.bad == bad
        axes.plot(size[rows], score[rows], marker, color=colour, markersize=4, label=name)
    axes.set_xlabel("log10 of the entries in all plots")
    axes.set_ylabel("log odds of being bad")
    axes.legend(frameon=False)
    save(finished(figure), path)
