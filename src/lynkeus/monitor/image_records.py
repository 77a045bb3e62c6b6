"""Images in the store: added as they are judged, never changed; of an image that was judged again the latest holds."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from lynkeus.core import Verdict
from lynkeus.monitor.database import insert_new
from lynkeus.monitor.store import Store
from lynkeus.monitor.tables import image_judged

_COLUMNS = [column for column in image_judged.c if column.name != "id"]


@dataclass(frozen=True)
class ImageRecord:
    """An image of the folder `images` as a `model` judged it.

    `file` as rows call it, `path` of the file below the folder, `size` and `mtime_ns` of that when it was read; `row`
    as `lynkeus score` writes it (of what cannot be read only the file), `about` what readers of rows must know.
    """

    model: str
    images: str
    file: str
    path: str
    size: int
    mtime_ns: int
    verdict: Verdict
    reason: str
    row: Mapping[str, Any]
    about: Mapping[str, Any]
    at_ns: int = field(default_factory=time.time_ns)


def add_images(store: Store, records: Sequence[ImageRecord]) -> None:
    """Append images, all or none; what is there already, of the same state of its file, stays as it is."""
    rows = [
        {**vars(one), "verdict": one.verdict.value, "row": json.dumps(one.row), "about": json.dumps(one.about)}
        for one in records
    ]  # NaN stays in JSON: Python alone reads it
    if rows:
        with store.writing() as connection:
            connection.execute(insert_new(connection, image_judged), rows)


def known_files(store: Store, model: str, images: str) -> dict[str, list[int]]:
    """Return the files of a folder that a model has judged, by path, each with size and time as they were then."""
    of = image_judged.c
    query = sa.select(of.path, of.size, of.mtime_ns).where(of.model == model, of.images == images).order_by(of.id)
    with store.reading() as connection:
        return {row.path: [row.size, row.mtime_ns] for row in connection.execute(query)}


def images_after(store: Store, number: int = 0) -> list[tuple[int, ImageRecord]]:
    """Return all that was judged after the row of a number (0: all), each with its number, in order."""
    query = sa.select(image_judged.c.id, *_COLUMNS).where(image_judged.c.id > number).order_by(image_judged.c.id)
    with store.reading() as connection:
        return [_record(row._mapping) for row in connection.execute(query)]


def last_number(store: Store) -> int:
    """Return the number of the image that was judged last, 0 where there is none."""
    with store.reading() as connection:
        return int(connection.scalar(sa.select(sa.func.max(image_judged.c.id))) or 0)


def _record(row: sa.RowMapping) -> tuple[int, ImageRecord]:
    given = {column.name: row[column.name] for column in _COLUMNS}
    given |= {"verdict": Verdict(row["verdict"]), "row": json.loads(row["row"]), "about": json.loads(row["about"])}
    return int(row["id"]), ImageRecord(**given)
