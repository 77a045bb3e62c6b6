"""write_explained: an explanation as a page that needs no network, and a table beside it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lynkeus.commission.explained.explain import CHANGES, Explained, Row
from lynkeus.commission.explained.figures import SHOWN, course, label, largest, overview, pairs, ranking
from lynkeus.commission.figures import inline_svg
from lynkeus.commission.places import map_figure
from lynkeus.core import SettingsError
from lynkeus.explain.taylor.relevance import ALL
from lynkeus.files.whole import write_parquet, write_whole

TEMPLATE = "explained.html"
LEARNED = 0.5  # of the relevance at the end, from which an input counts as learned


def write_explained(found: Explained, path: Path) -> None:
    """Write REPORT.html and REPORT.parquet; each is complete or as it was before."""
    if path.suffix.lower() == ".parquet":
        raise SettingsError(f"{path}: the report is HTML, the table goes beside it: choose a name that ends in .html")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_parquet(pa.Table.from_pylist(found.rows), path.with_suffix(".parquet"))
    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader([here, here.parent]), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    shown = {output: Markup(inline_svg(ranking(found, output))) for output in found.outputs}
    maps = {output: Markup(inline_svg(map_figure(places))) for output, places in found.places.items()}
    if found.order > 1 and len(found.inputs) > 1:
        maps = {output: Markup(inline_svg(pairs(found, output))) for output in found.outputs}
    courses = {output: Markup(inline_svg(course(found, output))) for output in found.courses}
    each = [row for row in found.rows if row["process"] != ALL] if found.by == CHANGES else []
    page = environment.get_template(TEMPLATE).render(
        found=found, figures=shown, maps=maps, courses=courses, label=label,
        top={output: largest(found, output)[:SHOWN] for output in found.outputs},
        single={output: _single(found, output) for output in found.outputs},
        processes=list(dict.fromkeys(row["process"] for row in each)),
        means={(row["output"], row["input"], row["process"]): f"{row['mean']:.3g}" for row in each},
        overview=Markup(inline_svg(overview(found))) if len(found.outputs) > 1 else "",
    )  # fmt: skip
    write_whole(path, page.encode())


def _single(found: Explained, output: str) -> list[Row]:
    """Return the single inputs of an output, the most relevant first, with the epoch from which each was learned."""
    rows = [row for row in largest(found, output) if row["order"] == 1]
    table = found.courses.get(output)
    number = {name: k for k, name in enumerate(found.inputs)}
    learned = {}
    for row in rows:
        if table is not None and row["input"] in number:
            own = table[:, number[row["input"]]]
            learned[row["input"]] = str(int((own >= LEARNED * own[-1]).argmax()) + 1)
    return [{**row, "learned": learned.get(row["input"], "")} for row in rows]
