"""run: a search from its plan to a folder; steps are kept, and signal regions stay blind unless told otherwise."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import lynkeus
from lynkeus.core import SettingsError
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.files.whole import write_whole
from lynkeus.fitting.fitted import Fitted
from lynkeus.searches.cells import cells_of, members
from lynkeus.searches.classifier import Classifier, copies, given, inputs_of, learn, not_looked_at
from lynkeus.searches.estimate import estimate
from lynkeus.searches.events import Events, gaps, read, read_all, refuse_duplicates
from lynkeus.searches.keep import Kept, code_of, digest_of, key_of
from lynkeus.searches.limits import inference
from lynkeus.searches.look_elsewhere import look_elsewhere
from lynkeus.searches.negative import says, to_learn_from
from lynkeus.searches.plan.plan import FILES, WAYS, Plan, Point
from lynkeus.searches.templates import Sample, points_of, templates

RECORD, CACHE, MODEL = "record.json", "cache", "model"
FEW_SIMULATED = 10


@dataclass
class Search:
    """What a search found: of each point its `estimates` and `likelihoods` in plain types, its `workspaces`; `global_p`
    where it was unblinded; `messages` for the user."""

    plan: Plan
    blind: bool
    points: list[str]
    estimates: dict[str, Any] = field(default_factory=dict)
    likelihoods: dict[str, Any] = field(default_factory=dict)
    workspaces: dict[str, Any] = field(default_factory=dict)
    global_p: dict[str, Any] | None = None
    classes: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    events: dict[str, int] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)


def run(plan: Plan, folder: Path, unblind: bool = False, report: ReportProgress = silent) -> Search:
    """Run a search, and return what it found; steps whose inputs are as before are taken from the folder.

    Raises SettingsError or SourceError in one line; nothing but the cache has been written then.
    """
    kept = Kept(folder / CACHE)
    report("reading events", 0.0)
    sample = _read(plan)
    classifier, training, said, key = _classifier(plan, folder, sample, report)
    _check(plan, classifier, sample)
    roles = {"simulation": sample.simulation, "data": sample.data} | ({"training": training} if training else {})
    twice = refuse_duplicates(dict(reversed(roles.items())), classifier.quantities)
    points = points_of(plan, sample.simulation)
    found = Search(plan, not unblind, [point.name for point in points], classes=classifier.classes,
                   inputs=classifier.inputs, events={role: len(own) for role, own in roles.items()})  # fmt: skip
    found.messages += _of_samples(plan, classifier, sample, training) + said
    found.messages += copies(sample.simulation, classifier.quantities) + _lacking(plan, sample)
    found.messages += [f"{role}: {count} events are there more than once" for role, count in twice.items() if count]
    events = [digest_of(sample.simulation), digest_of(sample.data), *map(digest_of, sample.other.values())]
    looks = _looks(folder, plan, unblind)
    for number, point in enumerate(points):
        report(f"point {point.name}", (number + 0.1) / (len(points) + 1))
        step = key_of(plan.given, key, events, unblind, code_of(), point.name)
        stage = _Stage(plan, classifier, sample, point, unblind, number == 0)
        one = kept.get("point", step, lambda stage=stage: stage.make(report))  # type: ignore[misc]
        found.estimates[point.name], found.likelihoods[point.name] = one["estimate"], one["likelihood"]
        found.workspaces[point.name] = one["workspace"]
    if unblind and len(points) > 1:
        step = key_of(plan.given, key, events, code_of(), "everywhere")
        found.global_p = kept.get("everywhere", step, lambda: _everywhere(plan, classifier, sample, points, report))
    found.messages += _said(found, kept)
    _record(found, folder, events, looks)
    return found


@dataclass
class _Stage:
    """One point."""

    plan: Plan
    classifier: Classifier
    sample: Sample
    point: Point
    unblind: bool
    first: bool

    def make(self, report: ReportProgress) -> dict[str, Any]:
        """Return what is found at the point."""
        own = templates(self.plan, self.classifier, self.sample, self.point, self.unblind)
        estimated = estimate(self.plan, own)
        likelihood, workspace = inference(self.plan, own, estimated, self.first, report)
        return {"estimate": estimated, "likelihood": likelihood, "workspace": workspace}


def _read(plan: Plan) -> Sample:
    simulation = read_all(plan.samples.simulation, plan.samples)
    if plan.samples.labels not in simulation.columns:
        raise SettingsError(
            f"{simulation.name}: has no column {plan.samples.labels} of processes; name it by samples.labels, or say "
            "it in the layout"
        )
    other = {(one.name, way): read(one.files[way], plan.samples) for one in plan.systematics if one.kind == FILES
             for way in WAYS}  # fmt: skip
    return Sample(simulation, read(plan.samples.data, plan.samples, data=True), other)


def _classifier(
    plan: Plan, folder: Path, sample: Sample, report: ReportProgress
) -> tuple[Classifier, Events | None, list[str], str]:
    """Return the classifier, the events it learned from where they are known, what there is to say, and its hash."""
    training = read_all(plan.samples.training, plan.samples) if plan.samples.training else None
    if plan.samples.model:
        said = [f"{plan.samples.model}: whether it learned from events of this search cannot be said; samples.training "
                "beside the model would check it"]  # fmt: skip
        sums = Path(plan.samples.model, "SHA256SUMS")
        key = key_of(sums.read_text("utf-8") if sums.is_file() else plan.samples.model)
        return given(plan), training, [] if training else said, key
    assert training is not None, "a plan has training or a model"
    inputs = inputs_of(plan, training, (sample.simulation, sample.data))
    key = key_of(digest_of(training), plan.classifier, plan.parameters, inputs, plan.processes, plan.seed,
                 lynkeus.__version__)  # fmt: skip
    place = folder / f"{MODEL}-{key}"
    if place.exists():
        return Classifier(Fitted.load(place), plan.parameters), training, [], key
    report("learning the classifier", 0.02)
    classifier = learn(plan, training, inputs)
    folder.mkdir(parents=True, exist_ok=True)
    classifier.fitted.save(place)
    return classifier, training, list(classifier.fitted.messages), key


def _check(plan: Plan, classifier: Classifier, sample: Sample) -> None:
    """Raise SettingsError for inputs that simulation or data lack, before anything takes time."""
    for events in (sample.simulation, sample.data):
        events.values(classifier.quantities)
    if plan.parameters:
        sample.simulation.values(plan.parameters)


def _of_samples(plan: Plan, classifier: Classifier, sample: Sample, training: Events | None) -> list[str]:
    """Return what there is to say of the samples: how they were read, what they lack, weights that are negative."""
    every = [one for one in (sample.simulation, sample.data, training) if one is not None]
    found = [line for one in every for line in one.said]
    if training is not None:
        found += not_looked_at(plan, training, (sample.simulation, sample.data))
    found += gaps(sample.simulation, classifier.quantities) + gaps(sample.data, classifier.quantities)
    return list(dict.fromkeys(found)) + says(sample.simulation, training)


def _lacking(plan: Plan, sample: Sample) -> list[str]:
    """Return a line for each systematic whose files lack a process, which stays as it is there. Raises SettingsError
    for one that the plan names."""
    said = []
    for one in plan.systematics:
        for way in (way for way in WAYS if (one.name, way) in sample.other):
            other = sample.other[one.name, way]
            lacking = [
                name for name in one.processes or plan.processes if not other.of(name, plan.samples.labels).any()
            ]
            if lacking and one.processes:
                raise SettingsError(f"{other.name}: systematics.{one.name}: has no events of {lacking[0]}; give others")
            if lacking:
                said.append(
                    f"{other.name}: no events of {', '.join(lacking)}: {one.name} {way} leaves them as they are"
                )
    return said


def _everywhere(
    plan: Plan, classifier: Classifier, sample: Sample, points: tuple[Point, ...], report: ReportProgress
) -> dict[str, Any]:
    every = [templates(plan, classifier, sample, point, True) for point in points]
    background = sample.simulation.cut(np.isin(sample.simulation.columns[plan.samples.labels], plan.backgrounds))
    places = np.empty((len(points), len(background)), int)
    signal = classifier.classes.index(plan.signal)
    for k, t in enumerate(every):
        p = classifier.probabilities(background, t.point)
        places[k] = cells_of(t.cells, members(plan, classifier, background, p, ""), p[:, signal])
    names = background.columns[plan.samples.labels]
    number = np.array([plan.processes.index(str(name)) for name in names])
    likely = to_learn_from(background, classifier.quantities, number, plan.processes).weight
    return look_elsewhere(plan, every, places, number, (background.weight, likely), report)


def _said(found: Search, kept: Kept) -> list[str]:
    first = found.points[0]
    one = found.estimates[first]
    factors = ", ".join(f"{name} {value:.3f} ± {error:.3f}" for name, value, error in
                        zip(one["backgrounds"], one["factors"], one["errors"], strict=True))  # fmt: skip
    said = [f"factors at {first}: {factors} (condition {one['condition']:.2g})"]
    few = [name for name, own in found.likelihoods.items() if own["few"]]
    toys = found.plan.toys
    if few:
        how = f"limits are by {toys} toys" if toys else "asymptotic limits are not to be trusted there; toys = 1000"
        said.append(f"fewer than 5 events are expected where it counts at {len(few)} points ({few[0]}, ...): {how}")
    thin = [name for name, own in found.estimates.items() if own["simulated_background"] < FEW_SIMULATED]
    if thin:
        said.append(
            f"the background of the signal region has fewer than {FEW_SIMULATED} simulated events at {len(thin)} "
            f"points ({thin[0]}, ...): give more simulation of what comes there"
        )
    bare = [f"{name}: {', '.join(own['assumed'])}" for name, own in found.estimates.items() if own["assumed"]]
    if bare:
        said.append(f"no simulated background ({'; '.join(bare[:3])}): taken as one event, uncertain by all of it")
    below = [f"{name}: {', '.join(own['settled'])}" for name, own in found.estimates.items() if own["settled"]]
    if below:
        said.append(f"sums of weights that fluctuated below 0 count as 0 ({'; '.join(below[:3])})")
    uncovered = found.estimates[first]["uncovered"]
    said += [f"{uncovered} events of data are in no region, and were left out as the plan says"] if uncovered else []
    said += [f"{kept.used} steps were done before, {kept.made} are new"] if kept.used else []
    said.append("signal regions stay blind: data in them were not counted (--unblind)" if found.blind else
                "UNBLINDED: data of the signal regions were looked at, which the record says")  # fmt: skip
    return said


def _looks(folder: Path, plan: Plan, unblind: bool) -> list[dict[str, str]]:
    """Return each look at the data of signal regions; a new one is written down before anything is counted."""
    path = folder / RECORD
    before: dict[str, Any] = {}
    if path.is_file():
        try:
            before = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise SettingsError(f"{path}: the record of this search is damaged; choose another -o") from error
    looks: list[dict[str, str]] = list(before.get("unblinded", []))
    if unblind:
        looks.append({"at": _now(), "plan": key_of(plan.given), "version": lynkeus.__version__})
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({**before, "unblinded": looks}, indent=1, default=str).encode())
    return looks


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _record(found: Search, folder: Path, events: list[str], looks: list[dict[str, str]]) -> None:
    """Write what was done into the record."""
    record = {
        "name": found.plan.name, "at": _now(), "version": lynkeus.__version__, "blind": found.blind, "unblinded": looks,
        "plan_hash": key_of(found.plan.given), "plan": found.plan.given, "samples": events, "events": found.events,
        "points": found.points,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / RECORD, json.dumps(record, indent=1, default=str).encode())
