"""The report of a measurement: one HTML file with factors, sources, and the fitted templates of every bin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lynkeus import commission
from lynkeus.commission.figures import inline_svg
from lynkeus.core import SettingsError
from lynkeus.files.whole import write_whole
from lynkeus.scale_factors.correction import RULES
from lynkeus.scale_factors.figures import draw_cell, draw_factors
from lynkeus.scale_factors.measurement import Cell, Measurement

TEMPLATE = "report.html"
STYLES = Path(commission.__file__ or "").parent  # the style of all reports
HELD = 0.7  # of the prior's width: a factor known no better than this is the prior's


@dataclass(frozen=True)
class Line:
    """A row of the table of factors, in words."""

    bin: str
    jets: str
    in_simulation: str
    in_data: str
    factor: str
    sources: tuple[str, ...]
    fit: str
    problem: str


def write_report(found: Measurement, path: Path, variable: str, samples: Mapping[str, str]) -> None:
    """Write the report; complete, or as it was before. `samples`: what was read, by role."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise SettingsError(f"{path}: the report is HTML: choose a name that ends in .html")
    write_whole(path, report_html(found, variable, samples).encode())


def report_html(found: Measurement, variable: str, samples: Mapping[str, str]) -> str:
    """Return the page."""
    environment = Environment(
        loader=FileSystemLoader([Path(__file__).parent, STYLES]), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    question = found.question
    figures = [
        (found.words(cell), _fit_words(cell), Markup(inline_svg(draw_cell(found, cell, variable))))
        for cell in found.distinct()
        if np.isfinite(cell.fit.factor).all()
    ]
    return environment.get_template(TEMPLATE).render(
        question=question,
        variable=variable,
        samples=samples,
        rules=RULES,
        notes=found.notes,
        problems=found.problems(),
        sources=found.sources,
        tables={name: [_line(found, cell) for cell in _distinct(cells)] for name, cells in found.cells.items()},
        others=_others(found),
        factors=Markup(inline_svg(draw_factors(found))),
        figures=figures,
    )


def _distinct(cells: Sequence[Cell]) -> list[Cell]:
    return [cell for number, cell in enumerate(cells) if number == 0 or cell is not cells[number - 1]]


def _line(found: Measurement, cell: Cell) -> Line:
    k = found.question.number
    passing, failing = cell.templates.passing()
    words = found.question.bins.joined(cell.members)
    simulated = "-" if np.isnan(cell.efficiency[k]) else f"{cell.efficiency[k]:.3f}"
    jets = f"{passing:.0f} / {passing + failing:.0f}"
    if not cell.shifts:
        return Line(words, jets, simulated, "-", "-", ("-",) * len(found.sources), _fit_words(cell), cell.fit.problem)
    factor = cell.fit.factor[k]
    data = np.abs(cell.shifts["statistics"][k]).max() * cell.efficiency[k]
    return Line(
        words, jets, simulated, f"{factor * cell.efficiency[k]:.3f} ± {data:.3f}",
        f"{factor:.3f} {_error(cell.total(True)[k], cell.total(False)[k])}",
        tuple(_error(*cell.shifts[name][k][::-1]) if name in cell.shifts else "-" for name in found.sources),
        _fit_words(cell), cell.fit.problem,
    )  # fmt: skip


def _error(up: float, down: float) -> str:
    if abs(abs(up) - abs(down)) < 0.0015:
        return f"{'±' if up >= 0 else '∓'} {abs(up):.3f}"
    return f"{up:+.3f} {down:+.3f}"


def _fit_words(cell: Cell) -> str:
    fit = cell.fit
    return "-" if np.isnan(fit.chi2) else f"chi2 {fit.chi2:.1f} / {fit.ndf}, p {fit.p_value:.2g}"


def _others(found: Measurement) -> list[tuple[str, str, str, str]]:
    """Factors of the other classes: (cell, class, factor, who says so)."""
    rows = []
    for cell in found.distinct():
        for k, name in enumerate(found.question.classes):
            if k != found.question.number and cell.shifts:
                error = cell.fit.error[k]
                by = "held by the assumption" if not error < HELD * found.question.prior else "the data"
                rows.append((found.words(cell), name, f"{cell.fit.factor[k]:.2f} ± {error:.2f}", by))
    return rows
