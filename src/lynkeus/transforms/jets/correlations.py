"""Energy correlation functions of jets: sums over pairs and triples of particles, by matrix products."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Floats
from lynkeus.transforms.jets.four_vectors import apart as apart_in_azimuth

HARDEST, TRIPLES = 128, 48  # particles that count in pairs and triples: the softest weigh nothing and cost most
SMALLEST_ANGLE = 1e-12
NUMBERS = 200_000  # of a few jets, which stay in the cache


def correlations(share: Floats, y: Floats, phi: Floats) -> tuple[Floats, Floats, Floats]:
    """Return (b,) e2, e3 and the generalised 2e3 (arXiv:1609.07483), all with beta 1, of jets (b, P).

    Their particles are in descending order of their `share` of pT (0: no particle).
    """
    size = max(1, NUMBERS // share.shape[1] ** 2)
    firsts = range(0, len(share), size)
    parts = [_of_few(*(one[k : k + size, :HARDEST].astype(np.float32) for one in (share, y, phi))) for k in firsts]
    e2, e3, n3 = (np.concatenate(part) for part in zip(*parts, strict=True))
    return e2, e3, n3


def _of_few(share: Floats, y: Floats, phi: Floats) -> tuple[Floats, Floats, Floats]:
    apart = np.hypot(y[:, :, None] - y[:, None, :], apart_in_azimuth(phi[:, :, None], phi[:, None, :]))
    weighed = apart * np.sqrt(share[:, :, None] * share[:, None, :])
    e2 = np.einsum("bi,bij,bj->b", share, apart, share, optimize=True) / 2
    e3 = np.einsum("bij,bij->b", weighed @ weighed, weighed) / 6
    few = slice(0, TRIPLES)
    return e2.astype(float), e3.astype(float), _two_smallest(share[:, few], apart[:, few, few])


def _two_smallest(share: Floats, apart: Floats) -> Floats:
    """Sum over triples of the product of their shares and of the two smallest of their three angles."""
    total = np.zeros(len(share))
    for i in range(share.shape[1] - 2):
        if not share[:, i + 2].any():
            break
        first = apart[:, i, i + 1 :]
        inner = apart[:, i + 1 :, i + 1 :]
        product = first[:, :, None] * first[:, None, :] * inner
        largest = np.maximum(np.maximum(first[:, :, None], first[:, None, :]), inner)
        product /= np.maximum(largest, SMALLEST_ANGLE)
        rest = share[:, i + 1 :]
        total += share[:, i] * (rest * (product @ rest[..., None])[..., 0]).sum(axis=1) / 2
    return total
