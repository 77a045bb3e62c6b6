"""Maps of importance, of several trainings: are they the same?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lynkeus.commission.figures import finished, save
from lynkeus.core import Batch, Floats, plugins
from lynkeus.sources import InMemory

MAPS, LOOKED_AT = 3, 24  # trainings on collisions that are drawn anew, and spectra that are looked at


def importance(learned: Batch, test: Batch) -> Floats:
    """Return (MAPS, p_T, phi) the mean size of the evidence over test spectra, turned to their event planes."""
    found = []
    some = test[np.linspace(0, len(test) - 1, LOOKED_AT).astype(int)]
    for seed in range(MAPS):
        rows = np.random.default_rng(seed).integers(len(learned), size=len(learned))
        scorer = plugins.make_scorer("eos_meter", {"seed": seed})
        scorer.fit(InMemory(learned[np.sort(rows)]))
        evidence = np.abs(scorer.explain(Batch(some.schema, some.values), scorer.outputs[1]))[:, 0]
        turns = scorer.turn(some.values)
        found.append(np.mean([np.roll(one, by, axis=1) for one, by in zip(evidence, turns, strict=True)], axis=0))
    return np.stack(found)


def importance_figure(mean: Floats, path: Path) -> None:
    """Draw a map of importance."""
    figure = Figure(figsize=(6.0, 3.2), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(mean, origin="lower", aspect="auto", cmap="magma")
    axes.set(xlabel="bin of phi, from the event plane", ylabel="bin of p_T")
    figure.colorbar(shown, label="log odds")
    save(finished(figure), path)
