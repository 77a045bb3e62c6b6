"""Figures of the study: significance by the uncertainty of the background, and by the cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from lynkeus.commission.figures import MARKERS, SERIES, finished, save
from lynkeus.core import Floats
from lynkeus.metrics.significance import asimov_significance

SHOWN = ("search_classifier", "asimov 5%", "asimov 50%", "profiled")


def by_systematic(rows: Mapping[tuple[str, float, str], Floats], systematics: Sequence[float], path: Path) -> None:
    """Draw mean and spread of the seeds of three rows: trained for discovery, cross-entropy tuned, and cut pure."""
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    lines = {
        "Asimov loss": [rows[f"search_classifier asimov {one:.0%}", one, "tuned cut"] for one in systematics],
        "cross-entropy, tuned cut": [rows["search_classifier", one, "tuned cut"] for one in systematics],
        "cross-entropy, purity cut": [rows["search_classifier", one, "purity cut"] for one in systematics],
    }
    for number, (name, found) in enumerate(lines.items()):
        axes.errorbar(
            [100 * one + 0.4 * (number - 1) for one in systematics], [z.mean() for z in found],
            yerr=[z.std(ddof=1) for z in found], marker=MARKERS[number], color=SERIES[number], label=name,
            linewidth=1.2,
        )  # fmt: skip
    axes.set_xlabel("systematic uncertainty of the background (%)")
    axes.set_ylabel("expected significance (sigma)")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    save(finished(figure), path)


def by_cut(curves: Mapping[str, tuple[Floats, Floats, Floats]], systematic: float, path: Path) -> None:
    """Draw the significance against the share of signal that is kept, of some networks."""
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    chosen = [name for name in curves if name == SHOWN[0] or any(one in name for one in SHOWN[1:])]
    for number, name in enumerate(chosen):
        signal, background, share = curves[name]
        z = asimov_significance(signal, background, systematic * background)
        label = name.removeprefix("search_classifier").strip() or "cross-entropy"
        axes.plot(share, z, color=SERIES[number % 6], label=label, linewidth=1.2)
    axes.set_xlabel("share of the signal that a cut keeps")
    axes.set_ylabel(f"expected significance at {systematic:.0%} (sigma)")
    axes.legend(frameon=False)
    save(finished(figure), path)
