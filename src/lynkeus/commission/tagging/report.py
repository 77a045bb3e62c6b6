"""The report of taggers: one HTML file that explains itself and needs no network; beside it its numbers as Parquet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lynkeus.commission.figures import inline_svg
from lynkeus.commission.report import check_path, lineage_lines
from lynkeus.commission.tagging.commission import Tagging
from lynkeus.commission.tagging.figures import draw_masses, draw_reliability, draw_roc
from lynkeus.commission.tagging.jets import AS_MEASURED
from lynkeus.commission.tagging.mass import EFFICIENCY
from lynkeus.commission.tagging.measure import EVERYWHERE, UNITS, WORKING_POINTS, Row, write_rows
from lynkeus.files.whole import write_whole
from lynkeus.metrics.tagging import EFFICIENCIES

DRAWN = 4  # pairs of classes that are drawn, and whose masses are


def write_tagging(found: Tagging, path: Path) -> None:
    """Write REPORT.html and REPORT.parquet; each is complete or as it was before."""
    check_path(path)
    write_rows(found.rows, path.with_suffix(".parquet"))
    write_whole(path, tagging_html(found, path.stem).encode())


def tagging_html(found: Tagging, table: str) -> str:
    """Return the page; `table` is the name of the Parquet file beside it, without its ending."""
    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader([here, here.parent]), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"rejection": rejection, "percent": _percent}
    figures = {pair: Markup(inline_svg(draw_masses(one, pair[0]))) for pair, one in list(found.masses.items())[:DRAWN]}
    return environment.get_template("tagging.html").render(
        found=found,
        table=table,
        models=list(found.jets),
        efficiencies=EFFICIENCIES,
        everywhere=_table([row for row in found.rows if row.variable == EVERYWHERE and row.detector == AS_MEASURED]),
        bins=_table([row for row in found.rows if row.variable != EVERYWHERE and row.model == next(iter(found.jets))]),
        worse=_table([row for row in found.rows if row.variable == EVERYWHERE and row.model == next(iter(found.jets))]),
        units=UNITS,
        asked=WORKING_POINTS,
        stated=sorted({point.stated for point in found.points}, reverse=True),
        efficiency=EFFICIENCY,
        roc=Markup(inline_svg(draw_roc(found.jets, found.pairs[:DRAWN]))),
        masses=figures,
        reliability=Markup(inline_svg(draw_reliability(found.jets))),
        lineages={name: lineage_lines(lineage) for name, lineage in found.lineages.items()},
    )


def _table(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the rows of one place (model, detector, classes, bin) together: its auc, and the rejections in order."""
    places: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = row.model, row.detector, row.signal, row.background, row.variable, row.ends
        place = places.setdefault(key, {"row": row, "rejections": []})
        if row.quantity == "auc":
            place["auc"] = row
        else:
            place["rejections"].append(row)
    return list(places.values())


def rejection(value: float) -> str:
    """Return 1/eB in three figures, a dash where no background passes at all and there is no end."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _percent(share: float, digits: int = 1) -> str:
    return "–" if math.isnan(share) else f"{100 * share:.{digits}f}"
