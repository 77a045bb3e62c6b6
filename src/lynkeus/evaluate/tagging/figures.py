"""Curves of rejection against signal efficiency."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lynkeus.commission.figures import SERIES, finished, save
from lynkeus.core import Batch, Tagged, Tagging
from lynkeus.evaluate.tagging.measure import truth_of
from lynkeus.metrics.tagging import background_efficiency

SHARES = tuple(np.round(np.arange(0.1, 0.99, 0.04), 3))


def curves_figure(study: Tagging, test: Batch, tagged: Sequence[Tagged], path: Path) -> None:
    """Write rejection 1/eB against signal efficiency, a panel for each question; baselines are dashed."""
    many = len(study.against)
    figure = Figure(figsize=(1.2 + 3.8 * many, 4.0), layout="constrained")
    for place, (name, question) in enumerate(study.against.items()):
        axes = figure.add_subplot(1, many, place + 1)
        truth = truth_of(question, test)
        for number, one in enumerate(tagged):
            logs = [
                [np.log(background_efficiency(own[truth == 1], own[truth == 0], share)) for share in SHARES]
                for own in one.scores[name]
            ]
            style = "-" if one.models else "--"
            axes.plot(SHARES, np.exp(-np.mean(logs, axis=0)), style, color=SERIES[number % len(SERIES)], label=one.name)
        axes.set_yscale("log")
        axes.set_title(name)
        axes.set_xlabel(f"efficiency of {question.signal}")
        axes.set_ylabel("rejection 1/eB" if not place else "")
        if not place:
            axes.legend(frameon=False)
    save(finished(figure), path)
