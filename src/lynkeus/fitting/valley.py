"""Do numbers that are mostly small have a second hill? Long tails fall and fall, what is of another kind lies apart.

Counted in bins of equal ratio, the density of any one kind of rows falls beyond its mode, also where tails are as heavy
as those of Student's distribution or of a lognormal one; a second kind makes it rise again behind a valley.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core import Floats

BODY, FROM = 0.75, 3.0  # of the rows, and sigmas, below which there is no valley: the mode of all is there
RATIO, STEP = 1.3, 1.1  # of the ends of a bin, and from bin to bin
SIGMAS = 3.5  # by which the hill is above the valley; of 335 references of one kind none reached 3.5
FEWEST = 0.01  # of all rows are in the hill
EMPTY = 0.25  # of what the hill has, that a valley has at most where both kinds are told apart row by row


class Valley(NamedTuple):
    """The `edge` from which on the second hill is, and whether the valley before it is nearly empty."""

    edge: float
    is_empty: bool


def valley(sizes: Floats) -> Valley | None:
    """Return where the second hill of sizes (n,) begins; None where there is none."""
    best, found, edge = SIGMAS, None, max(float(np.quantile(sizes, BODY)), FROM)
    while edge * RATIO < sizes.max(initial=0.0):
        low, high = edge, edge * RATIO
        inside = int(((sizes >= low) & (sizes < high)).sum())
        for bins in (1, 2):  # of a hill that is wider than one
            hill = int(((sizes >= high) & (sizes < high * RATIO**bins)).sum())
            above = (hill - bins * inside) / np.sqrt(hill + bins**2 * inside + 1.0)
            if hill >= FEWEST * len(sizes) and above > best:
                best, found = float(above), Valley(high, inside < EMPTY * hill)
        edge *= STEP
    return found
