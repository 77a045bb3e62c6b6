"""What a table says of each image: cavity, position, time, label, matched to the files by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.tables import existing_file, listed
from lynkeus.sources.images.pages import file_and_page

FILE, LABEL = "file", "label"
TEXT = (FILE, LABEL, "cavity", "scan", "side", "vendor", "treatment", "time")  # never numbers: "0012" is not 12
TAKEN = ("time_ns", "mask", "truth", "weight")  # names that a Batch has for its own
LABELS = {"0": 0, "good": 0, "1": 1, "defect": 1}
NAMED = 5


@dataclass(frozen=True)
class Metadata:
    """Per image, in the order of the images: `columns` by name, `truth` (0 good, 1 defect) where all labels are known;
    `messages` count what fits no image, and images of which nothing is said."""

    columns: dict[str, Array] = field(default_factory=dict)
    truth: Array | None = None
    messages: list[str] = field(default_factory=list)


def read_metadata(path: Path, images: Sequence[str]) -> Metadata:
    """The rows of a CSV or Parquet table that belong to the images, by its column `file`.

    `file` holds the path relative to the folder, or the bare name where only one image has it; a file of several pages
    may have one row for all. The columns cavity,
    scan, side, vendor, treatment, time and label are text, the others as they are; an image without a row gets "" or
    NaN. A column `label` of 0 and 1, or good and defect, is the truth as well, where every image has one. Raises
    SourceError naming file, field and remedy: unreadable, no column `file`, two rows for an image, a name that two
    images have.
    """
    table = _table(existing_file(path))
    if FILE not in table.schema.names:
        raise SourceError(
            f"{path}: no column {FILE!r}; there are {listed(table.schema.names)}: rename the one with names"
        )
    taken = [name for name in table.schema.names if name in TAKEN]
    if taken:
        raise SourceError(f"{path}: a column may not be called {taken[0]!r}; rename it")
    rows = _rows(path, [str(name) for name in table.column(FILE).to_pylist()], images)
    unused = set(range(table.num_rows)) - set(rows.tolist())
    messages = _count("metadata rows have no image", [str(table.column(FILE)[row]) for row in sorted(unused)])
    messages += _count("images have no metadata row", [images[k] for k in np.flatnonzero(rows < 0).tolist()])
    columns = {name: _column(table.column(name), rows) for name in table.schema.names if name != FILE}
    truth, why_not = _truth(columns[LABEL]) if LABEL in columns else (None, "")
    return Metadata(columns, truth, messages + ([f"{path}: {why_not}"] if why_not else []))


def _table(path: Path) -> Any:
    text = {name: pa.string() for name in TEXT}
    try:
        if path.suffix.lower() == ".parquet":
            table = pq.read_table(path)
            kinds = [(f.name, pa.string() if f.name in TEXT else f.type) for f in table.schema]
            return table.cast(pa.schema(kinds))
        convert = pa_csv.ConvertOptions(column_types=text, strings_can_be_null=False)
        return pa_csv.read_csv(path, pa_csv.ReadOptions(use_threads=False), convert_options=convert)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        words = str(error).splitlines()[0].rstrip(".")
        raise SourceError(f"{path}: is not a CSV (UTF-8) or Parquet table of metadata ({words}); mend it") from error


def _rows(path: Path, names: list[str], images: Sequence[str]) -> Array:
    """Return the row of the table for each image, -1 for none."""
    place = {image: k for k, image in enumerate(images)}
    bare: dict[str, list[int]] = {}
    pages: dict[str, list[int]] = {}
    for image, k in place.items():
        bare.setdefault(PurePosixPath(image).name, []).append(k)
        if (file := file_and_page(image)[0]) != image:
            pages.setdefault(file, []).append(k)
    rows = np.full(len(images), -1)
    for row, name in enumerate(names):
        tidy = name.strip().replace("\\", "/").removeprefix("./")
        found = [place[tidy]] if tidy in place else pages.get(tidy, bare.get(tidy, []))
        if len(found) > 1 and tidy not in pages:
            both = f"{images[found[0]]} and {images[found[1]]}"
            raise SourceError(
                f"{path}: row {row + 1}: {FILE} {name!r} may be {both}; give the path relative to the folder"
            )
        for k in found:
            if rows[k] >= 0:
                raise SourceError(f"{path}: rows {rows[k] + 1} and {row + 1} are both of {images[k]}; remove one")
            rows[k] = row
    return rows


def _column(column: Any, rows: Array) -> Array:
    """One number or text per image; where there is none, NaN or ""."""
    # Of a list: of a NumPy array pyarrow imports pandas first, which takes half a second.
    taken = column.combine_chunks().take(pa.array([row if row >= 0 else None for row in rows.tolist()], pa.int64()))
    if pa.types.is_integer(taken.type) or pa.types.is_floating(taken.type):
        return taken.to_numpy(zero_copy_only=False)  # of whole numbers with one missing Arrow makes floats with NaN
    return np.array(taken.cast(pa.string()).fill_null(""), dtype=str)


def _truth(labels: Array) -> tuple[Array | None, str]:
    words = np.char.lower(np.char.strip(labels))
    known = np.isin(words, list(LABELS))
    if known.all():
        return np.array([LABELS[word] for word in words], np.int64), ""
    others = sorted(set(words[~known].tolist()) - {""})
    what = f"{others[0]!r}" if others else f"empty for {int((~known).sum())} images"
    return None, f"{LABEL} is {what}, not one of {', '.join(LABELS)} throughout; it is kept, but not used as truth"


def _count(what: str, names: Sequence[str]) -> list[str]:
    more = ", ..." if len(names) > NAMED else ""
    return [f"{len(names)} {what}: {', '.join(names[:NAMED])}{more}"] if len(names) else []
