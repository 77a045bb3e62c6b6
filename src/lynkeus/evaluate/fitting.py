"""fit: from a source to a Fitted scorer, on a reference that nobody has cleaned.

A first scorer finds the incidents in its own training data; the second is fitted without them, and its calibration
leaves them out and says so.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

import lynkeus
from lynkeus.core import Batch, Calibration, CalibrationError, Floats, Scorer, Source, Tracking, plugins
from lynkeus.core.calibration import NS_PER_HOUR
from lynkeus.evaluate.fitted import Fitted
from lynkeus.sources import Exclude, files_of
from lynkeus.transforms.live_channels import LiveChannels

REFERENCES = 512  # good samples kept to show beside an alarm
RARE = 0.01  # windows rarer than this among good ones are no good references
WIDEST_GAP = 20.0  # a pause longer than this many samples does not count as livetime
SMALL_FILE = 1 << 30


@dataclass(frozen=True)
class FitSettings:
    """How to fit: `scorer` by name with `options`, windows of `window` rows every `stride`, `quiet_s`: crossings closer
    than that are one alarm."""

    scorer: str
    options: Mapping[str, Any] = field(default_factory=dict)
    window: int = 0
    stride: int = 0
    layout: Mapping[str, Any] | None = None
    quiet_s: float = 10.0


@dataclass(frozen=True)
class Reference:
    """Scores of the training data in time order: `scores` (n, outputs), `time_ns`, `end_ns` (n,) or None."""

    scores: Floats
    time_ns: Floats | None
    end_ns: Floats | None
    samples: Floats

    @property
    def hours(self) -> float | None:
        """Livetime: the spans of all samples, pauses left out; None without times."""
        if self.time_ns is None or self.end_ns is None:
            return None
        return float(np.sum(self.end_ns - self.time_ns) / NS_PER_HOUR) or None


def fit(source: Source, settings: FitSettings) -> Fitted:
    """Fit a scorer and its calibrations; streams, so the data may be larger than memory."""
    channels = LiveChannels.fit(source)
    scorer = plugins.load("scorers", settings.scorer)(**settings.options)
    fitted = Fitted(
        settings.scorer, scorer, source.schema, channels, {}, np.empty((0, int(channels.live.sum())), np.float32),
        settings.window, settings.stride, settings.layout,
    )  # fmt: skip
    prepared = fitted.prepare(source)
    scorer.fit(prepared)
    first = score_reference(scorer, prepared)
    incidents = _incidents(first, scorer.outputs, settings.quiet_s)
    if incidents:
        scorer.fit(Exclude(prepared, incidents))
    reference = score_reference(scorer, prepared) if incidents else first
    fitted.calibrations = calibrate(scorer, reference, settings.quiet_s)
    good = np.all([c.p_value(reference.scores[:, k]) > RARE for k, c in enumerate(fitted.calibrations.values())], axis=0)
    chosen = np.flatnonzero(good)[:: max(1, int(good.sum()) // REFERENCES)]
    fitted.reference = reference.samples[chosen]
    fitted.lineage = _lineage(source, settings, fitted, len(reference.scores))
    return fitted


def score_reference(scorer: Scorer, prepared: Source) -> Reference:
    """Scores of every sample, with the mean over time of each as float32 (n, channel) to show later."""
    if isinstance(scorer, Tracking):
        scorer.resume({})
    scores, times, ends, samples = [], [], [], []
    for batch in prepared:
        scores.append(scorer.score(batch))
        if isinstance(scorer, Tracking):
            scorer.update(batch)
        samples.append(mean_sample(batch))
        if batch.time_ns is not None:
            times.append(batch.time_ns)
            ends.append(_ends(batch))
    if not scores:
        raise CalibrationError("the source has no samples to calibrate on")
    timed = len(times) == len(scores)
    return Reference(
        np.concatenate(scores),
        np.concatenate(times) if timed else None,
        np.concatenate(ends) if timed else None,
        np.concatenate(samples),
    )


def calibrate(scorer: Scorer, reference: Reference, quiet_s: float) -> dict[str, Calibration]:
    """One calibration per output."""
    return {
        output: Calibration.fit(reference.scores[:, k], reference.hours, reference.time_ns, quiet_s)
        for k, output in enumerate(scorer.outputs)
    }


def mean_sample(batch: Batch) -> Floats:
    """(n, channel) float32: rows as they are, windows as their mean over time, NaN left out."""
    if batch.values.ndim == 2:
        return batch.values.astype(np.float32)
    total = batch.values.mean(axis=2, dtype=np.float64)
    if np.isnan(total).any():
        count = np.maximum(np.isfinite(batch.values).sum(axis=2), 1)
        total = np.nansum(batch.values, axis=2, dtype=np.float64) / count
    return total.astype(np.float32)


def _ends(batch: Batch) -> Floats:
    if "end_ns" in batch.meta:
        return batch.meta["end_ns"]
    assert batch.time_ns is not None
    rate = batch.schema.sample_rate_hz
    if rate:
        return batch.time_ns + round(1e9 / rate)
    steps = np.diff(batch.time_ns, append=batch.time_ns[-1])
    typical = int(np.median(steps[:-1])) if len(steps) > 1 else 0
    return batch.time_ns + np.minimum(np.where(steps > 0, steps, typical), int(WIDEST_GAP * typical) or 1)


def _incidents(reference: Reference, outputs: tuple[str, ...], quiet_s: float) -> list[tuple[int, int]]:
    """Intervals (start_ns, end_ns) of the training data that are far outside of all the rest, joined."""
    if reference.time_ns is None or reference.end_ns is None:
        return []
    wrong = np.zeros(len(reference.scores), bool)
    for k in range(len(outputs)):
        calibration = Calibration.fit(reference.scores[:, k], reference.hours, reference.time_ns, quiet_s)
        wrong |= reference.scores[:, k] > calibration.maximum
    found = np.flatnonzero(wrong)
    intervals: list[tuple[int, int]] = []
    for index in found:
        start, end = int(reference.time_ns[index]), int(reference.end_ns[index])
        if intervals and start - intervals[-1][1] <= quiet_s * 1e9:
            intervals[-1] = (intervals[-1][0], end)
        else:
            intervals.append((start, end))
    assert all(a[1] <= b[0] for a, b in pairwise(intervals))
    return intervals


def _lineage(source: Source, settings: FitSettings, fitted: Fitted, samples: int) -> dict[str, Any]:
    files = []
    for path in files_of(source):
        size = path.stat().st_size if path.is_file() else None
        digest = None
        if size is not None and size <= SMALL_FILE:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        files.append({"path": str(path), "bytes": size, "sha256": digest})
    excluded = {
        output: {"incidents": c.excluded, "seconds": round(c.excluded_s, 1)} for output, c in fitted.calibrations.items()
    }
    hours = next(iter(fitted.calibrations.values())).hours
    return {
        "scorer": settings.scorer,
        "options": dict(settings.options),
        "fitted_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "version": lynkeus.__version__,
        "data": files or str(getattr(source, "url", type(source).__name__)),
        "samples": samples,
        "reference_hours": None if hours is None else round(hours, 3),
        "excluded": excluded,
        "channels": int(fitted.channels.live.sum()),
        "set_aside": dict(fitted.channels.asleep),
    }
