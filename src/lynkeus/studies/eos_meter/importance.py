"""Maps of importance, of several trainings: are they the same?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lynkeus.commission.figures import finished, save
from lynkeus.core import Batch, Floats, plugins
from lynkeus.sources import InMemory

MAPS, LOOKED_AT = 5, 64  # trainings, and spectra that are looked at


def importance(learned: Batch, test: Batch, options: Mapping[str, Any], anew: bool) -> Floats:
    """Return (MAPS, p_T, phi) the mean size of the evidence over test spectra, turned to their event planes, and over
    their mirror images, which are as likely and have the mirror images of the maps.

    Trainings have seeds of their own; `anew`: and collisions that are drawn with replacement.
    """
    found = []
    some = test[np.linspace(0, len(test) - 1, LOOKED_AT).astype(int)]
    for seed in range(MAPS):
        rows = np.arange(len(learned))
        if anew:
            rows = np.sort(np.random.default_rng(seed).integers(len(learned), size=len(learned)))
        scorer = plugins.make_scorer("eos_meter", {**options, "seed": seed})
        scorer.fit(InMemory(learned[rows]))
        evidence = np.abs(scorer.explain(Batch(some.schema, some.values), scorer.outputs[1]))[:, 0]
        turns = scorer.turn(some.values)
        mean = np.mean([np.roll(one, by, axis=1) for one, by in zip(evidence, turns, strict=True)], axis=0)
        found.append(0.5 * (mean + mean[:, ::-1]))  # bins of phi begin at 0
    return np.stack(found)


def alike(maps: Floats) -> tuple[float, float]:
    """Return the least and the mean correlation of two of the maps."""
    found = [np.corrcoef(maps[a].ravel(), maps[b].ravel())[0, 1] for a in range(len(maps)) for b in range(a)]
    return float(np.min(found)), float(np.mean(found))


def importance_figure(mean: Floats, path: Path) -> None:
    """Draw a map of importance."""
    figure = Figure(figsize=(6.0, 3.2), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(mean, origin="lower", aspect="auto", cmap="magma")
    axes.set(xlabel="bin of phi, from the event plane", ylabel="bin of p_T")
    figure.colorbar(shown, label="log odds")
    save(finished(figure), path)
