"""fit: from a source to a Fitted scorer, on a reference that nobody has cleaned.

A first scorer finds the incidents in its own training data; the second is fitted without them, and its calibration
leaves them out and says so. What a network was trained on it knows too well: it is calibrated on other stretches.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import lynkeus
from lynkeus.core import About, Calibration, CalibrationError, CrossFitted, Source, Suspecting, plugins
from lynkeus.core.calibration import FEWEST, FEWEST_WITHOUT_TIMES
from lynkeus.core.declared import UNSAID
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.incidents import Incident, find_incidents
from lynkeus.fitting.reference import Reference, score_reference
from lynkeus.fitting.views.live_channels import LiveChannels
from lynkeus.sources import Blocks, Exclude, Labelled, files_of, origin_of
from lynkeus.sources.wrappers.labelled import Intervals, Known
from lynkeus.sources.wrappers.pictures import as_pictures

REFERENCES = 512  # good samples kept to show beside an alarm
RARE = 0.01  # windows rarer than this among good ones are no good references
SMALL_FILE = 1 << 30
FEWEST_TO_SPLIT = 1000  # with fewer samples a network is calibrated on what it was trained on, and that is said
FOLDS = 5  # a network is calibrated on every fifth stretch


@dataclass(frozen=True)
class FitSettings:
    """How to fit: `scorer` by name with `options`, windows of `window` rows every `stride`, `quiet_s`: crossings closer
    than that are one alarm. `labels`: name of those that may be used (the truth of the source); `judged`: intervals
    that people called real (1) or not real (0)."""

    scorer: str
    options: Mapping[str, Any] = field(default_factory=dict)
    window: int = 0
    stride: int = 0
    layout: Mapping[str, Any] | None = None
    quiet_s: float = 10.0
    labels: str = ""
    judged: Intervals = ()


def fit(source: Source, settings: FitSettings, quiet: Source | None = None) -> Fitted:
    """Fit a scorer and its calibrations; streams, so the data may be larger than memory.

    `quiet`: data to calibrate on, if not the training data themselves. Known anomalies teach a scorer that learns from
    labels; from all others they are kept away, as from the calibration. Raises SettingsError where a scorer that needs
    labels gets none.
    """
    scorer = plugins.make_scorer(settings.scorer, settings.options)
    about = about_of(scorer)
    if "image" in about.kinds and not settings.window:
        source = as_pictures(source)
    channels = LiveChannels.fit(source, constants=about.constants and not settings.window)
    fitted = Fitted(
        settings.scorer, scorer, source.schema, channels, {}, np.empty((0, int(channels.live.sum())), np.float32),
        settings.window, settings.stride, settings.layout,
    )  # fmt: skip
    labelled = Labelled(fitted.prepare(source), settings.labels, settings.judged)
    known = labelled.check(about.labels, settings.scorer, 0 if about.learned else FEWEST)
    _require_enough(known)
    prepared: Source = labelled if about.labels else labelled.good
    split = about.learned and quiet is None and known.good >= FEWEST_TO_SPLIT
    training = Blocks(prepared, known.good, FOLDS) if split else prepared
    scorer.fit(training)
    reference = _reference(fitted, labelled.good)
    incidents = _not_judged(find_incidents(reference, scorer.outputs, settings.quiet_s), settings.judged)
    if incidents and not isinstance(scorer, Suspecting):
        scorer.fit(Exclude(training, [(incident.start_ns, incident.end_ns) for incident in incidents]))
        reference = score_reference(fitted, labelled.good)
        incidents = _not_judged(find_incidents(reference, scorer.outputs, settings.quiet_s), settings.judged)
    if quiet is not None:
        reference = score_reference(fitted, fitted.prepare(quiet))
        incidents = find_incidents(reference, scorer.outputs, settings.quiet_s)
    elif split:
        reference = reference.only(Blocks.held_out(len(reference.scores), FOLDS))
    fitted.calibrations = calibrate(reference, scorer.outputs, incidents, settings.quiet_s)
    fitted.reference = _good_samples(fitted, reference)
    fitted.lineage = _lineage(source, settings, fitted, reference) | {
        "incidents": [incident.to_dict() for incident in incidents],
        "known_anomalies": known.anomalies,
        "held_out": split,
    }
    return fitted


def _reference(fitted: Fitted, prepared: Source) -> Reference:
    """The training data as scored, by parts of the scorer that have not seen them, where it has such."""
    if isinstance(fitted.scorer, CrossFitted):
        return Reference.of_scores(fitted.scorer.held_out_scores(), prepared.schema.names)
    return score_reference(fitted, prepared)


def about_of(scorer: object) -> About:
    """What a scorer says of itself; a plug-in may leave that out."""
    return getattr(scorer, "about", UNSAID)


def _require_enough(known: Known) -> None:
    """Refuse too few samples here, rather than deep inside a scorer."""
    least = FEWEST if known.timed else FEWEST_WITHOUT_TIMES
    if known.good < least:
        raise CalibrationError(
            f"the source has only {known.good} samples (images, windows, or rows without --window); a fit needs at "
            f"least {least}: give more data or shorter windows"
        )


def _not_judged(incidents: list[Incident], judged: Intervals) -> list[Incident]:
    """Without those that a person has looked at and called not real: they are good data."""
    fine = [(start, end) for start, end, label in judged if not label]
    return [i for i in incidents if not any(start < i.end_ns and end > i.start_ns for start, end in fine)]


def _good_samples(fitted: Fitted, reference: Reference) -> Any:
    """Some samples that are not rare, to show beside an alarm."""
    columns = enumerate(fitted.calibrations.values())
    good = np.all([c.p_value(reference.scores[:, k]) > RARE for k, c in columns], axis=0)
    usable = reference.samples.columns[0][good[reference.samples.index]]
    return usable[:: max(1, len(usable) // REFERENCES)]


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
        "data": origin_of(source) or files or str(getattr(source, "url", type(source).__name__)),
        "samples": len(reference.scores),
        "start_ns": None if reference.time_ns is None else int(reference.time_ns[0]),
        "end_ns": None if reference.end_ns is None else int(reference.end_ns[-1]),
        "reference_hours": None if hours is None else round(hours, 3),
        "excluded": excluded,
        "channels": int(fitted.channels.live.sum()),
        "set_aside": dict(fitted.channels.asleep),
    }
