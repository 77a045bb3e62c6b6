"""Runs and images as a folder: a Parquet file for each run, a picture for each image, and a table of what is known."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from lynkeus.core.batch import Array, Batch
from lynkeus.core.errors import SourceError
from lynkeus.core.protocols import Source
from lynkeus.sources.images.files import ENDINGS, IMAGES, MASKS, META
from lynkeus.sources.images.metadata import FILE, LABEL, TAKEN
from lynkeus.sources.runs.folder import RUN, RUNS, TRUTH, events_of
from lynkeus.sources.wrappers.wrapper import innermost

Row = dict[str, Any]
JPEG_QUALITY = 92


def write_runs(source: Source, folder: Path) -> int:
    """Write FOLDER/runs/<run>.parquet and FOLDER/truth.csv, a line for each run; return how many there are."""
    rows: list[Row] = []
    (folder / RUNS).mkdir(parents=True)
    for batch in source:
        for k in range(len(batch)):
            one = batch[k : k + 1]
            name = str(one.meta[RUN][0]) if RUN in one.meta else f"run{len(rows):05d}"
            path = folder / RUNS / f"{_inside(name)}.parquet"
            if path.exists() or path.parent != folder / RUNS:
                raise SourceError(f"the run {name!r} is there twice, or is no name of a file; rename it")
            pq.write_table(pa.table({key: _plain(column) for key, column in events_of(one).items()}), path)
            truth = {} if one.truth is None else {"truth": int(one.truth[0])}
            rows.append({RUN: name} | truth | _known(one, 0, (RUN,)))
    _write_table(folder / TRUTH, rows)
    _write_tables(source, folder, {})
    return len(rows)


def write_images(source: Source, folder: Path) -> int:
    """Write FOLDER/images/*, FOLDER/masks/* of the images in which a defect shows, and FOLDER/meta.csv with a line for
    each image; return how many there are. Images are PNG, but for those whose names say otherwise."""
    rows: list[Row] = []
    (folder / IMAGES).mkdir(parents=True)
    for batch in source:
        masks = _masks(source, batch)
        for k, pixels in enumerate(batch.values):
            file = _file_name(batch, k, len(rows))
            _save(folder / IMAGES / file, _picture(pixels))
            if masks is not None and masks[k].any():
                _save((folder / MASKS / file).with_suffix(".png"), masks[k].astype(np.uint8) * 255)
            label = {} if batch.truth is None else {LABEL: "defect" if batch.truth[k] else "good"}
            rows.append({FILE: file} | label | _known(batch, k, (FILE, *TAKEN)))
    _write_table(folder / META, rows)
    _write_tables(source, folder, {row[FILE]: row for row in rows})
    return len(rows)


def _known(batch: Batch, k: int, without: Sequence[str]) -> Row:
    columns = {name: column for name, column in batch.meta.items() if column.ndim == 1 and name not in without}
    return {name: column[k].item() if hasattr(column[k], "item") else column[k] for name, column in columns.items()}


def _inside(name: str) -> str:
    """Return a relative path. Raises SourceError for one that would leave the folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise SourceError(f"{name!r} is no name of a file below a folder; rename it")
    return str(path)


def _plain(column: Array) -> Array:
    return column.astype(str) if column.dtype == object else column


def _file_name(batch: Batch, k: int, number: int) -> str:
    name = _inside(str(batch.meta[FILE][k])) if FILE in batch.meta else f"{number:06d}"
    return name if PurePosixPath(name).suffix.lower() in ENDINGS else f"{name}.png"


def _masks(source: Source, batch: Batch) -> Array | None:
    """Return where the defects of each image are (n, row, column), of a simulator that knows."""
    masks = getattr(innermost(source), "masks", None)
    return None if masks is None else np.asarray(masks(batch))


def _picture(pixels: Array) -> Array:
    if pixels.dtype != np.uint8 or pixels.shape[0] not in (1, 3, 4):
        raise SourceError(
            f"images of {pixels.shape[0]} channels of {pixels.dtype} cannot be written; give 1, 3 or 4 of uint8"
        )
    return pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))


def _save(path: Path, pixels: Array) -> None:
    if path.exists():
        raise SourceError(f"the image {path.name!r} is there twice; rename one")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=JPEG_QUALITY)


def _write_tables(source: Source, folder: Path, files: Mapping[str, Row]) -> None:
    """Write the `tables` that a simulator has beside its samples, without the lines of files that were not written."""
    tables: Mapping[str, Iterable[Row]] = getattr(innermost(source), "tables", {})
    for name, rows in tables.items():
        _write_table(folder / _inside(name), [row for row in rows if FILE not in row or row[FILE] in files])


def _write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write CSV; columns that say nothing of any row are left out."""
    names = dict.fromkeys(name for row in rows for name in row if row[name] == row[name] and row[name] != "")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(names), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(_without_nan(rows))


def _without_nan(rows: Sequence[Row]) -> Iterator[Row]:
    for row in rows:
        yield {name: value if value == value else "" for name, value in row.items()}
