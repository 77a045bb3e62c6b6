"""Where the output of a classifier crosses one half, beside what n and |phi|^2 do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lynkeus.commission.figures import SERIES, finished, save
from lynkeus.core import Batch, Floats

PARTS = 10  # of a chain, from which errors come: neighbours in it are alike


def crossing(scan: Batch, output: Floats) -> tuple[float, list[list[str]]]:
    """Return at which mu the mean output crosses 1/2 (NaN: nowhere), and a table of it, n and |phi|^2."""
    lines, means = [["mu", "mean output", "n", "|phi|^2"]], []
    potentials = np.unique(scan.meta["mu"])
    for mu in potentials:
        own = scan.meta["mu"] == mu
        means.append(float(output[own].mean()))
        cells = [_with_error(column[own]) for column in (output, scan.meta["n"], scan.meta["phi2"])]
        lines.append([f"{mu:g}", *cells])
    above = np.array(means) > 0.5
    if above.all() or not above.any():
        return float("nan"), lines
    at = int(np.argmax(above))
    if at == 0:
        return float("nan"), lines
    share = (0.5 - means[at - 1]) / (means[at] - means[at - 1])
    found = float(potentials[at - 1] + share * (potentials[at] - potentials[at - 1]))
    return found, [*lines, ["**crosses 1/2 at**", f"**{found:.3f}**", "", ""]]


def _with_error(values: Floats) -> str:
    parts = np.array([part.mean() for part in np.array_split(values, PARTS)])
    return f"{parts.mean():.4f} ± {parts.std(ddof=1) / np.sqrt(PARTS):.4f}"


def curve(scan: Batch, output: Floats, found: float, path: Path) -> None:
    """Draw the mean output and the density against mu."""
    potentials = np.unique(scan.meta["mu"])
    figure = Figure(figsize=(5.6, 3.6), layout="constrained")
    axes = figure.subplots()
    for number, (name, column) in enumerate((("output", output), ("n", scan.meta["n"]))):
        means = [column[scan.meta["mu"] == mu].mean() for mu in potentials]
        axes.plot(potentials, means, "o-", color=SERIES[number], label=name)
    if np.isfinite(found):
        axes.axvline(found, color=SERIES[2], linewidth=1, label=f"output = 1/2 at {found:.3f}")
    axes.set(xlabel="mu")
    axes.legend(frameon=False)
    save(finished(figure), path)
