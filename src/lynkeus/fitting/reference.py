"""Reference: the training data as scored, from which a calibration is made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lynkeus.core import Batch, CalibrationError, Floats, Locating, Source, Suspecting, TimesNs, Tracking
from lynkeus.core.calibration import NS_PER_HOUR
from lynkeus.core.weights import joined_weights
from lynkeus.fitting.fitted import Fitted
from lynkeus.transforms.thinned import Thinned

WIDEST_GAP = 20.0  # a pause longer than this many samples does not count as livetime


@dataclass(frozen=True)
class Reference:
    """The training data as scored, in time order: `scores`, `suspects`, `place` (n, outputs), the last as numbers into
    `names`, -1 for none; `time_ns`, `end_ns` (n,) or None; some of the `samples`; `weight` (n,) or None: how much each
    counts. A sample that weighs nothing has no score."""

    scores: Floats
    suspects: npt.NDArray[np.bool_]
    place: npt.NDArray[np.int32]
    time_ns: TimesNs | None
    end_ns: TimesNs | None
    samples: Thinned
    names: tuple[str, ...]
    weight: Floats | None = None

    @classmethod
    def of_scores(cls, scores: Floats, names: tuple[str, ...]) -> Reference:
        """Of scores alone (n, outputs), without times, places or samples."""
        samples = Thinned()
        samples.add(np.zeros((len(scores), len(names)), np.float32))
        nowhere = np.full(scores.shape, -1, np.int32)
        return cls(scores, np.zeros(scores.shape, bool), nowhere, None, None, samples, names)

    @property
    def hours(self) -> float | None:
        """Livetime: the spans of all samples, pauses left out; None without times."""
        if self.time_ns is None or self.end_ns is None:
            return None
        return float(np.sum(self.end_ns - self.time_ns) / NS_PER_HOUR) or None

    def only(self, chosen: npt.NDArray[np.bool_]) -> Reference:
        """The same samples, of which those not chosen have no score."""
        return replace(self, scores=np.where(chosen[:, None], self.scores, np.nan))


def score_reference(fitted: Fitted, prepared: Source) -> Reference:
    """Score every sample of the training data, from a fresh start."""
    scorer = fitted.scorer
    if isinstance(scorer, Tracking):
        scorer.resume({})
    parts: list[tuple[Any, ...]] = []
    weights: list[Floats | None] = []
    samples = Thinned()
    for batch in prepared:
        scores = scorer.score(batch)
        if batch.weight is not None:
            scores = np.where(batch.weight[:, None] > 0, scores, np.nan)
        weights.append(batch.weight)
        nowhere = np.full(scores.shape, "")
        suspects = scorer.suspects(batch) if isinstance(scorer, Suspecting) else nowhere
        where = scorer.locate(batch) if isinstance(scorer, Locating) else nowhere
        ends = None if batch.time_ns is None else end_times(batch)
        places = np.where(suspects != "", suspects, where)
        parts.append((scores, suspects != "", _numbers(places, batch.schema.names), batch.time_ns, ends))
        samples.add(mean_sample(batch))
        if isinstance(scorer, Tracking):
            scorer.update(batch)
    if not parts:
        raise CalibrationError("the source has no samples to calibrate on; are there fewer rows than one window?")
    joined: list[Any] = [None if part[0] is None else np.concatenate(part) for part in zip(*parts, strict=True)]
    scores, suspects, place, time_ns, end_ns = joined
    weight = joined_weights(weights, [len(part[0]) for part in parts])
    return Reference(scores, suspects, place, time_ns, end_ns, samples, prepared.schema.names, weight)


def _numbers(where: npt.NDArray[np.str_], names: tuple[str, ...]) -> npt.NDArray[np.int32]:
    """Channel names as their numbers, -1 for none: the names of a hundred million windows would not fit in memory."""
    known = {name: number for number, name in enumerate(names)}
    found, place = np.unique(where, return_inverse=True)
    return np.array([known.get(str(name), -1) for name in found], np.int32)[place].reshape(where.shape)


def mean_sample(batch: Batch) -> Floats:
    """(n, channel) float32: rows as they are, windows as their mean over time, images over pixels, NaN left out."""
    if batch.values.ndim == 2:
        return batch.values.astype(np.float32)
    axes = tuple(range(2, batch.values.ndim))
    total = batch.values.mean(axis=axes, dtype=np.float64)
    if np.isnan(total).any():
        count = np.maximum(np.isfinite(batch.values).sum(axis=axes), 1)
        total = np.nansum(batch.values, axis=axes, dtype=np.float64) / count
    return total.astype(np.float32)


def end_times(batch: Batch) -> TimesNs:
    """When each sample ends (UTC ns, exclusive): as the window says, else by the sample rate, else at the next one."""
    if "end_ns" in batch.meta:
        return np.asarray(batch.meta["end_ns"], np.int64)
    assert batch.time_ns is not None
    rate = batch.schema.sample_rate_hz
    if rate:
        return batch.time_ns + round(1e9 / rate)
    steps = np.diff(batch.time_ns, append=batch.time_ns[-1])
    typical = int(np.median(steps[:-1])) if len(steps) > 1 else 0
    spans = np.minimum(np.where(steps > 0, steps, typical), int(WIDEST_GAP * typical) or 1)
    return np.asarray(batch.time_ns + spans, np.int64)
