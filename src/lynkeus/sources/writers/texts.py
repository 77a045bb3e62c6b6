"""Texts as JSON lines or CSV, with all that is known of each, as the reader of texts reads them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lynkeus.core.protocols import Source


def write_text_lines(source: Source, path: Path) -> int:
    """Write a text a line as JSON; return how many."""
    rows = 0
    with path.open("w", encoding="utf-8") as file:
        for row in _rows(source):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            rows += 1
    return rows


def write_text_csv(source: Source, path: Path) -> int:
    """Write a table of texts with commas; return how many."""
    rows, table = 0, None
    with path.open("w", encoding="utf-8", newline="") as file:
        for row in _rows(source):
            if table is None:
                table = csv.DictWriter(file, list(row), lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
                table.writeheader()
            table.writerow(row)
            rows += 1
    return rows


def _rows(source: Source) -> Iterator[dict[str, Any]]:
    for batch in source:
        columns = {batch.schema.names[0]: list(batch.values)}
        columns |= {name: column.tolist() for name, column in batch.meta.items()}
        if batch.time_ns is not None:
            columns["time_ns"] = batch.time_ns.tolist()
        for k in range(len(batch)):
            yield {name: column[k] for name, column in columns.items()}
