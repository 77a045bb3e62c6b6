"""Rates: expected events of a HistFactory model with their exact slopes, of many sets of parameters at a time.

The numbers are those of pyhf (interpolation codes 4 and 4p), which knows no slopes without a library of tensors, and
evaluates every systematic in every sample and bin, whether it is there or not.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array

from lynkeus.core import Array, Floats

SCALARS, OF_BINS = ("normfactor", "lumi"), ("staterror", "shapesys", "shapefactor")
ALIKE, TRIED = 1e-8, 3  # how near pyhf's rates must be, at so many sets of parameters
# Polynomial of sixth order between -1 and 1 that goes on smoothly, with two derivatives (code 4).
SMOOTH = np.array([
    [15, -15, -7, -7, 1, -1], [24, 24, -9, 9, 1, 1], [-10, 10, 10, 10, -2, 2],
    [-24, -24, 14, -14, -2, -2], [3, -3, -3, -3, 1, -1], [8, 8, -5, 5, 1, 1],
]) / 16.0  # fmt: skip


class Rates:
    """Expected events of a `model` of pyhf. An entry is a bin of a sample; its factors stand in slots, one after the
    other, and each is 1, a parameter, or a function of one."""

    def __init__(self, model: Any) -> None:
        self.bins, self.parameters = int(model.config.nmaindata), int(model.config.npars)
        found = _Read(model)
        self.nominal, self.bin_of = np.array(found.nominal), np.array(found.bin_of, int)
        norms = np.array(found.norms, float).reshape(-1, 3)
        self.norm_parameter, self.norm = norms[:, 0].astype(int), _Code4(norms[:, 1], norms[:, 2])
        shapes = np.array(found.shapes, float).reshape(-1, 4)
        self.shape_parameter, self.shape_entry = shapes[:, 0].astype(int), shapes[:, 1].astype(int)
        self.up, self.down = shapes[:, 2], shapes[:, 3]
        depth, entries = max(map(len, found.factors), default=0), len(self.nominal)
        # Which factor: 0 is none, then the parameters, then the functions of them.
        self.factor = np.zeros((depth, entries), int)
        for e, own in enumerate(found.factors):
            self.factor[: len(own), e] = own
        of = np.concatenate([[0], np.arange(self.parameters), self.norm_parameter])[self.factor]
        self.to_bins = _sums(self.bin_of, self.bins)
        self.to_entries = _sums(self.shape_entry, entries)
        self.to_slopes = _sums((of * self.bins + self.bin_of).ravel(), self.parameters * self.bins)
        shaped = self.shape_parameter * self.bins + self.bin_of[self.shape_entry]
        self.to_slopes_of_shapes = _sums(shaped, self.parameters * self.bins)

    @classmethod
    def of(cls, model: Any) -> Self | None:
        """Return the rates of a model; None where they are not those of pyhf: other kinds of systematics, other
        codes."""
        config = model.config
        try:
            found = cls(model)
        except (KeyError, TypeError, ValueError, IndexError):
            return None
        low, high = np.asarray(config.suggested_bounds(), float).T
        rng = np.random.default_rng(0)
        for _ in range(TRIED):
            x = np.clip(np.asarray(config.suggested_init(), float) + rng.normal(0, 0.7, len(low)), low, high)
            theirs = np.asarray(model.main_model.expected_data(x), float)
            if not np.allclose(found(x[None])[0], theirs, rtol=ALIKE, atol=ALIKE):
                return None
        return found

    def __call__(self, x: Floats) -> Floats:
        """Return (n, bins) the expected events of sets of parameters (n, parameters)."""
        value, factors, _ = self._parts(x)
        return self.to_bins(value * np.prod(factors, axis=1))

    def derive(self, x: Floats) -> tuple[Floats, Floats]:
        """Return the same, and slopes (n, parameters, bins)."""
        value, factors, slopes = self._parts(x)
        n, depth, entries = factors.shape
        others = np.ones((n, depth + 1, entries))  # the product of the slots before, then times that of those after
        np.cumprod(factors, axis=1, out=others[:, 1:])
        whole, behind = others[:, -1].copy(), value
        for k in range(depth - 1, -1, -1):
            others[:, k] *= behind * slopes[:, k]
            behind = behind * factors[:, k]
        found = self.to_slopes(others[:, :-1].reshape(n, -1))
        if len(self.shape_entry):
            bent = _code4p_slope(x[:, self.shape_parameter], self.up, self.down)
            found += self.to_slopes_of_shapes(bent * whole[:, self.shape_entry])
        return self.to_bins(value * whole), found.reshape(n, self.parameters, self.bins)

    def _parts(self, x: Floats) -> tuple[Floats, Floats, Floats]:
        """Return of each entry its value (n, entries) before factors, these (n, slots, entries), and their slopes."""
        n = len(x)
        scale, bent = self.norm(x[:, self.norm_parameter])
        every = np.concatenate([np.ones((n, 1)), x, scale], axis=1)
        slopes = np.concatenate([np.zeros((n, 1)), np.ones_like(x), bent], axis=1)
        value = self.nominal
        if len(self.shape_entry):
            value = value + self.to_entries(_code4p(x[:, self.shape_parameter], self.up, self.down))
        return np.broadcast_to(value, (n, len(self.nominal))), every[:, self.factor], slopes[:, self.factor]


class _Read:
    """What a model of pyhf is made of, as lists of entries: `nominal`, `bin_of`, numbers of `factors`; `norms`
    (parameter, high, low) and `shapes` (parameter, entry, up, down)."""

    def __init__(self, model: Any) -> None:
        self.config, self.parameters = model.config, int(model.config.npars)
        self.nominal: list[float] = []
        self.bin_of: list[int] = []
        self.factors: list[list[int]] = []
        self.norms: list[tuple[float, float, float]] = []
        self.shapes: list[tuple[float, float, float, float]] = []
        settings = self.config.modifier_settings
        if settings["normsys"]["interpcode"] != "code4" or settings["histosys"]["interpcode"] != "code4p":
            raise ValueError("other codes of interpolation")
        sizes = [self.config.channel_nbins[name] for name in self.config.channels]
        self.start = dict(zip(self.config.channels, np.cumsum([0, *sizes]).tolist(), strict=False))
        self.channels = model.spec["channels"]
        for channel in self.channels:
            for sample in channel["samples"]:
                self._take(channel["name"], sample)

    def _take(self, channel: str, sample: Any) -> None:
        counts = [float(count) for count in sample["data"]]
        first, own = len(self.nominal), range(len(counts))
        self.nominal += counts
        self.bin_of += [self.start[channel] + k for k in own]
        self.factors += [[] for _ in own]
        for modifier in sample["modifiers"]:
            name, kind, data = modifier["name"], modifier["type"], modifier["data"]
            at = self.config.par_slice(name).start
            if kind == "histosys":
                self.shapes += [(at, first + k, data["hi_data"][k] - counts[k], counts[k] - data["lo_data"][k])
                                for k in own]  # fmt: skip
                continue
            if kind == "normsys":
                numbers = [1 + self.parameters + len(self.norms)] * len(counts)
                self.norms.append((at, float(data["hi"]), float(data["lo"])))
            elif kind in SCALARS:
                numbers = [1 + at] * len(counts)
            elif kind in OF_BINS:
                numbers = [1 + at + k for k in self._places(name, kind, channel, len(counts))]
            else:
                raise ValueError(f"systematics of the kind {kind}")
            for k in own:
                self.factors[first + k].append(numbers[k])

    def _places(self, name: str, kind: str, channel: str, bins: int) -> list[int]:
        """Return which of its parameters each bin of a channel has: those of a staterror count all channels that have
        it, in their order."""
        if kind != "staterror":
            return list(range(bins))
        having = [one["name"] for one in self.channels if any(
            modifier["name"] == name and modifier["type"] == kind for sample in one["samples"]
            for modifier in sample["modifiers"])]  # fmt: skip
        before = sum(self.config.channel_nbins[one] for one in having if self.start[one] < self.start[channel])
        return [before + k for k in range(bins)]


class _Code4:
    """Factors of systematics that are `high` (m,) one sigma up and `low` one down: exponential beyond one sigma."""

    def __init__(self, high: Floats, low: Floats) -> None:
        self.log_high, self.log_low = np.log(high), np.log(low)
        parts = np.stack([
            high - 1, low - 1, self.log_high * high, -self.log_low * low, self.log_high**2 * high,
            self.log_low**2 * low,
        ])  # fmt: skip
        self.coefficients = SMOOTH @ parts

    def __call__(self, x: Floats) -> tuple[Floats, Floats]:
        """Return factors and their slopes at (n, m)."""
        power, slope = np.zeros_like(x), np.zeros_like(x)
        for own in self.coefficients[::-1]:
            slope = slope * x + power
            power = power * x + own
        inner, bent = 1.0 + x * power, power + x * slope
        if not (np.abs(x) >= 1).any():
            return inner, bent
        rate = np.where(x > 0, self.log_high, -self.log_low)
        outer = np.exp(np.where(np.abs(x) >= 1, rate * x, 0.0))
        return np.where(np.abs(x) >= 1, outer, inner), np.where(np.abs(x) >= 1, rate * outer, bent)


def _code4p(x: Floats, up: Floats, down: Floats) -> Floats:
    """Return what is added at (n, m) by systematics that add `up` (m,) and take `down` at one sigma."""
    square = x * x
    inner = 0.5 * (up + down) * x + 0.0625 * (up - down) * square * (15.0 + square * (3.0 * square - 10.0))
    return np.where(x > 1, up * x, np.where(x < -1, down * x, inner))


def _code4p_slope(x: Floats, up: Floats, down: Floats) -> Floats:
    square = x * x
    inner = 0.5 * (up + down) + 0.0625 * (up - down) * x * (30.0 + square * (18.0 * square - 40.0))
    return np.where(x > 1, up, np.where(x < -1, down, inner))


class _sums:  # noqa: N801 - used as a function
    """Sums of numbers (n, k) that go to places (k,), (n, `size`)."""

    def __init__(self, places: Array, size: int) -> None:
        self.matrix = csr_array((np.ones(len(places)), (places, np.arange(len(places)))), (size, len(places)))

    def __call__(self, numbers: Floats) -> Floats:
        return np.asarray(self.matrix @ numbers.T).T
