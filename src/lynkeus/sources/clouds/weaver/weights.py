"""Weights of jets that are made of the data, so that the classes have one spectrum: weaver's `flat` and `ref`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from lynkeus.core.batch import Array
from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.sources.clouds.weaver.inputs import number
from lynkeus.transforms.expressions import Expression, parse

MOST_WEIGHT = 0.9  # of a class: weaver leaves some randomness to its drawing
Histogram = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Reweighting:
    """Weights by two `variables` in bins of these `edges`, for each of the `classes` (columns that are 1 for its jets).

    `method` flat: each class is made flat; ref: each gets the spectrum of the first. `threshold`: percentile of bins
    below which a class is left as it is. `histograms`: the weights of each class by bin, once they are known.
    """

    variables: tuple[str, str]
    edges: tuple[tuple[float, ...], tuple[float, ...]]
    classes: tuple[str, ...]
    method: str
    class_weights: tuple[float, ...]
    threshold: float = 10.0
    discard: bool = True
    base: Expression | None = None
    histograms: Mapping[str, Histogram] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the variables that are needed."""
        return (*self.variables, *self.classes, *(self.base.names if self.base else ()))

    def counted(self, held: Mapping[str, Array], base: Array | None) -> dict[str, Array]:
        """Return for each class how many jets of a piece are in each bin, weighted by their base weight."""
        x, y = (np.asarray(held[name], float) for name in self.variables)
        if not self.discard:
            x, y = (np.clip(own, edges[0], edges[-1]) for own, edges in zip((x, y), self.edges, strict=True))
        found = {}
        for name in self.classes:
            own = np.asarray(held[name]) == 1
            weights = None if base is None else base[own]
            found[name] = np.histogram2d(x[own], y[own], bins=[*map(np.asarray, self.edges)], weights=weights)[0]
        return found

    def made(self, counts: Mapping[str, Array]) -> Reweighting:
        """Return the same with the weights that these counts give. Raises SourceError for a class without jets."""
        raw = {name: counts[name].astype(np.float32) for name in self.classes}
        for name, own in raw.items():
            if not (own > 0).any():
                raise SourceError(f"weights: no jet of class {name} is in the bins of {' and '.join(self.variables)}")
        events, found = {}, {}
        for name, share in zip(self.classes, self.class_weights, strict=True):
            with np.errstate(divide="ignore", invalid="ignore"):
                found[name] = self._flat(raw[name]) if self.method == "flat" else self._like(raw, name)
            events[name] = float(np.sum(raw[name] * found[name]) / share)
        least = min(events.values()) * MOST_WEIGHT
        return replace(self, histograms={name: own * np.float32(least / events[name]) for name, own in found.items()})

    def scaled(self, weights: Array) -> Reweighting:
        """Return the same where base weights are used: in units of a high percentile of all weights."""
        usual = float(np.percentile(weights, 100 - self.threshold))
        assert self.histograms is not None
        return replace(self, histograms={name: own / np.float32(usual) for name, own in self.histograms.items()})

    def weights(self, held: Mapping[str, Array], base: Array | None) -> Array:
        """Return the weight of each jet of a piece; 0 for one of no class, or outside of the bins where these are
        discarded."""
        assert self.histograms is not None
        x, y = (np.asarray(held[name]) for name in self.variables)
        edges = [np.asarray(own) for own in self.edges]
        inside = np.ones(len(x), bool)
        if self.discard:
            for own, axis in zip((x, y), edges, strict=True):
                inside &= (own >= axis.min()) & (own <= axis.max())
        found = np.zeros(len(x), np.float32)
        for name, histogram in self.histograms.items():
            own = (np.asarray(held[name]) == 1) & inside
            at = [
                np.clip(np.digitize(column[own], axis) - 1, 0, len(axis) - 2)
                for column, axis in zip((x, y), edges, strict=True)
            ]
            found[own] = histogram[at[0], at[1]]
        return found if base is None else found * base

    def _flat(self, counts: Histogram) -> Histogram:
        filled = counts[counts > np.median(counts[counts > 0]) * 0.01]
        level = np.percentile(filled, self.threshold)
        return np.clip(np.nan_to_num(level / counts, posinf=0), 0, 1).astype(np.float32)

    def _like(self, raw: Mapping[str, Histogram], name: str) -> Histogram:
        ratio = np.nan_to_num(raw[self.classes[0]] / raw[name], posinf=0)
        if not (ratio > 0).any():
            raise SourceError(f"weights: {name} and {self.classes[0]} have no bin in common; widen reweight_vars")
        return np.clip(ratio / np.percentile(ratio[ratio > 0], 100 - self.threshold), 0, 1).astype(np.float32)


def reweighting_of(given: Mapping[str, Any], name: str) -> Reweighting:
    """Return the reweighting of a configuration. Raises SettingsError naming the field."""
    where = f"{name}: weights"
    bins, classes = given.get("reweight_vars"), given.get("reweight_classes")
    if not isinstance(bins, dict) or len(bins) != 2:
        raise SettingsError(f"{where}.reweight_vars: must be two variables with the edges of their bins, got {bins!r}")
    edges = [_edges(own, f"{where}.reweight_vars.{variable}") for variable, own in bins.items()]
    if not isinstance(classes, list) or not classes:
        raise SettingsError(f"{where}.reweight_classes: must be a list of columns, got {classes!r}")
    method = given.get("reweight_method")
    if method not in ("flat", "ref"):
        raise SettingsError(f"{where}.reweight_method: must be flat or ref, got {method!r}")
    shares = given.get("class_weights") or [1.0] * len(classes)
    if not isinstance(shares, list) or len(shares) != len(classes):
        raise SettingsError(f"{where}.class_weights: must be {len(classes)} numbers, one for each class")
    base, held = given.get("reweight_basewgt"), given.get("reweight_hists")
    shape = (len(edges[0]) - 1, len(edges[1]) - 1)
    histograms = None if held is None else {own: np.asarray(held[own], np.float32) for own in classes if own in held}
    if histograms is not None and (len(histograms) < len(classes) or {h.shape for h in histograms.values()} != {shape}):
        raise SettingsError(f"{where}.reweight_hists: must be a table {shape} for each class; leave it out")
    variables = list(bins)
    return Reweighting(
        (variables[0], variables[1]), (edges[0], edges[1]), tuple(classes), str(method),
        tuple(number(share, f"{where}.class_weights") for share in shares),
        number(given.get("reweight_threshold", 10), f"{where}.reweight_threshold"),
        bool(given.get("reweight_discard_under_overflow", True)),
        parse(str(base), f"{where}.reweight_basewgt") if base else None, histograms,
    )  # fmt: skip


def _edges(given: Any, where: str) -> tuple[float, ...]:
    edges = tuple(number(own, where) for own in given) if isinstance(given, list) else ()
    if len(edges) < 2 or any(high <= low for low, high in pairwise(edges)):
        raise SettingsError(f"{where}: must be two rising edges or more, got {given!r}")
    return edges
