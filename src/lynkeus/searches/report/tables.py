"""Tables of a search: plain rows, written as Parquet and as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lynkeus.files.whole import beside, write_whole
from lynkeus.searches.estimate import sigma_of
from lynkeus.searches.run import Search

Rows = list[dict[str, Any]]


def tables_of(found: Search) -> dict[str, Rows]:
    """Return all tables by name."""
    made = {"factors": _factors(found), "matrix": _matrix(found), "systematics": _systematics(found),
            "prediction": _prediction(found), "limits": _limits(found), "pulls": _pulls(found),
            "impacts": _impacts(found)}  # fmt: skip
    return {name: rows for name, rows in made.items() if rows}


def write_tables(tables: Mapping[str, Rows], folder: Path) -> None:
    """Write each table as Parquet and CSV."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        columns = {key: [row.get(key) for row in rows] for key in rows[0]}
        with beside(folder / f"{name}.parquet") as partial:
            pq.write_table(pa.table(columns), partial)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
        write_whole(folder / f"{name}.csv", text.getvalue().encode())


def _cell(value: Any) -> Any:
    """Return a cell of a CSV file; what a spreadsheet would take for a formula is quoted."""
    if isinstance(value, str) and value[:1] in "=+-@":
        return f"'{value}"
    return "" if value is None else value


def _factors(found: Search) -> Rows:
    rows = []
    for point, one in found.estimates.items():
        for j, name in enumerate(one["backgrounds"]):
            boot = one["bootstrap"]
            rows.append({
                "point": point, "background": name, "factor": one["factors"][j], "error": one["errors"][j],
                "error_data": one["errors_data"][j], "error_simulation": one["errors_simulation"][j],
                "error_systematic": one["errors_systematic"][j], "pyhf": one["pyhf"][j],
                "pyhf_error": one["pyhf_errors"][j], "difference_in_errors": one["pyhf_difference"][j],
                "bootstrap_width": boot["width"][j] if boot["width"] else math.nan,
                "bootstrap_inside": boot["inside"][j] if boot["inside"] else math.nan,
                "closure": one["closure"]["factors"][j], "closure_error": one["closure"]["errors"][j],
                "moved_by_signal_in_errors": one["contamination"]["moved"][j], "condition": one["condition"],
            })  # fmt: skip
    return rows


def _matrix(found: Search) -> Rows:
    rows = []
    for point, one in found.estimates.items():
        for i, region in enumerate(one["regions"]):
            own = {"point": point, "region": region, "observed": one["observed"][i]}
            for j, name in enumerate(one["backgrounds"]):
                own |= {name: one["matrix"][i][j], f"{name}_error": one["matrix_error"][i][j]}
            rows.append({
                **own, "fixed": one["other"][i], "pull": one["pulls"][i] if one["pulls"] else math.nan,
                "signal": one["contamination"]["signal"][i], "signal_share": one["contamination"]["share"][i],
            })  # fmt: skip
    return rows


def _systematics(found: Search) -> Rows:
    return [
        {"point": point, "systematic": name, "background": background, "shift": shift[j]}
        for point, one in found.estimates.items()
        for name, shift in one["systematics"].items()
        for j, background in enumerate(one["backgrounds"])
    ]


def _prediction(found: Search) -> Rows:
    rows = []
    for point, one in found.estimates.items():
        for row in one["prediction"]:
            plain = {key: value for key, value in row.items() if key not in ("by_process", "observed")}
            parts = {f"background_{name}": value for name, value in row["by_process"].items()}
            seen = math.nan if row["observed"] is None else row["observed"]
            rows.append({"point": point, **plain, "error": sigma_of(row), "observed": seen, **parts})
    return rows


def _limits(found: Search) -> Rows:
    rows = []
    for point, one in found.likelihoods.items():
        band = dict(zip(("minus_2", "minus_1", "expected", "plus_1", "plus_2"), one["limit_expected"], strict=True))
        seen = {key: math.nan if one[key] is None else one[key] for key in ("limit_observed", "z_observed", "p_value")}
        rows.append({
            "point": point, "signal": one["signal"], "background": one["background"], "z_expected": one["z_expected"],
            "z_asimov": one["z_with"], "z_asimov_certain": one["z_without"], **band, **seen, "toys": one["toys"],
            "few_events": one["few"],
        })  # fmt: skip
    return rows


def _pulls(found: Search) -> Rows:
    return [
        {"point": point, "parameter": name, "value": value[0], "error": value[1],
         "pull": one["pulls"].get(name, math.nan)}
        for point, one in found.likelihoods.items() for name, value in one["fit"].items()
    ]  # fmt: skip


def _impacts(found: Search) -> Rows:
    return [
        {"point": point, "parameter": row["name"], "up": row["up"], "down": row["down"], "pull": row["pull"]}
        for point, one in found.likelihoods.items() for row in one["impacts"]
    ]  # fmt: skip
