"""Axes of the figures of runs: where a value is drawn, which values are written beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lynkeus.core import Floats

_FLOW = 16.0  # width of an underflow or overflow bin
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Axis:
    """Draws `edges` between two places, `begin` and `end`; `flows`: whether underflow and overflow have room."""

    edges: tuple[float, ...]
    log: bool
    begin: float
    end: float
    flows: tuple[bool, bool] = (False, False)

    def place(self, value: float | Floats) -> Floats:
        """Return where values are drawn, between the first and the last edge."""
        values, (low, high) = np.asarray(value, float), self._ends
        if self.log:
            values, low, high = np.log(np.maximum(values, low)), math.log(low), math.log(high)
        inner = (self.begin + self._room(0), self.end - self._room(1))
        return inner[0] + np.minimum(np.maximum((values - low) / (high - low), 0.0), 1.0) * (inner[1] - inner[0])

    def bins(self) -> Floats:
        """Return where all bins begin and end, underflow and overflow among them (of no width where they have no
        room)."""
        return np.concatenate([[self.begin], self.place(np.array(self.edges)), [self.end]])

    def ticks(self) -> list[tuple[float, str]]:
        """A few round values: where, and how they are written."""
        values = (_log_ticks if self.log else _ticks)(*self._ends)
        return list(zip(self.place(np.array(values)).tolist(), map(short, values), strict=True))

    @property
    def _ends(self) -> tuple[float, float]:
        """Return what is drawn first and last: a logarithm begins with the first positive edge."""
        return next((edge for edge in self.edges if edge > 0), 1.0) if self.log else self.edges[0], self.edges[-1]

    def _room(self, side: int) -> float:
        return math.copysign(_FLOW, self.end - self.begin) if self.flows[side] else 0.0


def short(value: float) -> str:
    """Return a number in few characters: "12k", "1.5M", "0.25"."""
    for size, letter in _UNITS:
        if abs(value) >= (size if size > 1e3 else 1e4):
            return f"{value / size:.3g}{letter}"
    return f"{value:.4g}"


@lru_cache(maxsize=4096)
def _ticks(low: float, high: float, at_most: int = 5) -> tuple[float, ...]:
    size = 10.0 ** math.floor(math.log10((high - low) / at_most))
    step = next(size * k for k in (1, 2, 5, 10, 20) if (high - low) / (size * k) <= at_most)
    first = math.ceil(low / step - 1e-9)
    return tuple(k * step for k in range(first, math.floor(high / step + 1e-9) + 1))


@lru_cache(maxsize=4096)
def _log_ticks(low: float, high: float) -> tuple[float, ...]:
    decades = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    if len(decades) < 2:
        return _ticks(low, high)
    return tuple(10.0**k for k in decades[:: math.ceil(len(decades) / 6)])
