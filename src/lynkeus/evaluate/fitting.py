"""fit: from a source to a Fitted scorer, on a reference that nobody has cleaned.

A first scorer finds the incidents in its own training data; the second is fitted without them, and its calibration
leaves them out and says so.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

import lynkeus
from lynkeus.core import (
    Batch,
    Calibration,
    CalibrationError,
    Floats,
    Locating,
    Source,
    Suspecting,
    TimesNs,
    Tracking,
    plugins,
)  # fmt: skip
from lynkeus.core.calibration import NS_PER_HOUR
from lynkeus.evaluate.fitted import Fitted
from lynkeus.evaluate.incidents import Incident, find_incidents
from lynkeus.sources import Exclude, files_of
from lynkeus.transforms.live_channels import LiveChannels
from lynkeus.transforms.thinned import Thinned

REFERENCES = 512  # good samples kept to show beside an alarm
RARE = 0.01  # windows rarer than this among good ones are no good references
WIDEST_GAP = 20.0  # a pause longer than this many samples does not count as livetime
SMALL_FILE = 1 << 30
FEWEST_SAMPLES = 100  # as many as a calibration needs


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
    """The training data as scored, in time order: `scores`, `suspects`, `place` (n, outputs), the last as numbers into
    `names`, -1 for none; `time_ns`, `end_ns` (n,) or None; some of the `samples`."""

    scores: Floats
    suspects: npt.NDArray[np.bool_]
    place: npt.NDArray[np.int32]
    time_ns: TimesNs | None
    end_ns: TimesNs | None
    samples: Thinned
    names: tuple[str, ...]

    @property
    def hours(self) -> float | None:
        """Livetime: the spans of all samples, pauses left out; None without times."""
        if self.time_ns is None or self.end_ns is None:
            return None
        return float(np.sum(self.end_ns - self.time_ns) / NS_PER_HOUR) or None


def fit(source: Source, settings: FitSettings, quiet: Source | None = None) -> Fitted:
    """Fit a scorer and its calibrations; streams, so the data may be larger than memory.

    `quiet`: data to calibrate on, if not the training data themselves.
    """
    channels = LiveChannels.fit(source)
    scorer = plugins.load("scorers", settings.scorer)(**settings.options)
    fitted = Fitted(
        settings.scorer, scorer, source.schema, channels, {}, np.empty((0, int(channels.live.sum())), np.float32),
        settings.window, settings.stride, settings.layout,
    )  # fmt: skip
    prepared = fitted.prepare(source)
    _require_enough(prepared)
    scorer.fit(prepared)
    reference = score_reference(fitted, prepared)
    incidents = find_incidents(reference, scorer.outputs, settings.quiet_s)
    if incidents and not isinstance(scorer, Suspecting):
        scorer.fit(Exclude(prepared, [(incident.start_ns, incident.end_ns) for incident in incidents]))
        reference = score_reference(fitted, prepared)
        incidents = find_incidents(reference, scorer.outputs, settings.quiet_s)
    if quiet is not None:
        reference = score_reference(fitted, fitted.prepare(quiet))
        incidents = find_incidents(reference, scorer.outputs, settings.quiet_s)
    fitted.calibrations = calibrate(reference, scorer.outputs, incidents, settings.quiet_s)
    columns = enumerate(fitted.calibrations.values())
    good = np.all([c.p_value(reference.scores[:, k]) > RARE for k, c in columns], axis=0)
    usable = reference.samples.columns[0][good[reference.samples.index]]
    fitted.reference = usable[:: max(1, len(usable) // REFERENCES)]
    fitted.lineage = _lineage(source, settings, fitted, reference)
    fitted.lineage["incidents"] = [incident.to_dict() for incident in incidents]
    return fitted


def _require_enough(prepared: Source) -> None:
    """Refuse too few samples here, rather than deep inside a scorer; reads no more than it must."""
    seen = 0
    for batch in prepared:
        seen += len(batch)
        if seen >= FEWEST_SAMPLES:
            return
    raise CalibrationError(
        f"the source has only {seen} samples (windows, or rows without --window); a fit needs at least "
        f"{FEWEST_SAMPLES}: give more data or shorter windows"
    )


def score_reference(fitted: Fitted, prepared: Source) -> Reference:
    """Score every sample of the training data, from a fresh start."""
    scorer = fitted.scorer
    if isinstance(scorer, Tracking):
        scorer.resume({})
    parts: list[tuple[Any, ...]] = []
    samples = Thinned()
    for batch in prepared:
        scores = scorer.score(batch)
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
    return Reference(scores, suspects, place, time_ns, end_ns, samples, prepared.schema.names)


def _numbers(where: npt.NDArray[np.str_], names: tuple[str, ...]) -> npt.NDArray[np.int32]:
    """Channel names as their numbers, -1 for none: the names of a hundred million windows would not fit in memory."""
    known = {name: number for number, name in enumerate(names)}
    found, place = np.unique(where, return_inverse=True)
    return np.array([known.get(str(name), -1) for name in found], np.int32)[place].reshape(where.shape)


def calibrate(
    reference: Reference, outputs: tuple[str, ...], incidents: list[Incident], quiet_s: float
) -> dict[str, Calibration]:
    """One calibration per output, without the incidents of that output."""
    found = {}
    for k, output in enumerate(outputs):
        own = [incident for incident in incidents if incident.output == output]
        scores = reference.scores[:, k].copy()
        for incident in own:
            scores[incident.rows] = np.nan
        fit = Calibration.fit(scores, reference.hours, reference.time_ns, quiet_s)
        seconds = sum(incident.seconds for incident in own)
        found[output] = replace(fit, excluded=fit.excluded + len(own), excluded_s=fit.excluded_s + seconds)
    return found


def mean_sample(batch: Batch) -> Floats:
    """(n, channel) float32: rows as they are, windows as their mean over time, NaN left out."""
    if batch.values.ndim == 2:
        return batch.values.astype(np.float32)
    total = batch.values.mean(axis=2, dtype=np.float64)
    if np.isnan(total).any():
        count = np.maximum(np.isfinite(batch.values).sum(axis=2), 1)
        total = np.nansum(batch.values, axis=2, dtype=np.float64) / count
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


def _lineage(source: Source, settings: FitSettings, fitted: Fitted, reference: Reference) -> dict[str, Any]:
    files = []
    for path in files_of(source):
        size = path.stat().st_size if path.is_file() else None
        digest = None
        if size is not None and size <= SMALL_FILE:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        files.append({"path": str(path), "bytes": size, "sha256": digest})
    excluded = {
        output: {"incidents": c.excluded, "seconds": round(c.excluded_s, 1)}
        for output, c in fitted.calibrations.items()
    }
    hours = next(iter(fitted.calibrations.values())).hours
    return {
        "scorer": settings.scorer,
        "options": dict(settings.options),
        "fitted_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "version": lynkeus.__version__,
        "data": files or str(getattr(source, "url", type(source).__name__)),
        "samples": len(reference.scores),
        "start_ns": None if reference.time_ns is None else int(reference.time_ns[0]),
        "end_ns": None if reference.end_ns is None else int(reference.end_ns[-1]),
        "reference_hours": None if hours is None else round(hours, 3),
        "excluded": excluded,
        "channels": int(fitted.channels.live.sum()),
        "set_aside": dict(fitted.channels.asleep),
    }
