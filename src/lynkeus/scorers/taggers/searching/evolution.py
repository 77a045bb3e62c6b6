"""Evolution: the Taylor coefficients of a network after each epoch of its training: which input is learned when."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from lynkeus.core import Floats, SettingsError
from lynkeus.explain.taylor.coefficients import coefficients
from lynkeus.scorers.taggers.searching.dense import Dense, in_double

FEWEST = 100  # events


class Evolution:
    """Called after each epoch it returns, by class, the mean sizes of all coefficients up to `order` of its probability
    at some `events` (n, columns) in sigmas."""

    def __init__(self, events: Floats, classes: tuple[str, ...], order: int) -> None:
        self.events, self.classes, self.order = torch.from_numpy(events), classes, order

    def __call__(self, network: nn.Module) -> dict[str, list[float]]:
        assert isinstance(network, Dense)
        whole = nn.Sequential(*in_double(network), nn.Softmax(dim=1))
        mean = coefficients(whole, self.events, self.order).all.abs().mean(dim=0).numpy()
        return {name: [float(f"{size:.4g}") for size in mean[k]] for k, name in enumerate(self.classes)}


def require_evolution(events: int) -> None:
    """Raise SettingsError for fewer events than say anything."""
    if events and events < FEWEST:
        raise SettingsError(f"evolution is a number of events, 0 (none) or {FEWEST} and more, got {events!r}")


def events_in_sigmas(parts: list[Floats], centre: Floats, sigma: Floats) -> Floats:
    """Return events (n, columns) in sigmas, missing values as the mean."""
    return np.nan_to_num((np.concatenate(parts) - centre) / sigma, nan=0.0, posinf=0.0, neginf=0.0)
