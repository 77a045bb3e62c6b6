"""The page of a search: one HTML file that needs no network, and everything beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from lynkeus import commission
from lynkeus.commission.figures import inline_svg, save
from lynkeus.files.whole import write_whole
from lynkeus.searches.estimate import sigma_of
from lynkeus.searches.report.figures import figures_of
from lynkeus.searches.report.histograms import write_histograms
from lynkeus.searches.report.tables import tables_of, write_tables
from lynkeus.searches.run import Search

TEMPLATE, PAGE, WORKSPACE = "report.html", "report.html", "workspace.json"
STYLES = Path(commission.__file__ or "").parent  # the style of all reports
AGREE = 0.02  # of its error: how much pyhf's factor may differ
COVERED = (0.6, 0.75)
WIDTH = 0.15
DEPENDS = 3.0  # sigmas between the factors of two points


def write_search(found: Search, folder: Path) -> list[str]:
    """Write page, tables, figures and workspaces into a folder, and return what was written in a line each."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tables(tables_of(found), folder / "tables")
    figures = figures_of(found)
    (folder / "figures").mkdir(exist_ok=True)
    for name, figure in figures.items():
        save(figure, folder / "figures" / f"{name}.svg")
    (folder / "workspaces").mkdir(exist_ok=True)
    for point, workspace in found.workspaces.items():
        write_whole(folder / "workspaces" / f"{point}.json", json.dumps(workspace, indent=1).encode())
    write_whole(folder / WORKSPACE, json.dumps(found.workspaces[found.points[0]], indent=1).encode())
    blind = [region.name for region in found.plan.signal_regions] if found.blind else []
    histograms = write_histograms(found.workspaces, blind, folder)
    write_whole(folder / PAGE, page_html(found, figures).encode())
    written = [
        f"{folder / PAGE}: the search",
        f"{folder / WORKSPACE}: of {found.points[0]}, for pyhf; all: workspaces/",
    ]
    return [*written, *histograms]


def page_html(found: Search, figures: Mapping[str, Figure]) -> str:
    """Return the page."""
    environment = Environment(
        loader=FileSystemLoader([Path(__file__).parent, STYLES]), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    first = found.points[0]
    return environment.get_template(TEMPLATE).render(
        found=found, plan=found.plan, first=first, one=found.estimates[first], figure=_drawn(figures),
        likelihood=found.likelihoods[first], factors=_factors(found), limits=_limits(found),
        prediction=[{**row, "error": sigma_of(row)} for row in found.estimates[first]["prediction"]],
        systematics=_systematics(found.estimates[first]), checks=checks_of(found), number=_number,
    )  # fmt: skip


def _drawn(figures: Mapping[str, Figure]) -> dict[str, Markup]:
    return {name: Markup(inline_svg(figure)) for name, figure in figures.items()}


def _number(value: Any, digits: int = 3) -> str:
    """Return a number for a table; a dash where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return "∞" if math.isinf(value) else f"{value:.{digits}g}"


def _factors(found: Search) -> list[tuple[str, list[str]]]:
    """Return for each point the factors with their errors: of data and simulation, then of systematics."""
    rows = []
    for point, one in found.estimates.items():
        values = zip(one["factors"], one["errors"], one["errors_systematic"], strict=True)
        rows.append((point, [f"{value:.3f} ± {error:.3f} ± {systematic:.3f}" for value, error, systematic in values]))
    return rows


def _limits(found: Search) -> list[dict[str, str]]:
    rows = []
    for point, one in found.likelihoods.items():
        low2, low, middle, high, high2 = (_number(x) for x in one["limit_expected"])
        rows.append({
            "point": point, "signal": _number(one["signal"]), "background": _number(one["background"]),
            "z": f"{one['z_expected']:.2f}", "formula": f"{one['z_with']:.2f}", "certain": f"{one['z_without']:.2f}",
            "seen": "–" if one["z_observed"] is None else f"{one['z_observed']:.2f}", "middle": middle,
            "one": f"{low} – {high}", "two": f"{low2} – {high2}", "observed": _number(one["limit_observed"]),
            "how": f"{one['toys']} toys" if one["toys"] else "asymptotic" + (", few events!" if one["few"] else ""),
        })  # fmt: skip
    return rows


def _systematics(one: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    return [(name, [f"{value:+.4f}" for value in shift]) for name, shift in one["systematics"].items()]


def checks_of(found: Search) -> list[tuple[str, bool, str]]:
    """Return what was checked: a name, whether it is fine, and the numbers."""
    boots = [one["bootstrap"] for one in found.estimates.values() if one["bootstrap"]["experiments"]]
    away = max(abs(x) for one in found.estimates.values() for x in one["pyhf_difference"])
    closing = [(f - 1) / max(e, 1e-12) for one in found.estimates.values() for f, e in
               zip(one["closure"]["factors"], one["closure"]["errors"], strict=True)]  # fmt: skip
    moved = max(abs(x) for one in found.estimates.values() for x in one["contamination"]["moved"])
    condition = max(one["condition"] for one in found.estimates.values())
    checks = [
        ("pyhf's fit of the control regions gives the same factors", away <= AGREE,
         f"largest difference {away:.2g} of an error"),
        ("the matrix is far from singular", condition < 100, f"largest condition {condition:.2f}"),
        ("one half of the simulation normalises to the other", max(map(abs, closing)) < 4,
         f"largest deviation from 1 {max(map(abs, closing)):.1f} sigma"),
        ("a signal of strength 1 does not move the factors", moved < 1, f"by at most {moved:.2f} of an error"),
    ]  # fmt: skip
    if boots:
        inside = [x for boot in boots for x in boot["inside"]]
        width = [x for boot in boots for x in boot["width"]]
        good = COVERED[0] <= min(inside) and max(inside) <= COVERED[1]
        checks.insert(1, (
            f"errors hold what they promise in {boots[0]['experiments']} pseudo-experiments",
            good and max(abs(x - 1) for x in width) < WIDTH,
            f"{min(inside):.0%} to {max(inside):.0%} within one sigma, pulls {min(width):.2f} to {max(width):.2f} wide",
        ))  # fmt: skip
    if len(found.points) > 1:
        spread = _spread(found)
        checks.append(
            ("factors do not hang on the mass point", spread < DEPENDS, f"largest difference {spread:.1f} of an error")
        )
    chi2 = [(one["chi2"], one["freedom"]) for one in found.estimates.values() if one["freedom"]]
    if chi2:
        from scipy.stats import chi2 as distribution

        p = min(float(distribution.sf(value, freedom)) for value, freedom in chi2)
        checks.append(("more regions than backgrounds agree with each other", p > 1e-3, f"smallest p-value {p:.2g}"))
    return checks


def _spread(found: Search) -> float:
    """Return by how many errors the factors of two points differ at most; they share data, so that less is expected."""
    worst = 0.0
    for j in range(len(found.plan.normalised)):
        values = [(one["factors"][j], one["errors"][j]) for one in found.estimates.values()]
        low, high = min(values), max(values)
        worst = max(worst, (high[0] - low[0]) / max(low[1], high[1], 1e-12))
    return worst
