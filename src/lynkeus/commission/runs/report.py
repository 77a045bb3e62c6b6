"""The report of a commissioning of runs: one HTML file that needs no network; beside it its table as Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lynkeus.commission.figures import inline_svg
from lynkeus.commission.plant.runs import FAULTS
from lynkeus.commission.runs.commission import GoodRuns, RunCommissioning
from lynkeus.commission.runs.figures import draw_epochs, draw_run_turn_on
from lynkeus.commission.runs.turn_on import RunTurnOn, write_run_table
from lynkeus.commission.turn_on import write_whole
from lynkeus.core import SettingsError
from lynkeus.metrics.rates import wilson_interval

HERE = Path(__file__).parent  # the style is beside the other report, a folder above
TEMPLATE = "report.html"


@dataclass(frozen=True)
class Overall:
    """One scorer in a line: efficiency over all planted changes with its interval, names, tolerance and time."""

    scorer: str
    efficiency: float
    low: float
    high: float
    right_kind: float
    right_place: float
    harmless: float
    ms: float


def write_run_report(found: RunCommissioning, path: Path) -> None:
    """Write REPORT.html and REPORT.parquet; each is complete or as it was before."""
    if path.suffix.lower() == ".parquet":
        raise SettingsError(f"{path}: the report is HTML, the table goes beside it: choose a name that ends in .html")
    write_run_table(found.rows, path.with_suffix(".parquet"))
    write_whole(path, run_report_html(found, path.stem).encode())


def run_report_html(found: RunCommissioning, table: str) -> str:
    """The page; `table` is the name of the Parquet file beside it, without its ending."""
    environment = Environment(
        loader=FileSystemLoader([HERE, HERE.parent]), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"percent": _percent, "number": _number}
    scorers, epochs = list(found.lineages), by_epoch(found)
    kinds = {kind: FAULTS[kind].says for kind in dict.fromkeys(row.fault for row in found.rows)}
    blocks = {
        scorer: {kind: [row for row in found.rows if (row.scorer, row.fault) == (scorer, kind)] for kind in kinds}
        for scorer in scorers
    }
    return environment.get_template(TEMPLATE).render(
        found=found, table=table, kinds=kinds, blocks=blocks,
        overall=[overall(found, scorer) for scorer in scorers],
        verdicts=[(counted, *_verdict(counted, found.settings.false_alarms)) for counted in found.good],
        curves=Markup(inline_svg(draw_run_turn_on(found.rows))),
        epochs=epochs, epochs_figure=Markup(inline_svg(draw_epochs(epochs))) if epochs else "",
        lineages={name: _lineage(lineage) for name, lineage in found.lineages.items()},
    )  # fmt: skip


def overall(found: RunCommissioning, scorer: str) -> Overall:
    """Over all kinds, sizes and numbers of events."""
    own = [row for row in found.rows if row.scorer == scorer]
    harmful, harmless = ([row for row in own if row.harmless is wanted] for wanted in (False, True))
    times = [counted.ms for counted in found.good if counted.scorer == scorer and counted.events]
    return Overall(
        scorer, *_efficiency(harmful), _weighted(harmful, "right_kind"), _weighted(harmful, "right_place"),
        _efficiency(harmless)[0], float(np.mean(times)) if times else float("nan"),
    )  # fmt: skip


def by_epoch(found: RunCommissioning) -> dict[str, dict[int, tuple[float, float, float]]]:
    """Families of models that differ in the epochs of their training: epochs -> mean efficiency, low, high."""
    families: dict[str, dict[int, tuple[float, float, float]]] = {}
    for name, lineage in found.lineages.items():
        epochs = _epochs(lineage.get("options", {}))
        if epochs is not None:
            family = " ".join((str(lineage["scorer"]), str(lineage["options"].get("scorer", "")))).strip()
            own = [row for row in found.rows if row.scorer == name and not row.harmless]
            families.setdefault(family, {})[epochs] = _efficiency(own)
    return {family: points for family, points in families.items() if len(points) > 1}


def _epochs(options: Mapping[str, Any]) -> int | None:
    """Of the options of a learned scorer, or of the one within."""
    training = options.get("training") or options.get("options", {}).get("training") or {}
    return int(training["epochs"]) if "epochs" in training else None


def _efficiency(rows: Sequence[RunTurnOn]) -> tuple[float, float, float]:
    runs = sum(row.runs for row in rows)
    hits = round(sum(row.efficiency * row.runs for row in rows))
    return (hits / runs, *wilson_interval(hits, runs)) if runs else (float("nan"),) * 3


def _weighted(rows: Sequence[RunTurnOn], name: str) -> float:
    """Mean over flagged runs."""
    flagged = [(row.efficiency * row.runs, getattr(row, name)) for row in rows if row.efficiency > 0]
    total = sum(weight for weight, _ in flagged)
    return sum(weight * value for weight, value in flagged) / total if total else float("nan")


def _verdict(counted: GoodRuns, promised: float) -> tuple[str, str]:
    """(class of the style sheet, words)."""
    _, low, high = counted.share
    if low > promised:
        return "bad", "more than promised: these runs are not like those learned from, or not all good"
    if high < promised:
        return "good", "less than promised"
    return "good", "as promised"


def _lineage(lineage: Mapping[str, Any]) -> list[tuple[str, str]]:
    lines = []
    for name, value in lineage.items():
        if name in ("files", "runs"):
            value = f"{len(value)}: {', '.join(map(str, value[:3]))}{' ...' if len(value) > 3 else ''}"
        elif isinstance(value, Mapping):
            value = "; ".join(f"{key}: {item}" for key, item in value.items())
        elif isinstance(value, list):
            value = ", ".join(map(str, value))
        if value not in ("", None):
            lines.append((name.replace("_", " "), str(value)))
    return lines


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.0f}"


def _number(value: float, digits: int = 2) -> str:
    return "–" if np.isnan(value) else f"{value:.{digits}f}"
