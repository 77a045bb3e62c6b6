"""Events of negative weight (generators of next-to-leading order): what counts them, and what learns from them.

Counts are sums of weights, and their variance a sum of squares, whatever the signs. A sum below 0 that its own error
explains is none; one that it does not explain is refused, as no simulation of any size would expect it. A classifier
learns from weights that are nowhere negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lynkeus.core import Array, Floats, SettingsError
from lynkeus.searches.events import Events
from lynkeus.searches.plan.plan import WAYS
from lynkeus.transforms.cell_resampling import positive_weights

SIGMAS = 3.0  # of a sum of weights: further below 0 it is no fluctuation


def settled(
    counts: Floats, variance: Floats, processes: Sequence[str], cells: Sequence[str]
) -> tuple[Floats, tuple[str, ...]]:
    """Return sums of weights (processes, cells) in which those that fluctuated below 0 are 0, and which these are.

    Raises SettingsError for a sum that is further below 0 than its error, the root of `variance`, explains.
    """
    bad = counts < -SIGMAS * np.sqrt(variance) - 1e-12
    for i, k in np.argwhere(bad):
        raise SettingsError(
            f"region {cells[k]}: the weights of {processes[i]} add up to {counts[i, k]:.3g} ± "
            f"{np.sqrt(variance[i, k]):.2g}: a negative expectation that is no fluctuation; check the signs of the "
            "weights, join regions or bins, or give more simulation"
        )
    below = np.argwhere(counts < 0)
    return np.maximum(counts, 0.0), tuple(f"{processes[i]} in {cells[k]}" for i, k in below)


def require_positive(name: str, both: Floats, processes: Sequence[str]) -> Floats:
    """Return a systematic's sums (2, processes, cells), those below 0 as 0. Raises SettingsError where a process has
    less than nothing in all cells together."""
    for way, sums in zip(WAYS, both.sum(axis=2), strict=True):
        for process, total in zip(processes, sums, strict=True):
            if total < -1e-12:
                raise SettingsError(
                    f"systematics.{name}: {way}, the weights of {process} add up to {total:.3g}; check their signs"
                )
    return np.maximum(both, 0.0)


def to_learn_from(events: Events, inputs: Sequence[str], truth: Array, classes: Sequence[str]) -> Events:
    """Return events whose weights are nowhere negative, with the same sum in each class.

    `truth` (n,): the number of each one's class. Those of negative weight share theirs with the most similar events of
    their class (cell resampling). Raises SettingsError for a class whose weights do not add up to more than 0.
    """
    for k in np.unique(truth):
        total = float(events.weight[truth == k].sum())
        if total <= 0:
            raise SettingsError(
                f"{events.name}: the weights of {classes[k]} add up to {total:.3g}: there is nothing to learn from"
            )
    weight, x = events.weight.copy(), events.values(inputs)
    for k in np.unique(truth[weight < 0]):
        own = truth == k
        weight[own] = positive_weights(x[own], weight[own])
    return replace(events, weight=weight)


def says(simulation: Events, training: Events | None) -> list[str]:
    """Return a line for each sample that has events of negative weight: how many, and what becomes of them."""
    found = []
    for events, what in (
        (simulation, "counts are sums of weights, and their variance sums of squares"),
        (training, "the classifier learns from weights that they share with the most similar events (cell resampling)"),
    ):
        negative = 0 if events is None else int((events.weight < 0).sum())
        if events is not None and negative:
            found.append(f"{events.name}: {negative} of {len(events)} events have negative weights: {what}")
    return found
