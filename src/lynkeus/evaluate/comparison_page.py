"""The page of a comparison: Markdown, written by the run and never by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lynkeus.core import Array, Comparison, Part
from lynkeus.evaluate.results_page import table

if TYPE_CHECKING:
    from lynkeus.evaluate.run_comparison import PartResults

MOST_CASES = 12  # that have a column of their own


def comparison_page(
    study: Comparison, found: Mapping[str, PartResults], record: Mapping[str, Any], checks: Sequence[str]
) -> str:
    """Return the page of results of a comparison in Markdown."""
    parts = [
        f"# Results: {study.name}",
        study.question,
        f"Written by `lynkeus study run {study.name}` on {record['at']} (version {record['version']}, "
        f"run `{record['key'][:12]}`).",
        "## Checks",
        "\n".join(f"- {line}" for line in checks) or "None.",
    ]
    for name, part in study.parts.items():
        parts += [f"## {name}", *_part(study.name, part, found[name])]
    return "\n\n".join(parts) + "\n"


def _part(study: str, part: Part, found: PartResults) -> list[str]:
    several = len(part.cases) > 1
    over = f"Mean over {len(part.cases)} cases ({', '.join(part.cases)}). " if several else ""
    lines = [
        f"Data: {part.data}." if part.data else "",
        f"{over}Intervals: 90 %, of test samples drawn again (not of another training). Seconds of processor time, of "
        "a fit and of scoring all test samples. *Baselines* are what is so simple that a scorer must beat it.",
        table(("scorer", "AUROC", "90 % interval", "average precision", "fit s", "score s"), _overall(part, found)),
    ]
    if several:
        lines += ["### AUROC of each case", _grid(part, found, list(part.cases), "{column}.{name}.auroc")]
    if len(part.classes) > 2:
        kinds = [kind for kind in part.classes[1:] if any(f".{kind}.auroc" in key for key in found.metrics)]
        lines += ["### AUROC of each class against normal", _grid(part, found, kinds, "mean.{name}.{column}.auroc")]
    for name, counts in found.confusion.items():
        right = found.metrics[f"mean.{name}.right_kind"]
        lines += [
            f"### Kinds named by {name}",
            f"True class by row, named class by column; {right:.1%} of the faulty samples are given their own kind.",
            _confusion(part, counts),
        ]
    for title, (head, *rows) in found.tables.items():
        lines += [f"### {title}", table(head, rows)]
    lines += [f"![{caption}]({study}/{file})\n\n*{caption}*" for file, caption in found.figures.items()]
    return [line for line in lines if line] + _more(part, found)


def _names(part: Part) -> list[tuple[str, str]]:
    """Each scorer and baseline, and how it is shown."""
    return [(name, name) for name in part.scorers] + [(name, f"*{name}*") for name in part.baselines]


def _overall(part: Part, found: PartResults) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, shown in _names(part):
        value = {key: found.metrics[f"mean.{name}.{key}"] for key in ("auroc", "low", "high", "average_precision")}
        fit_s, score_s = (found.metrics[f"mean.{name}.{key}"] for key in ("fit_s", "score_s"))
        interval = f"{value['low']:.4f} to {value['high']:.4f}"
        seconds = (f"{fit_s:.2f}", f"{score_s:.2f}")
        rows.append((shown, f"{value['auroc']:.4f}", interval, f"{value['average_precision']:.4f}", *seconds))
    return rows


def _grid(part: Part, found: PartResults, columns: Sequence[str], key: str) -> str:
    """Scorers by row; `columns` across, or down where they are many."""
    cell = {
        (name, column): found.metrics.get(key.format(name=name, column=column), float("nan"))
        for name, _ in _names(part)
        for column in columns
    }
    if len(columns) > MOST_CASES:
        head = ("", *(shown for _, shown in _names(part)))
        rows = [[column, *(f"{cell[name, column]:.3f}" for name, _ in _names(part))] for column in columns]
    else:
        head = ("scorer", *columns)
        rows = [[shown, *(f"{cell[name, column]:.3f}" for column in columns)] for name, shown in _names(part)]
    return table(head, rows)


def _confusion(part: Part, counts: Array) -> str:
    seen = counts[:, -1].any()
    head = ("true", *part.classes, *(["another name"] if seen else []))
    rows = [
        [name, *(str(count) for count in (row if seen else row[:-1]))]
        for name, row in zip(part.classes, counts, strict=True)
        if row.any()
    ]
    return table(head, rows)


def _more(part: Part, found: PartResults) -> list[str]:
    """Return what the study itself has measured, where it has no tables of its own."""
    known = {name for name, _ in _names(part)}
    own = [
        (key, f"{value:.4g}")
        for key, value in found.metrics.items()
        if not any(key.startswith(f"{case}.{name}.") for case in (*part.cases, "mean") for name in known)
    ]
    return ["### Further numbers", table(("what", "value"), own)] if own and not found.tables else []
