"""Occlusion: how much a score drops when one channel is not there. For scorers that only give numbers.

After Zeiler & Fergus 2014 (arXiv:1311.2901), with channels in place of patches of an image.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lynkeus.core import Floats

CHUNK_NUMBERS = 2_000_000


def occlusion(score: Callable[[Floats], Floats], residual: Floats, correlation: Floats) -> Floats:
    """Return (n, channel) score of samples, given by their conditional residuals (n, length, channel), less the
    score when a channel is missing (NaN) and its shadow on the others, its row of `correlation` (channel, channel),
    is gone."""
    n, length, channels = residual.shape
    drop, each = np.empty((n, channels)), np.arange(channels)
    step = max(1, CHUNK_NUMBERS // (length * channels**2))
    for first in range(0, n, step):
        part = residual[first : first + step]
        own = np.nan_to_num(part).transpose(0, 2, 1)  # (step, channel, length)
        hidden = part[:, None] - own[..., None] * correlation[:, None, :]
        hidden[:, each, :, each] = np.nan
        scores = score(hidden.reshape(-1, length, channels)).reshape(-1, channels)
        drop[first : first + step] = score(part)[:, None] - scores
    return drop
