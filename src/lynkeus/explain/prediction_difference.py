"""Prediction difference analysis: how much less sure a scorer is of a class where it does not know a part of a map.

Zintgraf, Cohen, Adel & Welling 2017 (arXiv:1702.04595), after Robnik-Sikonja & Kononenko 2008: a window is not set to a
value, which no map has ever had, but drawn from what lies around it, by a normal distribution that the training maps
have; what is stated is the log odds with the window less those of the mean probability without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np

from lynkeus.core import Array, Floats

WINDOW, AROUND = 3, 1  # places of a window, and of what lies around it on each side
STRIDE = 2
SAMPLES = 4
MOST_MAPS = 2000  # from which the distribution is learned
NOISE = 1e-3  # of the variance of a place, added to all, so that the matrix has an inverse
NEAR = 1e-6


class Conditional(NamedTuple):
    """Of each row at which windows begin: `mean` (rows, patch), and of the numbers of a window given those around it
    `weight` (rows, window, around) and `spread` (rows, window, window), a triangular root of what is left of their
    covariance."""

    mean: Floats
    weight: Floats
    spread: Floats

    @classmethod
    def fit(cls, maps: Floats) -> Self:
        """Learn from maps (n, c, row, column); along a row all columns are taken to be alike."""
        some = _framed(maps[:: max(1, len(maps) // MOST_MAPS)])
        inside = _inside(maps.shape[1])
        means, weights, spreads = [], [], []
        side = WINDOW + 2 * AROUND
        columns = range(0, maps.shape[3], max(1, maps.shape[3] // 12))
        for row in _starts(maps.shape[2]):
            parts = [some[:, :, row : row + side, at : at + side].reshape(len(some), -1) for at in columns]
            patch = np.concatenate(parts).astype(float)
            mean = patch.mean(axis=0)
            covariance = np.cov(patch.T) + np.eye(patch.shape[1]) * (NOISE * patch.var(axis=0).mean() + 1e-12)
            own, around = covariance[np.ix_(inside, inside)], covariance[np.ix_(~inside, ~inside)]
            weight = np.linalg.solve(around, covariance[np.ix_(~inside, inside)]).T
            left = own - weight @ covariance[np.ix_(~inside, inside)]
            root = np.linalg.cholesky(0.5 * (left + left.T) + np.eye(len(left)) * 1e-9)
            means.append(mean)
            weights.append(weight)
            spreads.append(root)
        return cls(np.stack(means), np.stack(weights), np.stack(spreads))

    def draw(self, number: int, patch: Floats, channels: int, count: int, rng: np.random.Generator) -> Floats:
        """Return windows (n, count, c, WINDOW, WINDOW) for patches (n, patch) around windows of the row `number`."""
        inside = _inside(channels)
        off = (patch - self.mean[number])[:, ~inside] @ self.weight[number].T
        centre = self.mean[number][inside] + off
        noise = rng.normal(size=(len(patch), count, inside.sum())) @ self.spread[number].T
        return (centre[:, None] + noise).reshape(len(patch), count, channels, WINDOW, WINDOW)


def prediction_difference(
    ask: Callable[[Floats], Floats], maps: Floats, conditional: Conditional, seed: int, samples: int = SAMPLES
) -> Floats:
    """Return (n, classes, c, row, column): how much a place speaks for each class in maps (n, c, row, column), in log
    odds, averaged over the windows that hold it.

    `ask`: maps to probabilities (m, classes). It is asked for each map `samples` times as often as there are windows.
    """
    before = _log_odds(ask(maps))
    found = np.zeros((len(maps), before.shape[1], *maps.shape[1:]))
    seen = np.zeros(maps.shape[2:])
    framed, rng = _framed(maps), np.random.default_rng(seed)
    channels, height, width = maps.shape[1:]
    side = WINDOW + 2 * AROUND
    for number, row in enumerate(_starts(height)):
        rows = np.arange(row, min(row + WINDOW, height))
        for column in range(0, width, STRIDE):
            patch = framed[:, :, row : row + side, column : column + side].reshape(len(maps), -1)
            drawn = conditional.draw(number, patch, channels, samples, rng)
            columns = np.arange(column, column + WINDOW) % width
            changed = np.repeat(maps[:, None], samples, axis=1)
            changed[:, :, :, rows[:, None], columns] = drawn[:, :, :, : len(rows)]
            after = ask(changed.reshape(-1, *maps.shape[1:])).reshape(len(maps), samples, -1).mean(axis=1)
            found[:, :, :, rows[:, None], columns] += (before - _log_odds(after))[:, :, None, None, None]
            seen[rows[:, None], columns] += 1
    return found / np.maximum(seen, 1)


def _starts(height: int) -> range:
    """Return the rows at which windows begin."""
    return range(0, max(1, height - WINDOW + STRIDE), STRIDE)


def _inside(channels: int) -> Array:
    """Return which numbers of a patch are of the window."""
    side = WINDOW + 2 * AROUND
    found = np.zeros((channels, side, side), bool)
    found[:, AROUND : AROUND + WINDOW, AROUND : AROUND + WINDOW] = True
    return found.ravel()


def _framed(maps: Floats) -> Floats:
    """Return maps with more places on each side: rows as they end, columns from the other side."""
    more = AROUND + WINDOW
    high = np.pad(maps, ((0, 0), (0, 0), (AROUND, more), (0, 0)), mode="edge")
    return np.pad(high, ((0, 0), (0, 0), (0, 0), (AROUND, more)), mode="wrap")


def _log_odds(probability: Floats) -> Floats:
    near = np.clip(probability, NEAR, 1 - NEAR)
    found: Floats = np.log(near) - np.log1p(-near)
    return found
