"""The commissioning report: one HTML file that explains itself and needs no network; beside it its table as Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lynkeus.commission.commission import Commissioning, FalseAlarms
from lynkeus.commission.figures import draw_turn_on, inline_svg
from lynkeus.commission.plant.rows import WITHOUT_SIZE
from lynkeus.commission.turn_on import CHANCE, TurnOn, write_table, write_whole
from lynkeus.core import SettingsError
from lynkeus.transforms.faults import FAULTS

TEMPLATE = "report.html"


@dataclass(frozen=True)
class Kind:
    """All points of one kind of fault on one output of one scorer, for one block of a table."""

    fault: str
    says: str
    output: str
    rows: tuple[TurnOn, ...]


def write_report(found: Commissioning, path: Path) -> None:
    """Write REPORT.html and REPORT.parquet; each is complete or as it was before."""
    if path.suffix.lower() == ".parquet":
        raise SettingsError(f"{path}: the report is HTML, the table goes beside it: choose a name that ends in .html")
    write_table(found.rows, path.with_suffix(".parquet"))
    write_whole(path, report_html(found, path.stem).encode())


def report_html(found: Commissioning, table: str) -> str:
    """The page; `table` is the name of the Parquet file beside it, without its ending."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"percent": _percent, "number": _number, "utc": _utc}
    scorers = list(found.lineages)
    return environment.get_template(TEMPLATE).render(
        found=found,
        table=table,
        scorers=scorers,
        tables={scorer: _kinds([r for r in found.rows if r.scorer == scorer and r.meant]) for scorer in scorers},
        cross_talk=_cross_talk(found.rows, scorers[0]),
        chance=next((row for row in found.rows if row.scorer == CHANCE), None),
        verdicts=[(counted, *_verdict(counted, found.settings.budget_per_hour)) for counted in found.false_alarms],
        extrapolated=any(counted.extrapolated for counted in found.false_alarms),
        lineages={scorer: _lineage(lineage) for scorer, lineage in found.lineages.items()},
        curves=Markup(inline_svg(draw_turn_on(found.rows))),
        without_size=WITHOUT_SIZE,
    )


def _kinds(rows: Sequence[TurnOn]) -> list[Kind]:
    kinds = dict.fromkeys((row.fault, row.output) for row in rows)
    return [
        Kind(fault, FAULTS[fault].says, output, tuple(r for r in rows if (r.fault, r.output) == (fault, output)))
        for fault, output in kinds
    ]


def _cross_talk(rows: Sequence[TurnOn], scorer: str) -> list[TurnOn]:
    """The largest size of each fault on the outputs that are not meant for it."""
    largest: dict[tuple[str, str], TurnOn] = {}
    for row in rows:
        if row.scorer == scorer and not row.meant:
            key = row.fault, row.output
            if key not in largest or row.size > largest[key].size:
                largest[key] = row
    return list(largest.values())


def _verdict(counted: FalseAlarms, budget_per_hour: float) -> tuple[str, str]:
    """(class of the style sheet, words)."""
    _, low, high = counted.per_hour
    if low > budget_per_hour:
        return "bad", "more than the budget: real events, or a reference that does not fit"
    if high < budget_per_hour:
        return "good", "less than the budget"
    return "good", "compatible with the budget"


def _lineage(lineage: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a model was made of, in words."""
    lines = []
    for name, value in lineage.items():
        if name == "data" and not isinstance(value, str):
            value = "; ".join(f"{item['path']} (sha256 {str(item['sha256'])[:12]})" for item in value)
        elif name == "excluded":
            value = "; ".join(
                f"{output}: {e['incidents']} incidents, {e['seconds']:g} s" for output, e in value.items()
            )
        elif name == "incidents":
            value = str(len(value))
        elif name == "reference_hours" and value is not None:
            value = f"{value:g} h"
        elif isinstance(value, Mapping):
            value = "; ".join(f"{key}: {item}" for key, item in value.items())
        if value not in ("", None):
            lines.append((name.replace("_", " "), str(value)))
    return lines


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.0f}"


def _number(value: float, digits: int = 2) -> str:
    return "–" if np.isnan(value) else f"{value:.{digits}f}"


def _utc(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")
