"""Occlusion: how much a score drops when one channel says what it usually says. For scorers that only give numbers.

After Zeiler & Fergus 2014 (arXiv:1311.2901), with channels in place of patches of an image.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lynkeus.core import Floats

CHUNK_ROWS = 4096


def occlusion(score: Callable[[Floats], Floats], points: Floats, channels: int) -> Floats:
    """(n, channels) score (n,) of points (n, features) less the score with all features of a channel at zero.

    Features are standardised, so that zero is the reference's median; feature k belongs to channel k % channels.
    """
    hide = np.arange(points.shape[1]) % channels == np.arange(channels)[:, None]  # (channels, features)
    drop = np.empty((len(points), channels))
    step = max(1, CHUNK_ROWS // channels)
    for first in range(0, len(points), step):
        part = points[first : first + step]
        hidden = np.where(hide, 0.0, part[:, None, :]).reshape(-1, points.shape[1])
        drop[first : first + step] = score(part)[:, None] - score(hidden).reshape(len(part), channels)
    return drop
