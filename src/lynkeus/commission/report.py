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

from lynkeus.commission.curves import draw_epochs, draw_turn_on
from lynkeus.commission.figures import inline_svg
from lynkeus.commission.found import Commissioning, FalseAlarms
from lynkeus.commission.settings import PER_HOUR
from lynkeus.commission.turn_on import CHANCE, TurnOn, write_table
from lynkeus.core import SettingsError
from lynkeus.files.whole import keep_what_is_read, write_whole
from lynkeus.metrics.rates import wilson_interval

TEMPLATE = "report.html"
SHOWN = 3  # files and runs of a lineage that are named


@dataclass(frozen=True)
class Block:
    """All points of one kind of fault on one output of one scorer, for one block of a table."""

    fault: str
    says: str
    output: str
    rows: tuple[TurnOn, ...]


@dataclass(frozen=True)
class Overall:
    """One scorer in a line: efficiency over all faults with its interval, names, what harmless changes do, and time."""

    scorer: str
    efficiency: float
    low: float
    high: float
    right_kind: float
    right_place: float
    harmless: float
    ms: float


def check_path(path: Path, read: Sequence[Path] = ()) -> None:
    """Raise SettingsError for a report that would lie where its table goes, or take the place of what is `read`; asked
    before anything is judged."""
    if path.suffix.lower() == ".parquet":
        raise SettingsError(f"{path}: the report is HTML, the table goes beside it: choose a name that ends in .html")
    keep_what_is_read(path, read)
    keep_what_is_read(path.with_suffix(".parquet"), read, "the table of the report would take its place")


def write_report(found: Commissioning, path: Path) -> None:
    """Write REPORT.html and REPORT.parquet; each is complete or as it was before."""
    check_path(path)
    write_table(found.rows, path.with_suffix(".parquet"))
    write_whole(path, report_html(found, path.stem).encode())


def report_html(found: Commissioning, table: str) -> str:
    """The page; `table` is the name of the Parquet file beside it, without its ending."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"percent": _percent, "number": _number, "utc": _utc}
    scorers, epochs = list(found.lineages), by_epoch(found)
    own = [row for row in found.rows if row.scorer != CHANCE]
    return environment.get_template(TEMPLATE).render(
        found=found,
        table=table,
        scorers=scorers,
        timed=found.budget.unit == PER_HOUR,
        shows={name: any(not np.isnan(getattr(row, name)) for row in own) for name in _MAY_LACK},
        harmless=any(row.harmless for row in own),
        overall=[overall(found, scorer) for scorer in scorers],
        tables={scorer: _blocks(found, [r for r in own if r.scorer == scorer and r.meant]) for scorer in scorers},
        cross_talk=_cross_talk(found.rows, scorers[0]),
        chance=next((row for row in found.rows if row.scorer == CHANCE), None),
        verdicts=[(counted, *_verdict(counted, found.budget.value)) for counted in found.false_alarms],
        too_many=[counted.says for counted in found.too_many],
        learned_from=found.learned_from,
        extrapolated=any(counted.extrapolated for counted in found.false_alarms),
        lineages={scorer: lineage_lines(lineage) for scorer, lineage in found.lineages.items()},
        curves=Markup(inline_svg(draw_turn_on(found.rows))),
        epochs=epochs,
        epochs_figure=Markup(inline_svg(draw_epochs(epochs))) if epochs else "",
    )


_MAY_LACK = ("events", "right_kind", "right_place", "right_window", "detect_median_s")


def overall(found: Commissioning, scorer: str) -> Overall:
    """Over all kinds, sizes and numbers of events, on the outputs that are meant for them."""
    own = [row for row in found.rows if row.scorer == scorer and row.meant]
    harmful, harmless = ([row for row in own if row.harmless is wanted] for wanted in (False, True))
    times = [counted.ms for counted in found.false_alarms if counted.scorer == scorer and not np.isnan(counted.ms)]
    return Overall(
        scorer, *_efficiency(harmful), _weighted(harmful, "right_kind"), _weighted(harmful, "right_place"),
        _efficiency(harmless)[0], float(np.mean(times)) if times else float("nan"),
    )  # fmt: skip


def by_epoch(found: Commissioning) -> dict[str, dict[int, tuple[float, float, float]]]:
    """Families of models that differ in the epochs of their training: epochs -> mean efficiency, low, high."""
    families: dict[str, dict[int, tuple[float, float, float]]] = {}
    for name, lineage in found.lineages.items():
        epochs = _epochs(lineage.get("options", {}))
        if epochs is not None:
            family = " ".join((str(lineage["scorer"]), str(lineage["options"].get("scorer", "")))).strip()
            own = [row for row in found.rows if row.scorer == name and row.meant and not row.harmless]
            families.setdefault(family, {})[epochs] = _efficiency(own)
    return {family: points for family, points in families.items() if len(points) > 1}


def _epochs(options: Mapping[str, Any]) -> int | None:
    """Of the options of a learned scorer, or of the one within."""
    training = options.get("training") or options.get("options", {}).get("training") or {}
    return int(training["epochs"]) if "epochs" in training else None


def _efficiency(rows: Sequence[TurnOn]) -> tuple[float, float, float]:
    faults = sum(row.faults for row in rows)
    hits = round(sum(row.efficiency * row.faults for row in rows))
    return (hits / faults, *wilson_interval(hits, faults)) if faults else (float("nan"),) * 3


def _weighted(rows: Sequence[TurnOn], name: str) -> float:
    """Mean over what was found, where there is anything to name."""
    found = [(row.efficiency * row.faults, getattr(row, name)) for row in rows if row.efficiency > 0]
    known = [(weight, value) for weight, value in found if not np.isnan(value)]
    total = sum(weight for weight, _ in known)
    return sum(weight * value for weight, value in known) / total if total else float("nan")


def _blocks(found: Commissioning, rows: Sequence[TurnOn]) -> list[Block]:
    kinds = dict.fromkeys((row.fault, row.output) for row in rows)
    return [
        Block(fault, found.kinds[fault], output, tuple(r for r in rows if (r.fault, r.output) == (fault, output)))
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


def _verdict(counted: FalseAlarms, budget: float) -> tuple[str, str]:
    """(class of the style sheet, words)."""
    _, low, high = counted.rate
    if low > budget:
        return "bad", "more than the budget: real events, or a reference that does not fit"
    return "good", "less than the budget" if high < budget else "compatible with the budget"


def lineage_lines(lineage: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a model was made of, in words."""
    lines = []
    for name, value in lineage.items():
        if name == "data" and isinstance(value, list):
            value = "; ".join(f"{item['path']} (sha256 {str(item['sha256'])[:12]})" for item in value)
        elif name == "excluded":
            value = "; ".join(
                f"{output}: {e['incidents']} incidents, {e['seconds']:g} s" for output, e in value.items()
            )
        elif name == "incidents":
            value = str(len(value))
        elif name == "reference_hours" and value is not None:
            value = f"{value:g} h"
        elif name in ("files", "runs"):
            value = f"{len(value)}: {', '.join(map(str, value[:SHOWN]))}{' ...' if len(value) > SHOWN else ''}"
        elif isinstance(value, Mapping):
            value = "; ".join(f"{key}: {item}" for key, item in value.items())
        elif isinstance(value, list):
            value = ", ".join(map(str, value))
        if value not in ("", None):
            lines.append((name.replace("_", " "), str(value)))
    return lines


def _percent(share: float, digits: int = 0) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.{digits}f}"


def _number(value: float, digits: int = 2) -> str:
    return "–" if np.isnan(value) else f"{value:.{digits}f}"


def _utc(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")
