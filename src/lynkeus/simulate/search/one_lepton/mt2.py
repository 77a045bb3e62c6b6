"""MT2 of two massless particles and two massless unseen ones (Lester & Summers 1999, hep-ph/9906349)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lynkeus.core.batch import Floats

ROUNDS, POINTS = 12, 9  # of the search along each axis: each round keeps a quarter of the interval


def mt2(one: Floats, two: Floats, missing: Floats) -> Floats:
    """Return (n,) MT2 in GeV from transverse momenta (n, 2): the least that the larger of both transverse masses can
    be, however the missing momentum is shared. At most the mass of what decayed to each of both pairs.

    Both are convex functions of the share, and so is the larger: a search along one axis of the minimum along the other
    finds it.
    """
    if not len(one):
        return np.zeros(0)
    scale = 2 * (np.hypot(*one.T) + np.hypot(*two.T) + np.hypot(*missing.T))

    def inner(x: Floats) -> Floats:
        """Return (n, POINTS) the minimum over y of each x (n, POINTS)."""

        def value(y: Floats) -> Floats:  # (n, POINTS, POINTS)
            trial = np.stack(np.broadcast_arrays(x[:, :, None], y), axis=-1)
            left = _squared(one[:, None, None], trial)
            return np.maximum(left, _squared(two[:, None, None], missing[:, None, None] - trial))

        return _least(value, np.broadcast_to(missing[:, None, 1] / 2, x.shape), scale[:, None])

    return np.sqrt(np.maximum(_least(inner, missing[:, 0] / 2, scale), 0.0))


def _least(value: Callable[[Floats], Floats], middle: Floats, width: Floats) -> Floats:
    """Return the minimum of a convex function within `width` of `middle`, of any shape; `value` takes arrays with one
    more axis, of POINTS."""
    grid = np.linspace(-1.0, 1.0, POINTS)
    for _ in range(ROUNDS):
        at = middle[..., None] + width[..., None] * grid
        found = value(at)
        best = np.argmin(found, axis=-1)[..., None]
        middle, width = np.take_along_axis(at, best, axis=-1)[..., 0], width * (2.0 / (POINTS - 1))
    least: Floats = np.take_along_axis(found, best, axis=-1)[..., 0]
    return least


def _squared(seen: Floats, unseen: Floats) -> Floats:
    size = np.hypot(seen[..., 0], seen[..., 1]) * np.hypot(unseen[..., 0], unseen[..., 1])
    found: Floats = 2.0 * (size - (seen * unseen).sum(axis=-1))
    return found
