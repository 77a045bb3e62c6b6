"""Histograms of a search as boost-histogram holds them, which `hist` and others read, and how mplhep draws them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import boost_histogram as bh
import numpy as np
from matplotlib.axes import Axes

from lynkeus.commission.figures import COLOURS, SERIES
from lynkeus.core import Floats
from lynkeus.core.extras import needing
from lynkeus.searches.report.short import shortened

FILLED = 0.6  # opacity of backgrounds


def histogram(counts: Floats, variance: Floats | None = None) -> bh.Histogram:
    """Return a histogram of numbered bins, from -0.5 on; without `variance` (bins,) the counts are events of data."""
    values = np.asarray(counts, float)
    found = bh.Histogram(bh.axis.Regular(len(values), -0.5, len(values) - 0.5), storage=bh.storage.Weight())
    found[...] = np.stack([values, values if variance is None else np.asarray(variance, float)], axis=-1)
    return found


def draw_stack(axes: Axes, parts: Sequence[Floats], names: Sequence[str]) -> None:
    """Draw backgrounds (bins,) each upon the other, in the colours of the house."""
    _mplhep().histplot(
        [histogram(counts, np.zeros(len(counts))) for counts in parts], stack=True, histtype="fill", ax=axes,
        color=[SERIES[k % 6] for k in range(len(parts))], alpha=FILLED, label=[shortened(name) for name in names],
        flow="none",
    )  # fmt: skip


def draw_data(axes: Axes, seen: Floats, over: Floats | None = None, label: str | None = None) -> None:
    """Draw events (bins,) with central Poisson intervals of 68 % (Garwood 1936), which a root of n is not where n is
    small; divided by what is expected (`over`) where it is given."""
    down, up = intervals(seen)
    scale = 1.0 if over is None else 1.0 / np.maximum(over, 1e-9)
    _mplhep().histplot(
        histogram(seen * scale), yerr=[(seen - down) * scale, (up - seen) * scale], histtype="errorbar", ax=axes,
        color=COLOURS["text"], markersize=8, label=label, flow="none",
    )  # fmt: skip


def draw_uncertainty(axes: Axes, total: Floats, sigma: Floats) -> None:
    """Hatch the uncertainty of a sum, one standard deviation each way."""
    edges = histogram(total).axes[0].edges
    axes.stairs(
        total + sigma, edges, baseline=np.maximum(total - sigma, 1e-9), fill=True, facecolor="none", hatch="////",
        edgecolor=COLOURS["muted"], linewidth=0, label="uncertainty",
    )  # fmt: skip


def intervals(seen: Floats) -> tuple[Floats, Floats]:
    """Return the ends (bins,) of central Poisson intervals of 68 %."""
    from scipy.stats import chi2

    n = np.asarray(seen, float)
    tail = 0.158655254
    low = np.where(n > 0, chi2.ppf(tail, 2 * np.maximum(n, 1e-9)) / 2, 0.0)
    return low, chi2.ppf(1 - tail, 2 * (n + 1)) / 2


def _mplhep() -> Any:
    with needing("the report of a search", "search"):
        import mplhep
    return mplhep
