"""The scored images that the pages show: of the files given at the start, and of the store as it grows."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lynkeus.core import StoreError
from lynkeus.monitor.image_records import ImageRecord, images_after, last_number
from lynkeus.monitor.store import Store
from lynkeus.sources.images.pixel_rule import PixelRule
from lynkeus.web.images.scans import Part, ScoredImages
from lynkeus.web.images.scores_files import SCORES, TEXTS, ScoresFile

UNSCORED = {"anomaly": None, "p_value": None}  # of an image that could not be read


class ShownImages:
    """Asked for the images at any time by several threads; what is new in the store is read then.

    An image keeps its number while others come, and when it is judged again.
    """

    def __init__(self, store: Store, files: Sequence[Part]) -> None:
        self.store, self._files = store, files
        self._scored = ScoredImages(files) if files else None
        self._rows: dict[tuple[str, str, str], ImageRecord] = {}
        self._number = 0
        self._lock = threading.Lock()

    def now(self) -> ScoredImages | None:
        """Return all images there are, None for none; where the store fails, which another part of the page says, those
        of before."""
        with self._lock:
            try:
                if last_number(self.store) > self._number:
                    new = images_after(self.store, self._number)
                    self._rows |= {(one.model, one.images, one.file): one for _, one in new}
                    self._scored = ScoredImages([*self._files, _part(list(self._rows.values()))])
                    self._number = new[-1][0]
            except StoreError:
                pass
            return self._scored


def _part(records: Sequence[ImageRecord]) -> Part:
    """Images of the store as if they came from files, one for each model and folder; the latest says where maps are."""
    sources: dict[tuple[str, str], ScoresFile] = {}
    for one in records:
        maps, normals = (Path(one.about[name]) if one.about.get(name) else None for name in ("maps", "normals"))
        known = sources.get((one.model, one.images))
        maps = maps or (known.maps if known else None)
        position, time = (one.about.get(name, "") for name in ("position", "time"))
        rule = PixelRule.from_dict(one.about.get("pixels"))
        title = f"{one.model}: {Path(one.images).name}"
        array, good = (str(one.about.get(name) or "") for name in ("array", "normals_array"))
        sources[one.model, one.images] = ScoresFile(
            Path(title), Path(one.images), maps, normals, position, time, title, rule, array, good
        )
    place = {key: number for number, key in enumerate(sources)}
    rows = [{**UNSCORED, **one.row} for one in records]
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pa.table({name: _column(name, (row.get(name) for row in rows)) for name in names})
    of_row = np.array([place[one.model, one.images] for one in records])
    return Part(tuple(sources.values()), of_row, table)


def _column(name: str, values: Iterable[Any]) -> pa.Array:
    """Numbers where all are; what is known of images may be a number today and a word tomorrow."""
    found = list(values)
    if name in SCORES - TEXTS:
        return pa.array(found, pa.float64())
    if all(value is None or isinstance(value, int | float) for value in found):
        return pa.array(found, pa.float64())
    return pa.array([None if value is None else str(value) for value in found], pa.string())
