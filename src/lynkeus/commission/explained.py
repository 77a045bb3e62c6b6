"""explained: what a model looks at, over all samples of some data: a table, and a page that needs no network.

A network of a table with smooth activations by its Taylor coefficients; a tagger of jets by what changes when jets lack
a kind of particles or a feature; any other scorer by its own evidence, whose mean size is stated for each channel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from lynkeus.commission.figures import COLOURS, SERIES, finished, inline_svg
from lynkeus.commission.places import Places, Said, map_figure
from lynkeus.commission.tagging.explained import explain_tagger
from lynkeus.core import Array, Batch, Floats, SettingsError, Source, SourceError, about_of
from lynkeus.explain.taylor.relevance import Relevance
from lynkeus.files.whole import write_parquet, write_whole
from lynkeus.fitting.explanation import per_channel
from lynkeus.fitting.fitted import Fitted
from lynkeus.sources.wrappers.classed import Classed
from lynkeus.transforms.moments import Moments

TEMPLATE = "explained.html"
FEWEST = 10
SHOWN = 30  # inputs and pairs in a figure
TAYLOR = "Taylor coefficients"
EVIDENCE = "evidence of the scorer"
DIFFERENCES = "prediction differences"
MOST_SLOW = 40  # samples that are explained by them
CHANGES = "what is taken away from jets"
XLABEL = {TAYLOR: "coefficient, inputs in sigmas", EVIDENCE: "evidence", CHANGES: "change of the log odds of the class"}
Row = dict[str, Any]


@dataclass(frozen=True)
class Explained:
    """`rows`: of each output, process and input or pair of inputs; `by` which method; `events` that were read."""

    model: str
    by: str
    order: int
    events: int
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    rows: list[Row]
    messages: tuple[str, ...]
    places: Mapping[str, Places] = field(default_factory=dict)


def explain_model(fitted: Fitted, source: Source, order: int = 2, labels: str = "") -> Explained:
    """Explain a model on data. `labels`: column of the process of each sample, where they are to be told apart.

    Raises SettingsError for an order that its network does not have, SourceError for fewer than FEWEST samples.
    """
    prepared = fitted.prepare(source)
    about = about_of(fitted.scorer)
    smooth = about.explains == TAYLOR
    jets = about.tags and prepared.schema.kind == "cloud"
    known = Classed(prepared, labels, fitted.scorer.outputs if jets else ()) if labels else prepared
    if jets:
        events, rows, said = explain_tagger(fitted, known)
    else:
        events, rows, said = (_by_taylor if smooth else _by_evidence)(fitted, known, order)
    if events < FEWEST:
        raise SourceError(f"only {events} samples to explain; give {FEWEST} at least")
    by = TAYLOR if smooth else CHANGES if jets else EVIDENCE
    messages = (*getattr(known, "messages", ()), *said)
    names = () if jets else tuple(fitted.view.names)
    shown = said.places if isinstance(said, Said) else {}
    return Explained(
        fitted.name, by, order if smooth else 1, events, tuple(fitted.scorer.outputs), names, rows, messages, shown
    )


def _by_taylor(fitted: Fitted, source: Source, order: int) -> tuple[int, list[Row], list[str]]:
    scorer: Any = fitted.scorer
    found = Relevance(fitted.view.names, fitted.scorer.outputs, source.schema.classes, order)
    sums, left_out = Moments(), 0
    for batch in source:
        whole = batch[np.isfinite(batch.values).all(axis=1)]
        left_out += len(batch) - len(whole)
        if len(whole):
            truth = whole.truth if whole.schema.classes else None
            found.add(scorer.coefficients(whole, order), truth, whole.weight)
            sums.add(np.asarray(whole.values, float))
    said = [f"{left_out} samples miss a value and are left out: around them nothing is expanded"] if left_out else []
    return sums.count, found.rows(sums.sigma) if sums.count else [], said


def _by_evidence(fitted: Fitted, source: Source, _: int) -> tuple[int, list[Row], list[str]]:
    """The mean size of the evidence of each channel, with its interval from the samples."""
    parts: dict[tuple[str, str], list[Floats]] = {}
    count, said = 0, Said()
    for batch in _few(source, fitted, said):
        count += len(batch)
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
            found.append({
                "output": output, "process": process, "order": 1,
                "input": names[k] if k < len(names) else f"channel {k}",
                "second_input": "", "mean_abs": mean, "mean": float(np.nanmean(each[:, k])),
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
    yield "all", np.arange(len(batch))
    for k, name in enumerate(batch.schema.classes if batch.truth is not None else ()):
        rows = np.flatnonzero(batch.truth == k)
        if len(rows):
            yield name, rows


def write_explained(found: Explained, path: Path) -> None:
    """Write REPORT.html and REPORT.parquet; each is complete or as it was before."""
    if path.suffix.lower() == ".parquet":
        raise SettingsError(f"{path}: the report is HTML, the table goes beside it: choose a name that ends in .html")
    write_parquet(pa.Table.from_pylist(found.rows), path.with_suffix(".parquet"))
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    figures = {output: Markup(inline_svg(_ranking(found, output))) for output in found.outputs}
    maps = {output: Markup(inline_svg(map_figure(places))) for output, places in found.places.items()}
    if found.order > 1 and len(found.inputs) > 1:
        maps = {output: Markup(inline_svg(_pairs(found, output))) for output in found.outputs}
    each = [row for row in found.rows if row["process"] != "all"] if found.by == CHANGES else []
    page = environment.get_template(TEMPLATE).render(
        found=found, figures=figures, maps=maps, top=_top(found),
        processes=list(dict.fromkeys(row["process"] for row in each)),
        means={(row["output"], row["input"], row["process"]): f"{row['mean']:.3g}" for row in each},
    )  # fmt: skip
    write_whole(path, page.encode())


def _of(found: Explained, output: str, process: str = "all") -> list[Row]:
    own = [row for row in found.rows if row["output"] == output and row["process"] == process]
    return sorted(own, key=lambda row: -row["relevance"])


def _top(found: Explained) -> dict[str, list[Row]]:
    return {output: _of(found, output)[:SHOWN] for output in found.outputs}


def _label(row: Row) -> str:
    return " · ".join(row[name] for name in ("input", "second_input", "third_input") if row.get(name))


def _ranking(found: Explained, output: str) -> Figure:
    """Bars of the largest: single inputs and products in two colours, the interval as a line."""
    rows = _of(found, output)[:SHOWN][::-1]
    figure = Figure(figsize=(8.0, 1.0 + 0.24 * max(len(rows), 3)), layout="constrained")
    axes = figure.subplots()
    scale = [row["relevance"] / row["mean_abs"] if row["mean_abs"] else 1.0 for row in rows]
    ends = np.array([row["interval"] for row in rows]) * np.array(scale)[:, None]
    axes.barh(range(len(rows)), [row["relevance"] for row in rows], color=[SERIES[row["order"] - 1] for row in rows])
    axes.hlines(range(len(rows)), ends[:, 0], ends[:, 1], color=COLOURS["text"], linewidth=1.2)
    axes.set_yticks(range(len(rows)), [_label(row) for row in rows], fontsize=8)
    axes.set_xlabel(f"mean size of the {XLABEL[found.by]}")
    return finished(figure)


def _pairs(found: Explained, output: str) -> Figure:
    """A heat map of the coefficients of second order."""
    number = {name: k for k, name in enumerate(found.inputs)}
    table = np.zeros((len(number), len(number)))
    for row in _of(found, output):
        if row["order"] == 2:
            i, j = number[row["input"]], number[row["second_input"]]
            table[i, j] = table[j, i] = row["relevance"]
    figure = Figure(figsize=(1.8 + 0.3 * len(number), 1.4 + 0.3 * len(number)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(table, cmap="Blues")
    axes.set_xticks(range(len(number)), list(number), rotation=90, fontsize=7)
    axes.set_yticks(range(len(number)), list(number), fontsize=7)
    return finished(figure)
