"""Evidence: all numbers of a batch of pads that a verdict rests on, computed once."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from lynkeus.core import Array, Batch, Floats
from lynkeus.transforms.pads.features import SHAPE, shape_numbers
from lynkeus.transforms.pads.gains import Gains
from lynkeus.transforms.pads.neighbours import from_border, median_of, neighbours_of
from lynkeus.transforms.pads.template import Template

LEFT_OUT = ("log gain", "gain sigma")  # a shifted gain is told by its own rule, not by trees
KEPT = tuple(k for k, name in enumerate(SHAPE) if name not in LEFT_OUT)
NUMBERS = (*(SHAPE[k] for k in KEPT), "counts beside neighbours", "largest pull")
PULLS = tuple(k for k, name in enumerate(SHAPE) if name.startswith("pull"))
COUNTS, LOG_GAIN = SHAPE.index("counts"), SHAPE.index("log gain")
ODD = ("misfit", "mixture gain", "mixture misfit", "highest bin")
STRATA = 6  # of counts: how far a good spectrum may be off depends on them
# More of these never makes a pad better, less of those neither: so trees cannot learn it by chance.
WORSE = {"misfit", "mixture gain", "mixture misfit", "second share", "highest bin", "largest bin share",
         "share far below", "share below", "share above", "share far above", "share noise", "share flat",
         "largest pull"}  # fmt: skip
BETTER = {"share near", "lowest bin"}
MONOTONE = [1 if name in WORSE else -1 if name in BETTER else 0 for name in NUMBERS]


class Evidence(NamedTuple):
    """Of pads (n,): `shape` (n, SHAPE) of the spectrum alone, `gains`, the `near` pads (n, neighbours), `card` by
    number (-1: not known), `border` distance in pads."""

    shape: Floats
    gains: Gains
    near: Array
    card: Array
    border: Floats

    @property
    def log_counts(self) -> Floats:
        """Return the logarithm of the counts of each pad, of 1 more."""
        return self.shape[:, COUNTS]

    @property
    def log_gain(self) -> Floats:
        """Return the logarithm of the gain, 0 where there is none."""
        return self.shape[:, LOG_GAIN]

    @classmethod
    def of(cls, batch: Batch, template: Template, shapes: Floats) -> Self:
        """Return the evidence of all pads of a batch."""
        counts = batch.values[:, 1:-1]
        found = shape_numbers(counts, template, shapes)
        return cls(found.values, found.gains, neighbours_of(batch.meta), cards_of(batch), from_border(batch.meta))

    def numbers(self, good: Array) -> Floats:
        """Return (n, NUMBERS) what trees look at; counts beside those of `good` neighbours."""
        return numbers_of(self.shape, self.log_counts - median_of(self.log_counts, self.near, good))


def numbers_of(shape: Floats, counts_beside: Floats) -> Floats:
    """Return (n, NUMBERS) of spectra."""
    largest = np.log(np.abs(shape[:, PULLS]).max(axis=1) + 0.1)
    return np.column_stack([shape[:, KEPT], counts_beside, largest]).astype(np.float32)


def cards_of(batch: Batch) -> Array:
    """Return (n,) the number of the electronics card of each pad, -1 where it is not known."""
    if "card" not in batch.meta:
        return np.full(len(batch), -1)
    return np.unique(batch.meta["card"], return_inverse=True)[1].reshape(-1)


def oddness(shape: Floats, good: Array) -> Floats:
    """Return (n,) by how many spreads of good pads of as many counts a spectrum is off, in the number where most."""
    counts = shape[:, COUNTS]
    cuts = np.quantile(counts[good], np.linspace(0, 1, STRATA + 1)[1:-1])
    stratum, found = np.digitize(counts, cuts), np.full(len(shape), -np.inf)
    for name in ODD:
        own = shape[:, SHAPE.index(name)]
        own = np.log(np.maximum(own, 0.1)) if name == "highest bin" else own
        for k in range(STRATA):
            usual = own[good & (stratum == k)]
            if len(usual) < 5:
                usual = own[good]
            centre = np.median(usual)
            spread = 1.4826 * np.median(np.abs(usual - centre)) + 1e-6
            rows = stratum == k
            found[rows] = np.maximum(found[rows], (own[rows] - centre) / spread)
    return found
