"""Self-check of a learned scorer: small deviations in good samples, found by it and by the largest deviation in sigmas.

A network that was given too little, or inputs that do not suit it, scores good and bad samples alike and says nothing
of it. The cheapest statistic there is shows it within seconds.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lynkeus.core import Array, Batch, Floats, Scorer, Source
from lynkeus.metrics.rates import auroc

MOST_SAMPLES = 400
FEWEST_SAMPLES = 40
SIZES = (2.0, 3.0, 4.0, 6.0, 8.0)  # in sigmas of each number over good samples
WIDTH = 1 / 20  # of a waveform that deviates
WORSE = 0.02  # of AUROC, less than the largest deviation, from which it is said


class SelfCheck(NamedTuple):
    """AUROC of deviations of a few sigmas in one channel of good samples: of the `scorer`, of the `largest` deviation
    in sigmas of a sample."""

    scorer: float
    largest: float

    def lines(self, name: str) -> list[str]:
        """Return the one line to say where the scorer is worse than the largest deviation, else none."""
        if not self.scorer < self.largest - WORSE:
            return []
        return [
            f"{name} finds small deviations in its own good samples with an AUROC of {self.scorer:.2f}, the largest "
            f"deviation in sigmas with {self.largest:.2f}: give it more samples, other settings, or take another scorer"
        ]

    def to_dict(self) -> dict[str, float]:
        """Return it as plain JSON types."""
        return {"auroc": round(self.scorer, 4), "auroc_of_the_largest_deviation": round(self.largest, 4)}


def self_check(scorer: Scorer, good: Source, seed: int = 0) -> SelfCheck | None:
    """Compare a fitted scorer with the largest deviation on samples (n, c) or (n, c, t) of its own good data.

    In each sample one channel is moved by 2 to 8 sigmas, of waveforms for a twentieth of the time; the same samples
    without it are the good ones. None for other kinds, fewer than 40 samples, and scorers of several outputs.
    """
    if good.schema.kind not in ("table", "waveform") or len(scorer.outputs) != 1:
        return None
    batch = _first_samples(good)
    if batch is None:
        return None
    values = batch.values.astype(float)
    centre, sigma = np.nanmedian(values, axis=0), np.nanstd(values, axis=0)
    moves = (sigma > 0).reshape(len(sigma), -1).any(axis=1)
    if not moves.any():
        return None
    planted = _planted(values, sigma, np.flatnonzero(moves), np.random.default_rng(seed))
    wrong = np.repeat([False, True], len(values))
    both = [batch, batch.with_values(planted.astype(batch.values.dtype))]
    scores = np.concatenate([np.asarray(scorer.score(one), float)[:, 0] for one in both])
    largest = np.concatenate([_largest(one, centre, sigma) for one in (values, planted)])
    known = np.isfinite(scores) & np.isfinite(largest)
    return SelfCheck(auroc(wrong[known], scores[known]), auroc(wrong[known], largest[known]))


def _first_samples(good: Source) -> Batch | None:
    """Return at most MOST_SAMPLES, evenly from the first batch of enough samples, None where there is no such."""
    for batch in good:
        if len(batch) >= FEWEST_SAMPLES:
            return batch[:: max(1, len(batch) // MOST_SAMPLES)]
    return None


def _planted(values: Floats, sigma: Floats, channels: Array, random: np.random.Generator) -> Floats:
    made = values.copy()
    sizes = np.resize(SIZES, len(made)) * random.choice([-1, 1], len(made))
    for row, (size, channel) in enumerate(zip(sizes, random.choice(channels, len(made)), strict=True)):
        if made.ndim == 2:
            made[row, channel] += size * sigma[channel]
            continue
        width = max(1, round(WIDTH * made.shape[2]))
        start = int(random.integers(made.shape[2] - width + 1))
        made[row, channel, start : start + width] += size * sigma[channel, start : start + width]
    return made


def _largest(values: Floats, centre: Floats, sigma: Floats) -> Floats:
    away = np.abs(values - centre) / np.where(sigma > 0, sigma, np.inf)
    found: Floats = np.nanmax(np.nan_to_num(away), axis=tuple(range(1, values.ndim)))
    return found


def checked(name: str, scorer: Scorer, good: Source) -> tuple[list[str], dict[str, Any]]:
    """Return the lines to say of a learned scorer and what its lineage keeps of the check; nothing without one."""
    found = self_check(scorer, good)
    return (found.lines(name), {"self_check": found.to_dict()}) if found else ([], {})
