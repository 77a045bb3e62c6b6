"""Reference: the training data as scored, from which a calibration is made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lynkeus.core import (
    Batch,
    CalibrationError,
    Finds,
    Floats,
    Refers,
    Scorer,
    Source,
    TimesNs,
)
from lynkeus.core.calibration import NS_PER_HOUR
from lynkeus.core.weights import joined_weights
from lynkeus.fitting.follow import move_past, start
from lynkeus.transforms.thinned import Thinned

FOLDS = 5  # of samples that stand alone, and of stretches for a network
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

    @property
    def hours(self) -> float | None:
        """Livetime: what the spans of all samples cover, each moment once, pauses left out; None without times."""
        if self.time_ns is None or self.end_ns is None or not len(self.time_ns):
            return None
        order = np.argsort(self.time_ns, kind="stable")
        begin, end = self.time_ns[order], np.maximum.accumulate(self.end_ns[order])
        covered = np.append(begin[0], end[:-1])  # windows may overlap, and samples of several places share their time
        return float(np.maximum(end - np.maximum(begin, covered), 0).sum() / NS_PER_HOUR) or None

    def only(self, chosen: npt.NDArray[np.bool_]) -> Reference:
        """The same samples, of which those not chosen have no score."""
        return replace(self, scores=np.where(chosen[:, None], self.scores, np.nan))


def score_reference(scorer: Scorer, prepared: Source) -> Reference:
    """Score every sample of the training data, from a fresh start: by what the scorer says of data that it has seen,
    where it knows that."""
    start(scorer)
    parts: list[tuple[Any, ...]] = []
    weights: list[Floats | None] = []
    samples = Thinned()
    for batch in prepared:
        scores, left_out = scorer.unseen(batch) if isinstance(scorer, Refers) else (scorer.score(batch), None)
        if batch.weight is not None:
            # Weight 0 is as if the sample were not there.
            scores = np.where(batch.weight[:, None] > 0, scores, np.nan)
        weights.append(batch.weight)
        places = _places(scorer, batch)
        places = places if left_out is None else np.where(left_out != "", left_out, places)
        suspects = np.zeros(scores.shape, bool) if left_out is None else left_out != ""
        ends = None if batch.time_ns is None else end_times(batch)
        parts.append((scores, suspects, _numbers(places, batch.schema.names), batch.time_ns, ends))
        # Samples are kept for the pages, thinned: the reference itself may be larger than memory.
        samples.add(mean_sample(batch))
        move_past(scorer, batch)
    if not parts:
        raise CalibrationError("the source has no samples to calibrate on; are there fewer rows than one window?")
    joined: list[Any] = [None if part[0] is None else np.concatenate(part) for part in zip(*parts, strict=True)]
    scores, suspects, place, time_ns, end_ns = joined
    weight = joined_weights(weights, [len(part[0]) for part in parts])
    return Reference(scores, suspects, place, time_ns, end_ns, samples, prepared.schema.names, weight)


def _places(scorer: Scorer, batch: Batch) -> npt.NDArray[np.str_]:
    """Return (n, outputs) channel that the scorer names, '' where it names none; asked only of data with times, which
    may hold incidents."""
    if batch.time_ns is None or not isinstance(scorer, Finds):
        return np.full((len(batch), len(scorer.outputs)), "")
    found = [scorer.find(batch, output) for output in scorer.outputs]
    return np.array([[own[0].where if own else "" for own in column] for column in found]).T


def _numbers(where: npt.NDArray[np.str_], names: tuple[str, ...]) -> npt.NDArray[np.int32]:
    """Channel names as their numbers, -1 for none: the names of a hundred million windows would not fit in memory."""
    known = {name: number for number, name in enumerate(names)}
    found, place = np.unique(where, return_inverse=True)
    return np.array([known.get(str(name), -1) for name in found], np.int32)[place].reshape(where.shape)


def mean_sample(batch: Batch) -> Floats:
    """Return (n, channel) float32: rows as they are, windows as their mean over time, images over pixels, NaN left
    out."""
    if batch.schema.kind in ("cloud", "counts", "text"):
        return np.empty((len(batch), 0), np.float32)  # of these there is no sample in the middle
    if batch.values.ndim == 2:
        return batch.values.astype(np.float32)
    axes = tuple(range(2, batch.values.ndim))
    total = batch.values.mean(axis=axes, dtype=np.float64)
    if np.isnan(total).any():
        count = np.isfinite(batch.values).sum(axis=axes)
        total = np.nansum(batch.values, axis=axes, dtype=np.float64) / np.where(count, count, np.nan)
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
