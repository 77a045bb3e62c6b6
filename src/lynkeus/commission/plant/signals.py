"""Planted faults of samples that stand alone: pulses (channel, time), and rows of a table (column) without times.

A size is counted in the robust deviation of the channel from one good sample to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from lynkeus.commission.plant.planter import HARMLESS, Anywhere, InChannels, Kind, Truth
from lynkeus.core import Array, Floats, Schema, SourceError

ROBUST = 1.4826  # times the median absolute deviation is the standard deviation of a Gaussian
ONE, SIGMAS = "channel", "sigmas"
WIDE = (0.01, 0.05, 0.2, 1.0, 5.0)  # one model sees what no other does: by its physics, or by what other channels say
OF_PULSES: Mapping[str, Kind] = {
    "noisy": Kind("white noise on one channel, from some time on", WIDE, SIGMAS, concerns=ONE),
    "offset": Kind("one channel is off by a constant, from some time on", WIDE, SIGMAS, concerns=ONE),
    "drift": Kind("one channel ramps up to that by the end", WIDE, SIGMAS, concerns=ONE),
    "gain": Kind("one channel is larger or smaller, by so much at its peak", WIDE, SIGMAS, concerns=ONE),
    "spike": Kind("a single reading of one channel", (0.2, 1.0, 5.0, 20.0), SIGMAS, concerns=ONE),
    "shift": Kind("one channel comes early or late", (0.1, 0.5, 2.0, 10.0), "readings", concerns=ONE),
    "stuck": Kind("one channel stays where it is, from some time on", concerns=ONE),
    "swapped": Kind("the cables of two channels are exchanged", concerns=ONE),
    "dropout": Kind("one channel gives no value", concerns=ONE),
    "readout": Kind("a little more noise on all channels", (0.1, 0.3), "of the noise of the readout", HARMLESS),
}
OF_ROWS: Mapping[str, Kind] = {
    "offset": Kind("one column is off, up or down", (1.0, 2.0, 3.0, 5.0, 10.0), SIGMAS, concerns=ONE),
    "other": Kind("one column has the value of another good sample", concerns=ONE),
    "swapped": Kind("two columns are exchanged, each in its own sigmas", concerns=ONE),
    "dropout": Kind("one column gives no value", concerns=ONE),
    "flip": Kind("all columns are mirrored about their medians", concerns="all channels"),
}


class _At(NamedTuple):
    """Where a fault goes: the channel, its sigma, from which reading on, which way."""

    channel: int
    sigma: float
    first: int
    sign: float


@dataclass(frozen=True)
class Signals:
    """What faults are counted in: `sigma` (c,), `centre` (c, ...) of good samples; `noise` (c,): from one
    reading of a pulse to the next; `held`: some of them; `names` (c,) of the channels."""

    names: tuple[str, ...]
    sigma: Floats
    centre: Floats
    noise: Floats
    held: Array

    @classmethod
    def fit(cls, schema: Schema, held: Array) -> Self:
        """Learn from good samples (n, c, ...). Raises SourceError where none of the channels varies."""
        values = held.astype(float)
        with np.errstate(all="ignore"):
            centre = np.nan_to_num(np.nanmedian(values, axis=0))
            away = ROBUST * np.nanmedian(np.abs(values - centre), axis=0)
            flat = np.nanstd(values, axis=0)
        axes = tuple(range(1, centre.ndim))
        sigma, usual = (np.sqrt(np.nan_to_num(spread**2).mean(axis=axes)) for spread in (away, flat))
        sigma = np.where(sigma > 0, sigma, usual)
        if not (sigma > 0).any():
            raise SourceError("none of the channels varies from sample to sample: there is nothing to count faults in")
        noise = np.zeros_like(sigma)
        if values.ndim > 2 and values.shape[2] > 2:  # second differences know no slope, and have six times its variance
            bends = np.moveaxis(np.abs(np.diff(values, n=2, axis=2)), 1, 0).reshape(len(sigma), -1)
            noise = ROBUST * np.nan_to_num(np.nanmedian(bends, axis=1)) / np.sqrt(6.0)
        return cls(names_of(schema, len(sigma)), sigma, centre, noise, held)

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """Return those that make sense for so many channels and readings."""
        pulses = self.centre.ndim > 1
        out = {"swapped"} if (self.sigma > 0).sum() < 2 else set()
        out |= set() if self.noise.any() else {"readout"}
        out |= {"shift", "stuck", "drift"} if pulses and self.centre.shape[1] < 4 else set()
        return {name: kind for name, kind in (OF_PULSES if pulses else OF_ROWS).items() if name not in out}

    def plant(self, values: Array, kind: str, size: float, rng: np.random.Generator) -> tuple[Array, Truth]:
        """Return the sample (c, ...) with a fault in it, and where it is."""
        made: Floats = values.astype(np.float32 if values.dtype == np.float32 else np.float64)
        if kind == "readout":
            return made + size * self.noise[:, None] * rng.standard_normal(made.shape), Anywhere(HARMLESS)
        if kind == "flip":
            return 2 * self.centre.astype(made.dtype) - made, Anywhere()
        live = np.flatnonzero(self.sigma > 0)
        channel, *others = (int(k) for k in rng.choice(live, min(2, len(live)), replace=False))
        if kind == "swapped":
            self._swap(made, channel, others[0])
            return made, InChannels((self.names[channel], self.names[others[0]]), len(self.names))
        length = made.shape[1] if made.ndim > 1 else 1
        first = int(rng.integers(0, max(length // 2, 1)))
        at = _At(channel, float(self.sigma[channel]), first, float(rng.choice([-1.0, 1.0])))
        span = (_PULSES if made.ndim > 1 else _ROWS)[kind](self, made, size, at, rng)
        return made, InChannels((self.names[channel],), len(self.names), span)

    def _swap(self, made: Array, one: int, other: int) -> None:
        """Cables: whole signals; columns of a table may be of different units, so they keep their own."""
        if made.ndim > 1:
            made[[one, other]] = made[[other, one]]
            return
        pair = [one, other]
        z = (made[pair] - self.centre[pair]) / self.sigma[pair]
        made[pair] = self.centre[pair] + self.sigma[pair] * z[::-1]


def names_of(schema: Schema, channels: int) -> tuple[str, ...]:
    """Return the names of the channels, as a model calls those that have none."""
    return schema.names or tuple(f"column {k}" for k in range(channels))


Span = tuple[float, float] | None
Act = Callable[[Signals, Array, float, _At, np.random.Generator], Span]


def _noisy(of: Signals, made: Array, size: float, at: _At, rng: np.random.Generator) -> Span:
    made[at.channel, at.first :] += size * at.sigma * rng.standard_normal(made.shape[1] - at.first)
    return at.first, made.shape[1]


def _offset(of: Signals, made: Array, size: float, at: _At, rng: np.random.Generator) -> Span:
    made[at.channel, at.first :] += at.sign * size * at.sigma
    return at.first, made.shape[1]


def _drift(of: Signals, made: Array, size: float, at: _At, rng: np.random.Generator) -> Span:
    made[at.channel] += at.sign * size * at.sigma * np.linspace(0.0, 1.0, made.shape[1])
    return 0, made.shape[1]


def _gain(of: Signals, made: Array, size: float, at: _At, rng: np.random.Generator) -> Span:
    peak = float(np.nanmax(np.abs(made[at.channel]), initial=0.0))
    made[at.channel] *= 1.0 + at.sign * size * at.sigma / max(peak, at.sigma)
    return 0, made.shape[1]


def _spike(of: Signals, made: Array, size: float, at: _At, rng: np.random.Generator) -> Span:
    place = int(rng.integers(made.shape[1]))
    made[at.channel, place] += at.sign * size * at.sigma
    return place, place


def _shift(of: Signals, made: Array, size: float, at: _At, rng: np.random.Generator) -> Span:
    """Between readings it is interpolated; at the end that comes in they are those of the edge."""
    readings = np.arange(made.shape[1])
    made[at.channel] = np.interp(readings - at.sign * size, readings, made[at.channel])
    return 0, made.shape[1]


def _stuck(of: Signals, made: Array, size: float, at: _At, rng: np.random.Generator) -> Span:
    made[at.channel, at.first :] = made[at.channel, at.first]
    return at.first, made.shape[1]


def _dropout(of: Signals, made: Array, size: float, at: _At, rng: np.random.Generator) -> Span:
    made[at.channel] = np.nan
    return None


def _off(of: Signals, made: Array, size: float, at: _At, rng: np.random.Generator) -> Span:
    made[at.channel] += at.sign * size * at.sigma
    return None


def _other(of: Signals, made: Array, size: float, at: _At, rng: np.random.Generator) -> Span:
    made[at.channel] = of.held[rng.integers(len(of.held)), at.channel]
    return None


_PULSES: Mapping[str, Act] = {
    "noisy": _noisy, "offset": _offset, "drift": _drift, "gain": _gain, "spike": _spike, "shift": _shift,
    "stuck": _stuck, "dropout": _dropout,
}  # fmt: skip
_ROWS: Mapping[str, Act] = {"offset": _off, "other": _other, "dropout": _dropout}
