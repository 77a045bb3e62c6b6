"""The page that answers whether the surface says something of the cavity; its tables as Parquet beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from lynkeus import commission
from lynkeus.commission.figures import COLOURS, SERIES, finished, inline_svg
from lynkeus.core import CalibrationError, Floats, SettingsError
from lynkeus.files.whole import write_parquet, write_whole
from lynkeus.scans.aggregate import AGGREGATIONS, LEVELS, GroupScore, aggregate
from lynkeus.scans.cavity_properties import CavityProperties, read_properties
from lynkeus.scans.correlation import Correlations, correlate
from lynkeus.scans.image_scores import ALL, LAST, ImageScores, read_image_scores
from lynkeus.scans.quench import OF_IMAGE, WITHIN_DEG, QuenchRank, quench_ranks, ranked_spots

ALIKE = ("vendor", "treatment")  # whose good images score alike
STYLES = Path(commission.__file__ or "").parent  # the style of all reports
TEMPLATE = "correlation_report.html"
SHOWN_CAVITIES, SHOWN_SPOTS, SHOWN_PAIRS, NAMED = 30, 3, 4, 5
WHICH = {LAST: "the last scan of each cavity", ALL: "all scans of each cavity together"}


def write_correlation(scores_path: Path, properties_path: Path, output: Path, scan: str = LAST) -> Correlations:
    """Correlate the scores of images with a table of cavities; writes REPORT.html, and beside it correlations.parquet,
    groups.parquet (cavities, scans, cells), ranked_spots.parquet and, where quenches are located, quench_ranks.parquet.

    `scan`: what stands for a cavity, its "last" scan, "all" or one by name. Raises SourceError for tables that cannot
    be read, SettingsError where fewer than five cavities have both scores and properties, CalibrationError where
    nothing is there to compare a cavity with.
    """
    if output.suffix.lower() == ".parquet":
        raise SettingsError(f"{output}: the report is HTML, tables go beside it: choose a name that ends in .html")
    every, properties = read_image_scores(scores_path), read_properties(properties_path)
    chosen = every.scan(scan)
    cavities, compared = _compared(chosen)
    found, unmatched = correlate_cavities(cavities, properties)
    groups, left_out = _levels(every, cavities)
    quenches = quench_ranks(chosen, properties.quenches) if {"cell", "angle_deg"} <= set(chosen.columns) else ()
    spots = ranked_spots(chosen)
    write_parquet(
        pa.Table.from_pylist([asdict(pair) for pair in found.pairs]), output.with_name("correlations.parquet")
    )
    write_parquet(pa.Table.from_pylist(groups), output.with_name("groups.parquet"))
    write_parquet(spots, output.with_name("ranked_spots.parquet"))
    if quenches:
        write_parquet(pa.Table.from_pylist([asdict(one) for one in quenches]), output.with_name("quench_ranks.parquet"))
    environment = Environment(
        loader=FileSystemLoader([Path(__file__).parent, STYLES]), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["chance"] = _chance
    rarest = _rarest(cavities)
    page = environment.get_template(TEMPLATE).render(
        found=found,
        unmatched=unmatched,
        left_out=(*found.left_out, *left_out),
        aggregations=AGGREGATIONS,
        which=WHICH.get(scan, f"the scan {scan}"),
        scatter=Markup(inline_svg(draw_pairs(found, cavities, properties))) if found.pairs else "",
        cavities=rarest,
        groups_asked=len({one.group for one in cavities}),
        compared=compared,
        spots=_first_spots(spots, [name for name, _ in rarest]),
        quenches=quenches,
        quench_words=quench_words(quenches),
    )
    write_whole(output, page.encode())
    return found


def correlate_cavities(
    cavities: Sequence[GroupScore], properties: CavityProperties
) -> tuple[Correlations, tuple[str, ...]]:
    """Correlate what `aggregate` made of cavities with their properties; also who is missing on either side."""
    excess = excesses(cavities)
    scored = set().union(*excess.values())
    both = tuple(name for name in properties.cavities if name in scored)
    unmatched = _missing("scores, but no properties", sorted(scored - set(both)))
    unmatched += _missing("properties, but no scores", [name for name in properties.cavities if name not in scored])
    if not both:
        raise SettingsError(
            f"no cavity has both scores ({', '.join(sorted(scored)[:3])} ...) and properties "
            f"({', '.join(properties.cavities[:3])} ...): use the same names in both tables"
        )
    scores = {name: np.array([own[cavity] for cavity in both]) for name, own in excess.items()}
    measured = {name: properties.column(name, both) for name in properties.measured}
    return correlate(scores, measured), unmatched


def excesses(groups: Iterable[GroupScore]) -> dict[str, dict[str, float]]:
    """Aggregation -> name of the group -> value above that of as many good images."""
    found: dict[str, dict[str, float]] = {}
    for one in groups:
        found.setdefault(one.aggregation, {})[" ".join(one.group)] = one.excess
    return found


def quench_words(quenches: Sequence[QuenchRank]) -> str:
    """Return how many quenches are in the list, and how many would be among the first three by chance."""
    first = sum(one.rank <= SHOWN_SPOTS for one in quenches)
    listed = sum(one.at_place > 0 for one in quenches)
    images = sum(one.images_at_place > 0 for one in quenches)
    chance = sum(one.by_chance(SHOWN_SPOTS) for one in quenches)
    return (
        f"{len(quenches)} quenches were located; of {images} there are images within {WITHIN_DEG:g} degrees of the "
        f"place. {listed} have a spot there, {first} one among the {SHOWN_SPOTS} worst of their "
        f"cavity; {chance:.1f} would by chance. p is the chance of a rank as low in a list without order."
    )


def draw_pairs(found: Correlations, cavities: Sequence[GroupScore], properties: CavityProperties) -> Figure:
    """The strongest pairs, a point per cavity, with rho and its interval."""
    excess, pairs = excesses(cavities), found.pairs[:SHOWN_PAIRS]
    figure = Figure(figsize=(2.9 * max(len(pairs), 2), 3.1), layout="constrained")
    for number, (axes, pair) in enumerate(zip(np.ravel(figure.subplots(1, len(pairs))), pairs, strict=True)):
        names = tuple(name for name in properties.cavities if name in excess[pair.score])
        x: Floats = properties.column(pair.property, names)
        axes.plot(x, [excess[pair.score][name] for name in names], "o", color=SERIES[number], markersize=4)
        axes.set_title(f"rho = {pair.rho:.2f} ({pair.low:.2f} to {pair.high:.2f})")
        axes.set_xlabel(pair.property)
        axes.set_ylabel(f"{pair.score}, above good")
        axes.axhline(0, color=COLOURS["line"], linewidth=1)
    return finished(figure)


def _levels(scores: ImageScores, cavities: Sequence[GroupScore]) -> tuple[list[dict[str, Any]], list[str]]:
    """All groups of all levels as rows of one table; levels that cannot be compared are named."""
    rows, left_out = _rows("cavity", cavities), []
    for level, names in LEVELS.items():
        if level != "cavity" and set(names) <= set(scores.columns):
            try:
                alike = tuple(name for name in ALIKE if name in scores.columns)
                rows += _rows(level, aggregate(scores, names, alike))
            except CalibrationError as error:
                left_out.append(f"{level}s, {error}")
    return rows, left_out


def _rows(level: str, groups: Sequence[GroupScore]) -> list[dict[str, Any]]:
    rows = []
    for one in groups:
        place = dict.fromkeys(LEVELS["cell"]) | dict(zip(LEVELS[level], one.group, strict=True))
        rest = {name: value for name, value in asdict(one).items() if name != "group"}
        rows.append({"level": level, **place, **rest, "excess": one.excess})
    return rows


def _rarest(cavities: Sequence[GroupScore]) -> list[tuple[str, list[GroupScore]]]:
    by_cavity: dict[str, list[GroupScore]] = {}
    for one in cavities:
        by_cavity.setdefault(one.group[0], []).append(one)
    ranked = sorted(by_cavity.items(), key=lambda item: (min(one.p_value for one in item[1]), -item[1][0].value))
    return ranked[:SHOWN_CAVITIES]


def _first_spots(spots: pa.Table, cavities: Sequence[str]) -> list[Mapping[str, Any]]:
    blank = dict.fromkeys(OF_IMAGE, "")
    rows = [blank | row for row in spots.to_pylist() if row["rank"] <= SHOWN_SPOTS]
    return [row for cavity in cavities for row in rows if row["cavity"] == cavity]


def _compared(scores: ImageScores) -> tuple[tuple[GroupScore, ...], str]:
    """Cavities against good images of the same vendor and treatment if there are enough, and what was done in words."""
    good = int(scores.good().sum())
    which = f"{good} images labelled good" if good < len(scores) else f"all {good} images, as none is labelled as bad"
    alike = tuple(name for name in ALIKE if name in scores.columns)
    if alike:
        with suppress(CalibrationError):
            return aggregate(scores, ("cavity",), alike), f"Compared with {which}, of the same {' and '.join(alike)}."
    return aggregate(scores, ("cavity",)), f"Compared with {which}."


def _missing(what: str, names: Sequence[str]) -> tuple[str, ...]:
    more = ", ..." if len(names) > NAMED else ""
    return (f"Cavities with {what} ({len(names)}): {', '.join(names[:NAMED])}{more}.",) if names else ()


def _chance(p_value: float) -> str:
    return "–" if np.isnan(p_value) else f"{p_value:.2g}"
