"""The page of a study of taggers: Markdown, written by the run and never by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lynkeus.core import Against, Findings, Tagging
from lynkeus.evaluate.results_page import table


def tagging_page(
    study: Tagging, metrics: Mapping[str, float], seen: Findings, record: Mapping[str, Any], checks: Sequence[str]
) -> str:
    """Return the page of results in Markdown."""
    seeds = len(study.seeds)
    parts = [
        f"# Results: {study.name}",
        study.question,
        f"Written by `lynkeus study run {study.name}` on {record['at']} (version {record['version']}, "
        f"run `{record['key'][:12]}`).",
        f"Data: {study.data}." if study.data else "",
        "## Checks",
        "\n".join(f"- {line}" for line in checks) or "None.",
        "## Size and speed",
        "Processor time of one training and of scoring, one thread; taggers take turns in the same process, median of "
        "five turns.",
        table(("scorer", "parameters", "fit s", "jets/s"), _costs(study, metrics)),
        "## Performance",
        f"{f'Means over {seeds} trainings' if seeds > 1 else 'One training'}; in brackets the 90 % interval: test jets "
        f"drawn again, {'and the spread of trainings (Student)' if seeds > 1 else 'nothing of other trainings'}. "
        "Rejection is 1/eB at a signal efficiency; eB is counted as (passed + 1) / (jets + 1). *Baselines* are what is "
        "so simple that a tagger must beat it.",
    ]
    for name, question in study.against.items():
        parts += [f"### {name}", _asked(question), _question(study, name, question, metrics)]
        if study.pairs:
            parts.append(_pairs(study, name, question, metrics))
    parts.append(f"![Rejection against signal efficiency]({study.name}/curves.svg)")
    for title, (head, *rows) in seen.tables.items():
        parts += [f"### {title}", table(head, rows)]
    parts += [f"![{caption}]({study.name}/{file})\n\n*{caption}*" for file, caption in seen.figures.items()]
    return "\n\n".join(part for part in parts if part) + "\n"


def _costs(study: Tagging, metrics: Mapping[str, float]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name in study.scorers:
        size = metrics.get(f"{name}.parameters")
        said = "-" if size is None else f"{size:,.0f}"
        rows.append((name, said, f"{metrics[f'{name}.fit_s']:.1f}", f"{metrics[f'{name}.jets_per_s']:,.0f}"))
    return rows


def _asked(question: Against) -> str:
    return f"{question.signal} against {', '.join(question.background)}."


def _question(study: Tagging, name: str, question: Against, metrics: Mapping[str, float]) -> str:
    shares = [f"{share * 100:g}" for share in question.efficiencies]
    rows = []
    for tagger in (*study.scorers, *study.baselines):
        start = f"{name}.{tagger}"
        shown = tagger if tagger in study.scorers else f"*{tagger}*"
        cells = [_with_interval(metrics, f"{start}.auc", 4)]
        cells += [_with_interval(metrics, f"{start}.rejection{share}", 1) for share in shares]
        cells += [_with_interval(metrics, f"{start}.efficiency{point}", 3) for point in _points(question)]
        rows.append((shown, *cells))
    passing = [f"efficiency where {point} % of the background pass" for point in _points(question)]
    return table(("scorer", "AUC", *(f"1/eB at {share} %" for share in shares), *passing), rows)


def _pairs(study: Tagging, name: str, question: Against, metrics: Mapping[str, float]) -> str:
    shares = [f"{share * 100:g}" for share in question.efficiencies]
    rows = []
    for one, other in study.pairs:
        start = f"{name}.{one} over {other}"
        cells = [_with_interval(metrics, f"{start}.auc_difference", 4)]
        cells += [_with_interval(metrics, f"{start}.ratio{share}", 2) for share in shares]
        cells += [_with_interval(metrics, f"{start}.efficiency{point}_difference", 3) for point in _points(question)]
        rows.append((f"{one} over {other}", *cells))
    ratios = [f"ratio of 1/eB at {share} %" for share in shares]
    passing = [f"efficiency difference at {point} %" for point in _points(question)]
    return table(("on the same jets", "AUC difference", *ratios, *passing), rows)


def _points(question: Against) -> list[str]:
    return [f"{point * 100:g}" for point in question.passing]


def _with_interval(metrics: Mapping[str, float], name: str, digits: int) -> str:
    value, low, high = (metrics[f"{name}{end}"] for end in ("", "_low", "_high"))
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
