"""explain_model: what a model looks at, over all samples of some data.

A network of a table with smooth activations by its Taylor coefficients; a tagger of jets by what changes when jets lack
a kind of particles or a feature; any other scorer by its own evidence, whose mean size is stated for each channel.
Beside it, for rows of a table, what shuffling an input changes, which inputs carry the same thing, and what other
models of the same data look at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lynkeus.commission.explained.beside import Beside, Sample
from lynkeus.commission.explained.stability import with_others
from lynkeus.commission.places import Places, Said
from lynkeus.commission.tagging.explained import explain_tagger
from lynkeus.core import Array, Batch, Floats, SettingsError, Source, SourceError, about_of
from lynkeus.explain.taylor.relevance import ALL, Relevance, products
from lynkeus.fitting.explanation import per_channel
from lynkeus.fitting.fitted import Fitted
from lynkeus.sources.wrappers.classed import Classed
from lynkeus.transforms.moments import Moments

FEWEST = 10
HELD = 6_000_000  # coefficients at a time
TAYLOR = "Taylor coefficients"
EVIDENCE = "evidence of the scorer"
CHANGES = "what is taken away from jets"
DIFFERENCES = "prediction differences"
MOST_SLOW = 40  # samples that are explained by them
Row = dict[str, Any]


@dataclass(frozen=True)
class Explained:
    """`rows`: of each output, process and input or pair of inputs; `by` which method; `events` that were read;
    `courses`: of each output, the relevance (epochs, coefficients up to second order) in its training, where that was
    noted; `models` that were compared; `places`: of maps, where the evidence is."""

    model: str
    by: str
    order: int
    events: int
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    rows: list[Row]
    messages: tuple[str, ...]
    courses: dict[str, Floats] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    places: dict[str, Places] = field(default_factory=dict)


def explain_model(
    fitted: Fitted, source: Source, order: int = 2, labels: str = "", also: Sequence[Fitted] = ()
) -> Explained:
    """Explain a model on data. `labels`: column of the process of each sample, where they are to be told apart ("":
    that of the fit, where the data have it); `also`: further models of the same inputs, such as those of other seeds.

    Raises SettingsError for an order that its network does not have, or a model of other inputs, SourceError for fewer
    than FEWEST samples.
    """
    found = _explained(fitted, source, order, labels)
    if not also:
        return found
    others = [_explained(other, source, order, labels) for other in also]
    rows, said = with_others(found.rows, [other.rows for other in others], [other.model for other in others])
    models = tuple(dict.fromkeys((found.model, *(other.model for other in others))))
    return replace(found, rows=rows, messages=(*found.messages, *said), models=(*models, f"{1 + len(others)} models"))


def _explained(fitted: Fitted, source: Source, order: int, labels: str) -> Explained:
    prepared, about = fitted.prepare(source), about_of(fitted.scorer)
    smooth, jets = about.explains == TAYLOR, about.tags and prepared.schema.kind == "cloud"
    labels = labels or ("" if jets else _label_of_fit(fitted, prepared))
    known = Classed(prepared, labels, fitted.scorer.outputs if jets else ()) if labels else prepared
    beside = Beside(fitted)
    if jets:
        events, rows, said = explain_tagger(fitted, known)
    else:
        events, rows, said = (_by_taylor if smooth else _by_evidence)(fitted, known, order, beside.sample)
    if events < FEWEST:
        raise SourceError(f"only {events} samples to explain; give {FEWEST} at least")
    said += beside.add_to(rows)
    messages = (*getattr(known, "messages", ()), *said)
    by = TAYLOR if smooth else CHANGES if jets else EVIDENCE
    names = () if jets else tuple(fitted.view.names)
    courses = _courses(fitted) if smooth else {}
    order = order if smooth else 1
    outputs, places = tuple(fitted.scorer.outputs), said.places if isinstance(said, Said) else {}
    return Explained(fitted.name, by, order, events, outputs, names, rows, messages, courses, places=places)


def _label_of_fit(fitted: Fitted, prepared: Source) -> str:
    """Return the column of the classes of the fit, where the data have it."""
    if not about_of(fitted.scorer).tags:
        return ""
    first = next(iter(prepared), None)
    own = str((fitted.view.layout or {}).get("truth") or "")
    for name in (own, str(fitted.lineage.get("labels") or "")):
        if name and first is not None and name in first.meta:
            return name
    return ""


def _courses(fitted: Fitted) -> dict[str, Floats]:
    """Return by output how its coefficients grew, epoch by epoch."""
    epochs = getattr(getattr(fitted.scorer, "history_", None), "epochs", [])
    noted = [epoch.notes for epoch in epochs if getattr(epoch, "notes", None)]
    return {name: np.array([own[name] for own in noted]) for name in (noted[0] if noted else {})}


def _by_taylor(fitted: Fitted, source: Source, order: int, sample: Sample) -> tuple[int, list[Row], list[str]]:
    scorer: Any = fitted.scorer
    found = Relevance(fitted.view.names, fitted.scorer.outputs, source.schema.classes, order)
    sums, left_out, filled = Moments(), 0, 0
    width = len(fitted.view.names)
    many = len(fitted.scorer.outputs) * sum(len(products(width, own)) for own in range(1, order + 1))
    step = max(1, HELD // many)
    for batch in source:
        whole, more = _completed(scorer, batch)
        filled += more
        left_out += len(batch) - len(whole)
        sample.add(whole)
        for start in range(0, len(whole), step):
            part = whole[start : start + step]
            truth = part.truth if part.schema.classes else None
            found.add(scorer.coefficients(part, order), truth, part.weight)
            sums.add(np.asarray(part.values, float))
    said = [f"{left_out} samples miss a value and are left out: around them nothing is expanded"] if left_out else []
    if filled:
        said.append(f"{filled} samples have no mass point: they are expanded at the mean one, as they are scored")
    return sums.count, found.rows(sums.sigma) if sums.count else [], said


def _completed(scorer: Any, batch: Batch) -> tuple[Batch, int]:
    """Return the samples that miss nothing, or whose gaps the scorer fills itself, and how many these are."""
    whole = np.isfinite(batch.values).all(axis=1)
    complete = getattr(scorer, "complete", None)
    if complete is None or whole.all():
        return batch[whole], 0
    values = complete(batch.values)
    there = np.isfinite(values).all(axis=1)
    return batch.with_values(values)[there], int((there & ~whole).sum())


def _by_evidence(fitted: Fitted, source: Source, _: int, sample: Sample) -> tuple[int, list[Row], list[str]]:
    """The mean size of the evidence of each channel, with its interval from the samples."""
    parts: dict[tuple[str, str], list[Floats]] = {}
    count, said = 0, Said()
    for batch in _few(source, fitted, said):
        count += len(batch)
        sample.add(batch)
        for output in fitted.scorer.outputs:
            own = fitted.explain(batch, output)
            if not isinstance(own, np.ndarray):
                raise SettingsError(f"explain reads tables, series, images and jets; {fitted.name} reads others")
            for process, rows in _chosen(batch):
                parts.setdefault((output, process), []).append(per_channel(own[rows]))
            said.add(fitted, batch, output, own)
    found: list[Row] = []
    names = fitted.view.names
    for (output, process), pieces in parts.items():
        each = np.concatenate(pieces)
        size = np.abs(np.nan_to_num(each))
        error = size.std(axis=0) / np.sqrt(max(len(size), 1))
        for k in range(size.shape[1]):
            mean = float(size[:, k].mean())
            known = each[:, k][np.isfinite(each[:, k])]
            found.append({
                "output": output, "process": process, "order": 1,
                "input": names[k] if k < len(names) else f"channel {k}",
                "second_input": "", "mean_abs": mean, "mean": float(known.mean()) if len(known) else 0.0,
                "interval": [mean - float(error[k]), mean + float(error[k])], "relevance": mean, "events": len(size),
            })  # fmt: skip
    return count, found, said


def _few(source: Source, fitted: Fitted, said: Said) -> Iterator[Batch]:
    """Yield as many samples as can be explained while somebody waits; prediction differences take a second each."""
    if about_of(fitted.scorer).explains != DIFFERENCES:
        yield from source
        return
    batches = list(source)
    total = sum(len(batch) for batch in batches)
    every, first = max(1, -(-total // MOST_SLOW)), 0
    if every > 1:
        said.append(
            f"{-(-total // every)} of {total} samples are explained, evenly chosen: each is scored some hundred times"
        )
    for batch in batches:
        rows = np.flatnonzero((np.arange(len(batch)) + first) % every == 0)
        first += len(batch)
        if len(rows):
            yield batch[rows]


def _chosen(batch: Batch) -> Iterator[tuple[str, Array]]:
    yield ALL, np.arange(len(batch))
    for k, name in enumerate(batch.schema.classes if batch.truth is not None else ()):
        rows = np.flatnonzero(batch.truth == k)
        if len(rows):
            yield name, rows
