"""fit: from a source to a Fitted scorer, on a reference that nobody has cleaned.

A first scorer finds the incidents in its own training data; the second is fitted without them, and its calibration
leaves them out and says so. How good data are scored that it has not seen depends on what it is: a scorer that knows it
says so itself (Refers), or states p-values; samples that stand alone are scored by folds; a network, which knows too
well what it was trained on, by other stretches; all others in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core import (
    About,
    Calibration,
    CalibrationError,
    Refers,
    Schema,
    Scorer,
    SettingsError,
    Source,
    about_of,
    plugins,
)
from lynkeus.core.calibration import FEWEST, FEWEST_WITHOUT_TIMES
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.core.stated import Stated
from lynkeus.fitting.classes import fit_classes
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.follow import follows
from lynkeus.fitting.generated import fit_generator
from lynkeus.fitting.heads import fit_heads
from lynkeus.fitting.hits import fit_hits
from lynkeus.fitting.incidents import Incident, find_incidents
from lynkeus.fitting.lineage import lineage_of
from lynkeus.fitting.numbers import fit_numbers
from lynkeus.fitting.partly import fit_partly
from lynkeus.fitting.reference import FOLDS, Reference, score_reference
from lynkeus.fitting.second_population import NONE, SecondPopulation, second_population
from lynkeus.fitting.self_check import checked
from lynkeus.fitting.unseen import CROSSED, by_rest, few_enough
from lynkeus.fitting.views.as_read import AsRead, Images
from lynkeus.fitting.views.channels import Channels
from lynkeus.fitting.views.hits import HitsView
from lynkeus.fitting.views.live_channels import LiveChannels
from lynkeus.fitting.views.view import View
from lynkeus.fitting.weights import check_weights_used
from lynkeus.sources import Blocks, Exclude, Labelled
from lynkeus.sources.images.pixel_rule import PixelRule
from lynkeus.sources.runs.read import RunFolder
from lynkeus.sources.wrappers.distinct import Distinct
from lynkeus.sources.wrappers.labelled import Intervals, Known
from lynkeus.sources.wrappers.numbered import Numbered
from lynkeus.sources.wrappers.pictures import as_pictures
from lynkeus.sources.wrappers.wrapper import innermost, learned_layout

REFERENCES = 512  # good samples kept to show beside an alarm
RARE = 0.01  # windows rarer than this among good ones are no good references
FEWEST_TO_SPLIT = 1000  # of fewer samples each is scored by a network that has not seen it, and all of these count


@dataclass(frozen=True)
class FitSettings:
    """How to fit: `scorer` by name with `options`, windows of `window` rows every `stride`, `quiet_s`: crossings closer
    than that are one alarm. `labels`: name of those that may be used (the truth of the source); `intervals`: those
    that people called real (1) or not real (0); `images`, `runs`: what they said of images, by path, and of runs, by
    name: bad (1) or good (0), and of pads, by "sector/row/pad": a class; `group`: of runs, the
    column of classes ("": the first of text), `tree`: the one of their ROOT files ("": the largest)."""

    scorer: str
    options: Mapping[str, Any] = field(default_factory=dict)
    window: int = 0
    stride: int = 0
    layout: Mapping[str, Any] | None = None
    quiet_s: float = 10.0
    labels: str = ""
    intervals: Intervals = ()
    images: Mapping[Path, int] = field(default_factory=dict)
    runs: Mapping[str, int] = field(default_factory=dict)
    pads: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    tree: str = ""


def fit(
    source: Source, settings: FitSettings, quiet: Source | None = None, progress: ReportProgress | None = None
) -> Fitted:
    """Fit a scorer and its calibrations; streams, so the data may be larger than memory.

    `quiet`: data to calibrate on, if not the training data themselves. Known anomalies teach a scorer that learns from
    labels; from all others they are kept away, as from the calibration. Raises SettingsError where a scorer that needs
    labels gets none, or one that counts all samples alike gets samples with weights.
    """
    report = progress or silent
    if isinstance(source, RunFolder):
        from lynkeus.fitting.fit_runs import fit_runs  # it takes longest to import

        return fit_runs(source, settings, report)
    return _fit_samples(source, settings, quiet)


def _fit_samples(source: Source, settings: FitSettings, quiet: Source | None) -> Fitted:
    scorer = plugins.make_scorer(settings.scorer, settings.options)
    about = about_of(scorer)
    check_weights_used(source, f"the scorer {settings.scorer}", about, dict(settings.layout or {}).get("weight", ""))
    if settings.window and source.schema.kind == "cloud":
        raise SettingsError("--window: clouds such as jets are no rows in time; leave it out")
    targets = tuple(name.strip() for name in settings.labels.split(",") if name.strip())
    source = Numbered(source, targets) if about.measures else source
    view = view_of(source, settings, about)
    if isinstance(view, HitsView):
        return fit_hits(scorer, settings.scorer, view, source, settings.options)
    if about.by_class or about.measures or about.generates:
        return _known(scorer, about, view, source, settings)
    labelled = Labelled(view.training(source), settings.labels, settings.intervals, settings.images)
    known = labelled.check(about.labels, settings.scorer, 0 if about.learned else FEWEST)
    _require_enough(known, labelled.source, source.schema)
    prepared: Source = labelled if about.labels else labelled.good
    # A network scores what it was trained on too well, so blocks of the data are kept from it, to calibrate on. One
    # that `Refers` knows itself how it would score good samples that it had not seen.
    held_out = about.learned and quiet is None and not isinstance(scorer, Refers)
    split = held_out and known.good >= FEWEST_TO_SPLIT
    training = prepared
    if held_out:
        training = Blocks(prepared, known.good, FOLDS) if split else Blocks(prepared, known.good, CROSSED, 0)
    second = _second(labelled.good, settings) if source.schema.kind == view.schema.kind == "table" else NONE
    second = second.single() if follows(scorer) else second
    training = Exclude(training, second.intervals) if second.intervals else training
    scorer.fit(training)
    reference, incidents = _reference(scorer, labelled.good, settings, second)
    # The first fit has learned the incidents as if they were good: fit again without them, so that it finds such.
    if second.new(incidents) and not isinstance(scorer, Refers):
        scorer.fit(Exclude(training, _spans(incidents)))
        reference, incidents = _reference(scorer, labelled.good, settings, second)
    if quiet is not None:
        reference = score_reference(scorer, view.of(quiet))
        incidents = find_incidents(reference, scorer.outputs, settings.quiet_s)
    elif split:
        reference = reference.only(Blocks.held_out(len(reference.scores), FOLDS))
    elif held_out or few_enough(scorer, view, known.good):
        make = partial(plugins.make_scorer, settings.scorer, settings.options)
        left_out = [*second.intervals, *_spans(incidents)]
        reference = by_rest(reference, prepared, labelled.good, make, left_out, held_out)
    calibrations = calibrate(reference, scorer.outputs, incidents, settings.quiet_s)
    kept = {"reference": _good_samples(calibrations, reference)}
    lineage = lineage_of(source, settings.scorer, settings.options) | _learned(view, calibrations, reference)
    found = [incident.to_dict() for incident in incidents]
    lineage |= {"incidents": found, "known_anomalies": known.anomalies, "held_out": held_out}
    messages, check = checked(settings.scorer, scorer, labelled.good) if about.learned else ([], {})
    messages = [*second.lines, *messages, *_copies(labelled.source)]
    return Fitted(settings.scorer, scorer, view, calibrations, kept, lineage | check, messages)


def _known(scorer: Scorer, about: About, view: View, source: Source, settings: FitSettings) -> Fitted:
    """Fit a scorer that does not tell good from anomalous: of classes, of answers, of numbers, or a generator."""
    name, options = settings.scorer, settings.options
    if about.measures or about.generates:
        targets = tuple(target.strip() for target in settings.labels.split(",") if target.strip())
        fit_known = fit_numbers if about.measures else fit_generator
        return fit_known(scorer, name, view, source, targets, options)
    if about.tags and about.labels == "optional":
        return fit_partly(scorer, name, view, source, (settings.labels, settings.pads), options)
    return (fit_classes if about.tags else fit_heads)(scorer, name, view, source, settings.labels, options)


def _second(good: Source, settings: FitSettings) -> SecondPopulation:
    """Stretches of the training data that are far from all the rest, and that nobody has called good."""
    return second_population(good).without([(start, end) for start, end, label in settings.intervals if not label])


def _spans(incidents: Sequence[Incident]) -> list[tuple[int, int]]:
    return [(incident.start_ns, incident.end_ns) for incident in incidents]


def view_of(source: Source, settings: FitSettings, about: About) -> View:
    """Choose how a scorer sees data: channels of tables and waveforms, images, or samples as they are read."""
    layout = None if settings.layout is None else dict(settings.layout)
    if (about.measures or about.generates) and source.schema.kind == "image":  # maps, not pictures of 8 bits
        size = (None, None) if about.measures else source.schema.shape[1:]  # numbers of a map do not hang on its size
        return AsRead(replace(source.schema, shape=(source.schema.shape[0], *size)), layout)
    if "image" in about.kinds and not settings.window:
        source = as_pictures(source)
    if source.schema.kind in ("table", "waveform"):
        channels = LiveChannels.fit(source, constants=about.constants and not settings.window)
        return Channels(source.schema, channels, settings.window, settings.stride, layout)
    if source.schema.kind == "image":
        return Images(source.schema, layout, getattr(innermost(source), "rule", PixelRule()))
    if source.schema.kind == "hit":
        return HitsView.fit(source, settings.labels, layout)
    return AsRead(source.schema, learned_layout(source) or layout)


def _copies(seen: Source) -> list[str]:
    """Return what is to be said of images that are there twice."""
    return seen.own_messages if isinstance(seen, Distinct) else []


def _require_enough(known: Known, seen: Source, schema: Schema) -> None:
    """Refuse too few samples here, rather than deep inside a scorer."""
    least = FEWEST if known.timed else FEWEST_WITHOUT_TIMES
    if known.good < least and isinstance(seen, Distinct) and seen.copies:
        raise CalibrationError(
            f"only {known.good} different images, and a fit needs at least {least}, as a p-value needs independent "
            f"ones: {seen.line()}; give more images"
        )
    if known.good < least:
        columns = schema.shape[0] if schema.kind == "table" else None
        turned = f"; if its {columns} columns are rows, write it turned, or say transpose = true in a layout (HDF5)"
        why = turned if columns is not None and columns > max(known.good, least) else ""
        raise CalibrationError(
            f"the source has only {known.good} samples (images, windows, or rows without --window); a fit needs at "
            f"least {least}: give more data or shorter windows{why}"
        )


def _reference(
    scorer: Scorer, good: Source, settings: FitSettings, second: SecondPopulation
) -> tuple[Reference, list[Incident]]:
    """The training data as scored, and the incidents in them that nobody has called good."""
    reference = second.suspected(score_reference(scorer, good))
    incidents = find_incidents(reference, scorer.outputs, settings.quiet_s)
    fine = [(start, end) for start, end, label in settings.intervals if not label]
    return reference, [i for i in incidents if not any(start < i.end_ns and end > i.start_ns for start, end in fine)]


def _good_samples(calibrations: Mapping[str, Calibration | Stated], reference: Reference) -> Any:
    """Some samples that are not rare, to show beside an alarm."""
    columns = enumerate(calibrations.values())
    good = np.all([c.p_value(reference.scores[:, k]) > RARE for k, c in columns], axis=0)
    usable = reference.samples.columns[0][good[reference.samples.index]]
    return usable[:: max(1, len(usable) // REFERENCES)]


def calibrate(
    reference: Reference, outputs: tuple[str, ...], incidents: list[Incident], quiet_s: float
) -> dict[str, Calibration | Stated]:
    """Return one calibration per output, without the incidents of that output."""
    found: dict[str, Calibration | Stated] = {}
    for k, output in enumerate(outputs):
        own = [incident for incident in incidents if incident.output == output]
        scores = reference.scores[:, k].copy()
        for incident in own:
            scores[incident.rows] = np.nan
        fit = Calibration.fit(scores, reference.hours, reference.time_ns, quiet_s, weight=reference.weight)
        seconds = sum(incident.seconds for incident in own)
        found[output] = replace(fit, excluded=fit.excluded + len(own), excluded_s=fit.excluded_s + seconds)
    return found


def _learned(view: View, calibrations: Mapping[str, Calibration | Stated], reference: Reference) -> dict[str, Any]:
    """Return what was learned from, and what was left out of it, in numbers."""
    first = next(iter(calibrations.values()))
    worth = {} if first.effective is None else {"effective_samples": round(first.effective, 1)}
    channels = view.channels if isinstance(view, Channels) else None
    return {
        "samples": len(reference.scores),
        **worth,
        "start_ns": None if reference.time_ns is None else int(reference.time_ns[0]),
        "end_ns": None if reference.end_ns is None else int(reference.end_ns[-1]),
        "reference_hours": None if first.hours is None else round(first.hours, 6),
        "hours": {output: round(c.hours, 6) for output, c in calibrations.items() if c.hours},
        "excluded": {
            output: {"incidents": c.excluded, "seconds": round(c.excluded_s, 1)} for output, c in calibrations.items()
        },
        "channels": int(channels.live.sum()) if channels else len(view.schema.names),
        "set_aside": dict(channels.asleep) if channels else {},
    }
