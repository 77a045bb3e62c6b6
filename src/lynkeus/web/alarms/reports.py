"""Turn-on curves from the Parquet table that a commissioning writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from lynkeus.web.alarms.evidence import finite

COLUMNS = ("fault", "size", "output", "efficiency", "low", "high", "right_place")


def turn_on_curves(reports: Path | None) -> dict[str, Any]:
    """`curves`: one per output and fault, efficiency with its interval against size; `message` where there is none.

    `reports` is a Parquet file, or a folder of them (the newest that fits is taken).
    """
    if reports is None:
        return {"curves": [], "message": "No commissioning report was given to this server."}
    files = [reports]
    if reports.is_dir():
        files = sorted(reports.rglob("*.parquet"), key=lambda path: path.stat().st_mtime, reverse=True)
    problem = f"No Parquet table in {reports.name} yet: run lynkeus commission."
    for path in files:
        try:
            table = parquet.read_table(path)
        except (OSError, pa.ArrowException):
            problem = f"{path.name} cannot be read as a Parquet table."
            continue
        missing = [name for name in COLUMNS if name not in table.column_names]
        if missing:
            problem = f"{path.name} is no commissioning table: it lacks {', '.join(missing)}."
            continue
        return {"curves": _curves(_commissioned(table.to_pylist())), "message": ""}
    return {"curves": [], "message": problem}


def _commissioned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the scorer that was commissioned (it is written first), on the outputs that are meant for each fault."""
    first = rows[0].get("scorer") if rows else None
    return [row for row in rows if row.get("scorer") == first and row.get("meant", True)]


def _curves(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    curves: dict[tuple[str, str], dict[str, Any]] = {}
    numbers = ("size", "efficiency", "low", "high", "right_place")
    for row in sorted(rows, key=lambda row: (str(row["output"]), str(row["fault"]), finite(row["size"]) or 0.0)):
        output, fault = str(row["output"]), str(row["fault"])
        curve = curves.setdefault((output, fault), {"output": output, "fault": fault} | {key: [] for key in numbers})
        for key in numbers:
            curve[key].append(finite(row[key]))
    return list(curves.values())
