"""What speaks for a fault of a pad: numbers of its spectrum beside the template, and of its neighbourhood."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.transforms.pads.gains import Gains, fit_gains
from lynkeus.transforms.pads.learn import expected_of
from lynkeus.transforms.pads.mixture import PARTS, components, gain_mixture
from lynkeus.transforms.pads.template import TINY, Template

CHUNK = 4096
# Of the charge of the main peak of the pad itself: between these ends counts are compared with what is expected.
ENDS = (0.0, 0.18, 0.25, 0.33, 0.4, 0.5, 0.6, 0.7, 0.78, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.35, 1.7)
SHAPE = (
    "counts", "misfit", "mixture gain", "mixture misfit", "second gain", "second share", "highest bin",
    "highest bin at", "lowest bin", "largest bin share", "empty above", "upper end",
    *(f"share {part}" for part in PARTS), *(f"pull {k}" for k in range(len(ENDS) - 1)),
    *(f"excess {k}" for k in range(len(ENDS) - 1)), "log gain", "gain sigma",
)  # fmt: skip
PLACE = ("counts beside neighbours", "gain beside neighbours", "gain beside all", "from border", "neighbours bad",
         "card bad")  # fmt: skip


class ShapeNumbers(NamedTuple):
    """`values` (n, SHAPE) of pads and the `gains` that they were computed with."""

    values: Floats
    gains: Gains


def shape_numbers(counts: Floats, template: Template, shapes: Floats) -> ShapeNumbers:
    """Return what the spectrum of each pad (n, bins) says by itself."""
    gains = fit_gains(counts, template, shapes)
    known = components(template, shapes)
    values = np.empty((len(counts), len(SHAPE)), np.float32)
    for start in range(0, len(counts), CHUNK):
        rows = slice(start, start + CHUNK)
        own = np.asarray(counts[rows], np.float32)
        log_gain = np.nan_to_num(gains.log_gain[rows])
        expected = expected_of(template, log_gain, shapes)
        above = expected[:, template.lowest :].sum(axis=1)
        expected *= (gains.entries[rows] / np.maximum(above, TINY))[:, None]
        values[rows] = _numbers(own, expected, log_gain, gains.sigma[rows], template, known)
    return ShapeNumbers(values, gains)


def _numbers(
    seen: Floats, expected: Floats, log_gain: Floats, sigma: Floats, template: Template, known: tuple[Floats, Floats]
) -> Floats:
    total = seen.sum(axis=1)
    pull = (seen - expected) / np.sqrt(expected + 1.0)
    rows = np.arange(len(seen))
    mixture = gain_mixture(seen, log_gain, expected, known)
    centres = 0.5 * (template.edges[1:] + template.edges[:-1])
    relative = np.log(centres / template.peak)[None] - log_gain[:, None]
    high = pull.argmax(axis=1)
    largest = seen.argmax(axis=1)
    top = seen.shape[1] - 1 - (seen[:, ::-1] > 0).argmax(axis=1)
    beyond = np.where(np.arange(seen.shape[1]) > top[:, None], expected, 0.0).sum(axis=1)
    pulls, excess = _between(seen, expected, log_gain, template)
    columns = [
        np.log1p(total), np.log((pull**2).mean(axis=1) + 1e-3), mixture.gain_per_count, np.log(mixture.misfit + 1e-3),
        mixture.second, mixture.second_share, pull[rows, high], relative[rows, high], pull.min(axis=1),
        seen[rows, largest] / np.maximum(total, 1.0), np.log1p(beyond), relative[rows, top],
        *mixture.parts.T, *pulls.T, *excess.T, log_gain, np.nan_to_num(sigma, nan=1.0),
    ]  # fmt: skip
    return np.stack(columns, axis=1)


def _between(seen: Floats, expected: Floats, log_gain: Floats, template: Template) -> tuple[Floats, Floats]:
    """Return pulls and log ratios of counts between ENDS, which move with the gain of the pad."""
    at = np.array(ENDS) * template.peak * np.exp(log_gain)[:, None]
    edges = template.edges
    place = np.clip(np.interp(at, edges, np.arange(len(edges))), 0, len(edges) - 1)
    low = np.minimum(place.astype(int), seen.shape[1] - 1)
    part = place - low
    found = []
    for counts in (seen, expected):
        sums = np.concatenate([np.zeros((len(counts), 1)), np.cumsum(counts, axis=1, dtype=np.float64)], axis=1)
        up_to = np.take_along_axis(sums, low, axis=1) + part * np.take_along_axis(counts, low, axis=1)
        found.append(np.diff(up_to, axis=1))
    own, of_it = found
    return (own - of_it) / np.sqrt(of_it + 1.0), np.log((own + 1.0) / (of_it + 1.0))


def columns_of(names: tuple[str, ...]) -> Array:
    """Return the places of some of the numbers of SHAPE and PLACE, those of PLACE behind the others."""
    every = (*SHAPE, *PLACE)
    return np.array([every.index(name) for name in names])
