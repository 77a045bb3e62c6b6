"""Likelihood: minus two log likelihood of a model of pyhf with its derivatives, of many data sets at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.searches.rates import Rates

STEP = 1e-6  # of a parameter, by which slopes are taken where no exact ones are known (see `Rates.of`)
BEND = 1e-3  # of a parameter to either side, likewise of slopes of the deviance
LEAST = 1e-10  # events: a rate at or below nothing has no logarithm
FLAT = 1e-3  # of the curvature of a bin that it has even without an event, so that there is always a step
ROWS = 2048  # sets of parameters that are evaluated at a time, where there are as many


class Derived(NamedTuple):
    """Of each of n data sets: the deviance (n,), its slope (n, parameters) and curvature (n, parameters, parameters):
    that of linear rates, which is what it is near a minimum."""

    value: Floats
    slope: Floats
    curvature: Floats


class Likelihood:
    """The deviance -2 log L, counted from that of a model that fits every bin: differences are those of -2 log L.

    `model` is one of pyhf, whose backend is NumPy; `sets`: data sets that are fitted at a time.
    """

    def __init__(self, model: Any, sets: int = 1) -> None:
        import pyhf

        config = model.config
        self.parameters, self.bins = int(config.npars), int(config.nmaindata)
        self.bounds = np.asarray(config.suggested_bounds(), float)
        self.exact = Rates.of(model)
        self.rows = max(2, min(sets * (self.parameters + 1), ROWS))
        self.batched = None if self.exact else pyhf.Model(
            model.spec, batch_size=self.rows, validate=False, poi_name=config.poi_name,
            modifier_settings=config.modifier_settings,
        )  # fmt: skip
        self.normal, self.poisson = _constraints(config)

    def rates(self, x: Floats) -> Floats:
        """Return (n, bins) the expected events of sets of parameters (n, parameters)."""
        if self.exact:
            return self.exact(x)
        assert self.batched is not None
        found = np.empty((len(x), self.bins))
        for start in range(0, len(x), self.rows):
            part = x[start : start + self.rows]
            whole = np.concatenate([part, np.broadcast_to(part[:1], (self.rows - len(part), x.shape[1]))])
            found[start : start + self.rows] = self.batched.main_model.expected_data(whole)[: len(part)]
        return found

    def of(self, x: Floats, data: Floats) -> Floats:
        """Return (n,) the deviance of data (n, bins and auxiliary ones) at parameters (n, parameters)."""
        return self._deviance(x, self.rates(x), data)

    def derive(self, x: Floats, data: Floats) -> Derived:
        """Return the deviance of the same with its derivatives."""
        rate, slopes = self.exact.derive(x) if self.exact else self._by_differences(x)
        known, seen = np.maximum(rate, LEAST), data[:, : self.bins]
        slope = 2.0 * np.einsum("npb,nb->np", slopes, 1.0 - seen / known)
        bent = 2.0 * (seen / known**2 + FLAT / known)
        curvature = (slopes * bent[:, None]) @ slopes.transpose(0, 2, 1)
        index, at, sigma = self.normal
        slope[:, index] += 2.0 * (x[:, index] - data[:, at]) / sigma**2
        curvature[:, index, index] += 2.0 / sigma**2
        index, at, factor = self.poisson
        inside = np.maximum(x[:, index], LEAST)
        slope[:, index] += 2.0 * (factor - data[:, at] / inside)
        curvature[:, index, index] += 2.0 * (data[:, at] / inside**2 + FLAT * factor / inside)
        return Derived(self._deviance(x, rate, data), slope, curvature)

    def _by_differences(self, x: Floats) -> tuple[Floats, Floats]:
        """Return rates (n, bins) and slopes (n, parameters, bins) of a model whose slopes are not known."""
        n, p = x.shape
        moved = np.repeat(x[:, None], p + 1, axis=1)
        own = np.arange(p)
        moved[:, 1 + own, own] += STEP
        rates = self.rates(moved.reshape(-1, p)).reshape(n, p + 1, self.bins)
        return rates[:, 0], (rates[:, 1:] - rates[:, :1]) / STEP

    def bend(self, x: Floats, data: Floats) -> Floats:
        """Return (parameters, parameters) all second derivatives of the deviance of one data set."""
        moved = np.repeat(x[None], 2 * self.parameters, axis=0)
        own = np.arange(self.parameters)
        moved[own, own] += BEND
        moved[self.parameters + own, own] -= BEND
        slope = self.derive(moved, np.broadcast_to(data, (len(moved), len(data)))).slope
        found = (slope[: self.parameters] - slope[self.parameters :]) / (2 * BEND)
        return np.asarray(0.5 * (found + found.T))

    def _deviance(self, x: Floats, rate: Floats, data: Floats) -> Floats:
        found = _poisson(rate, data[:, : self.bins])
        index, at, sigma = self.normal
        found += np.sum(((x[:, index] - data[:, at]) / sigma) ** 2, axis=1)
        index, at, factor = self.poisson
        return np.asarray(found + _poisson(x[:, index] * factor, data[:, at]))


def _poisson(rate: Floats, seen: Floats) -> Floats:
    """Return (n,) twice the sum of rate - seen + seen log(seen / rate)."""
    known = np.maximum(rate, LEAST)
    ratio = np.log(np.maximum(seen, LEAST) / known)
    return np.asarray(2.0 * np.sum(known - seen + np.where(seen > 0, seen * ratio, 0.0), axis=1))


def _constraints(config: Any) -> tuple[tuple[Array, Array, Floats], tuple[Array, Array, Floats]]:
    """Return of normal and of Poisson constraints: which parameter, which entry of the data, sigma or factor."""
    found: dict[str, list[tuple[int, int, float]]] = {"normal": [], "poisson": []}
    at = int(config.nmaindata)
    for name in config.auxdata_order:
        own, where = config.param_set(name), config.par_slice(name)
        default = [1.0] * own.n_parameters
        sizes = getattr(own, "sigmas", default) if own.pdf_type == "normal" else own.factors
        for k, size in enumerate(sizes):
            found[own.pdf_type].append((where.start + k, at + k, float(size)))
        at += own.n_parameters
    normal, poisson = (
        (np.array([one[0] for one in own], int), np.array([one[1] for one in own], int),
         np.array([one[2] for one in own], float)) for own in found.values()
    )  # fmt: skip
    return normal, poisson
