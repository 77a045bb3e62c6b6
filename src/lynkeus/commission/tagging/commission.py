"""Commissioning of taggers: models side by side on the same jets, whose class is known and which none has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lynkeus.commission.tagging.hearing import Asked, Heard, JetHearing, Stretch, begin, stretches, told
from lynkeus.commission.tagging.jets import JetScores, Known, jet_scores, known_of
from lynkeus.commission.tagging.mass import Sculpting, sculpting
from lynkeus.commission.tagging.measure import Row, WorkingPoint, pairs, rows_of, working_points
from lynkeus.core import Floats, SettingsError, Source, about_of
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.files.shared import Sharing
from lynkeus.files.workers import Work
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.lineage import learned_from
from lynkeus.metrics.reliability import calibration_error
from lynkeus.metrics.tagging import accuracy, against, confusion
from lynkeus.sources import files_of

OTHER_SAMPLE = "jets of"  # of another file: the same model, another tune, detector or pile-up


@dataclass(frozen=True)
class TaggingSettings:
    """`labels`: the column of classes, where the data do not say them themselves; `vary`: score the same jets in a
    worse detector as well; `seed` of what is drawn."""

    labels: str = ""
    vary: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Tagging:
    """What a report of taggers is made of: `jets` by model, all `rows`, `points` at which a model may be used, by model
    the `accuracy`, the `error` of calibration and the `confusion` (classes, classes), and of the first model by pair of
    classes what a cut does to the masses."""

    outputs: tuple[str, ...]
    jets: Mapping[str, JetScores]
    pairs: tuple[tuple[int, int], ...]
    rows: tuple[Row, ...]
    points: tuple[WorkingPoint, ...]
    accuracy: Mapping[str, float]
    error: Mapping[str, float]
    confusion: Mapping[str, Floats]
    masses: Mapping[tuple[str, str], Sculpting]
    counts: Mapping[str, int]
    lineages: Mapping[str, Mapping[str, Any]]
    files: tuple[str, ...]
    messages: tuple[str, ...]


def tags(fitted: Fitted) -> bool:
    """Return whether the outputs of a model are classes."""
    return about_of(fitted.scorer).tags


def commission_taggers(
    models: Mapping[str, Fitted],
    source: Source,
    settings: TaggingSettings | None = None,
    others: Mapping[str, Source] | None = None,
    progress: ReportProgress | None = None,
    sharing: Sharing | None = None,
) -> Tagging:
    """Commission taggers on jets of known class. `others`: further samples by name, that the first model is tried on.

    `sharing`: who scores them, by what `asked` returns in another process. Raises SettingsError where a model does not
    tag, or tells other classes apart than the first, or the data lack them.
    """
    settings, tell = settings or TaggingSettings(), progress or silent
    _require_alike(models)
    scored = _scored(asked(models, source, settings, others), sharing or Sharing(), tell)
    first_name, first = next(iter(models.items()))
    jets = {name: scored[name, ""] for name in models}
    chosen = pairs(first.scorer.outputs, jets[first_name].truth)
    rows, points = list[Row](), list[WorkingPoint]()
    for name, own in jets.items():
        tell(f"{name}: intervals", 1.0)
        rows += rows_of(name, own, settings.seed)
        points += working_points(name, models[name], own)
    for title in others or {}:
        rows += _elsewhere(first_name, title, scored[first_name, title], settings.seed)
    some = jets[first_name]
    known = [line for model in models.values() for line in learned_from(model.lineage, files_of(source))]
    counts = np.bincount(some.truth, minlength=len(some.outputs)).tolist()
    return Tagging(
        first.scorer.outputs, jets, tuple(chosen), tuple(rows), tuple(points),
        {name: accuracy(own.probability, own.truth, own.weight) for name, own in jets.items()},
        {name: _error(own) for name, own in jets.items()},
        {name: confusion(own.probability, own.truth, own.weight) for name, own in jets.items()},
        _masses(some, chosen), dict(zip(some.outputs, counts, strict=True)),
        {name: model.lineage for name, model in models.items()}, tuple(str(path) for path in files_of(source)),
        (*some.messages, *dict.fromkeys(known)),
    )  # fmt: skip


def asked(
    models: Mapping[str, Fitted], source: Source, settings: TaggingSettings, others: Mapping[str, Source] | None = None
) -> Asked:
    """Return what is asked as a process that scores a part of it is given it."""
    return Asked(models, {"": source, **(others or {})}, settings.labels, settings.vary, settings.seed)


def _scored(asked: Asked, by: Sharing, tell: ReportProgress) -> dict[tuple[str, str], JetScores]:
    """Return the jets of all models, and of the first one on all samples, by model and title of the sample."""
    here, first = JetHearing(asked), next(iter(asked.models))
    wanted = [(name, "") for name in asked.models] + [(first, title) for title in list(asked.samples)[1:]]
    known, shares = dict[tuple[str, str], Known](), dict[str, Stretch]()
    for name, title in wanted:
        tell(f"{name}: reading {title or 'jets'}", 0.0)
        known[name, title] = known_of(here.classed(name, title), asked.models[name].scorer.outputs)
        shares |= stretches(name, title, known[name, title].lengths)
    done = by.do(Work(begin, (by.again,), here), shares, told(tell))
    heard = {key: [Heard.of_row(done[name][0]) for name, one in shares.items() if one[:2] == key] for key in wanted}
    return {key: jet_scores(asked.models[key[0]].scorer.outputs, known[key], own) for key, own in heard.items()}


def _require_alike(models: Mapping[str, Fitted]) -> None:
    first_name, first = next(iter(models.items()))
    for name, fitted in models.items():
        if not tags(fitted):
            raise SettingsError(f"{name} finds anomalies and tells no classes apart: compare it with others that do")
        if set(fitted.scorer.outputs) != set(first.scorer.outputs):
            mine, theirs = (", ".join(model.scorer.outputs) for model in (fitted, first))
            raise SettingsError(f"{name} tells {mine} apart, and {first_name} {theirs}: they cannot be compared")
        if fitted.scorer.outputs != first.scorer.outputs:
            raise SettingsError(f"{name} has the classes of {first_name} in another order: fit it on the same data")


def _elsewhere(model: str, title: str, jets: JetScores, seed: int) -> Sequence[Row]:
    """Return the numbers of another sample, everywhere only."""
    own = replace(jets, known={})
    return [replace(row, detector=f"{OTHER_SAMPLE} {title}") for row in rows_of(model, own, seed)]


def _error(jets: JetScores) -> float:
    known = np.isfinite(jets.probability).all(axis=1)
    weight = None if jets.weight is None else jets.weight[known]
    return calibration_error(jets.probability[known], jets.truth[known], weight)


def _masses(jets: JetScores, chosen: Sequence[tuple[int, int]]) -> dict[tuple[str, str], Sculpting]:
    """Return what a cut does to the masses of the background, of each pair of classes for which enough jets pass."""
    found: dict[tuple[str, str], Sculpting] = {}
    if "mass" not in jets.known or "pt" not in jets.known:
        return found
    for signal, background in chosen:
        own = np.flatnonzero(np.isin(jets.truth, (signal, background)))
        weight = None if jets.weight is None else jets.weight[own]
        score = against(jets.probability[own], signal, background)
        one = sculpting(jets.truth[own] == signal, score, jets.known["mass"][own], jets.known["pt"][own], weight)
        if one is not None:
            found[jets.outputs[signal], jets.outputs[background]] = one
    return found
