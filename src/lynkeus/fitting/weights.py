"""Weights of samples are used, or refused: a fit never leaves them out in silence."""

from __future__ import annotations

import contextlib

import numpy as np

from lynkeus.core import About, SettingsError, Source, plugins
from lynkeus.core.weights import differ


def check_weights_used(source: Source, scorer: str, about: About, wanted: str = "") -> None:
    """Raise SettingsError where samples differ in weight and the scorer counts all alike, or `wanted` weights are not
    there.

    A source shows in its first batch whether it has weights.
    """
    least, most = float("inf"), 0.0
    for batch in source:
        if batch.weight is None:
            if wanted:
                raise SettingsError(f"the data have no weights {wanted!r}; name an array or column that is there")
            return
        if about.weights:
            return
        if len(batch):
            least, most = min(least, float(batch.weight.min())), max(most, float(batch.weight.max()))
            if differ(np.array([least, most])):
                raise SettingsError(
                    f"{scorer} counts all samples alike and cannot use their weights: choose one of "
                    f"{', '.join(scorers_with_weights())}, or draw samples as often as they weigh and leave weights out"
                )


def scorers_with_weights() -> list[str]:
    """Names of the scorers in whose fit samples count by their weights."""
    found = []
    for name in plugins.entries("scorers"):
        with contextlib.suppress(SettingsError):  # of a plug-in that cannot be loaded nothing is known
            if getattr(getattr(plugins.load("scorers", name), "about", None), "weights", False):
                found.append(name)
    return found
