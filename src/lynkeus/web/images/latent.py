"""Latent maps: images as points of a plane, near each other where the scorer sees them alike."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from lynkeus.core.errors import SourceError
from lynkeus.web.alarms.evidence import finite
from lynkeus.web.images.scans import ScoredImages
from lynkeus.web.images.scores_files import ScoresFile

NAME = "latent.parquet"
COLUMNS = ("file", "x", "y", "method")
MOST_POINTS, MOST_GROUPS = 5000, 11


def latent_points(images: ScoredImages, method: str, colour: str) -> dict[str, Any]:
    """Points of one method with the values of one column.

    `methods`, `columns`: what there is to choose; `numeric`: whether `values` are numbers (else at most 11 commonest
    texts and "other"); `message` where there is nothing to draw.
    """
    rows = [row for source in images.files for row in _rows(source)]
    methods = sorted({str(row["method"]) for row in rows})
    if not rows:
        message = f"There is no {NAME} beside the scores: it holds the columns {', '.join(COLUMNS)}."
        return {"methods": [], "columns": [], "number": [], "message": message}
    method = method if method in methods else methods[0]
    number = {key: row for row, key in enumerate(images.keys)}
    ours = [row for row in rows if row["method"] == method and (row["images"], row["file"]) in number]
    shown = ours[:: max(-(-len(ours) // MOST_POINTS), 1)]
    found = images.images([number[row["images"], row["file"]] for row in shown])
    columns = sorted({name for row in shown for name in row} - {*COLUMNS, "images"} | set(images.names))
    columns = ["anomaly", "p_value", *columns]
    colour = colour if colour in columns else next((c for c in ("vendor", "scan", "label") if c in columns), "anomaly")
    scores = [{**one.about, "anomaly": one.anomaly, "p_value": one.p_value} for one in found]
    values = [score.get(colour, row.get(colour)) for row, score in zip(shown, scores, strict=True)]
    return {
        "methods": methods,
        "method": method,
        "columns": columns,
        "colour": colour,
        "x": [finite(row["x"]) for row in shown],
        "y": [finite(row["y"]) for row in shown],
        "number": [one.number for one in found],
        "key": [one.key for one in found],
        "file": [one.file for one in found],
        "total": len(ours),
        "message": "" if ours else "None of its files is among the scores.",
        **_grouped(values),
    }


def _rows(source: ScoresFile) -> list[dict[str, Any]]:
    path = source.path.parent / NAME
    if not path.is_file():
        return []
    try:
        table = parquet.read_table(path, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{path} cannot be read as a Parquet table: {error}") from error
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise SourceError(f"{path} lacks the column {missing[0]!r}")
    return [row | {"images": source.images} for row in table.to_pylist()]


def _grouped(values: list[Any]) -> dict[str, Any]:
    if len(set(values)) > MOST_GROUPS and all(isinstance(value, int | float) or value is None for value in values):
        return {"numeric": True, "values": [finite(value) for value in values]}
    texts = ["none" if value is None or value == "" else str(value) for value in values]
    common = {text for text, _ in Counter(texts).most_common(MOST_GROUPS)}
    return {"numeric": False, "values": [text if text in common else "other" for text in texts]}
