"""Which good patches a spot looks most like, and where in the good images these are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from torch import Tensor

from lynkeus.core import Array, Batch, GoodPatch, Spot
from lynkeus.scorers.inspect.grid import STRIDE, centre_of
from lynkeus.scorers.inspect.novelty import Novelty

PATCHES = 3  # that are named for each spot


class Taken(NamedTuple):
    """The origin of an image: a `file` ("": not known), whose pixel `x`, `y` is the upper left corner of the image, and
    how many pixels of the file along a side make one of the image, `scale`."""

    file: str
    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0

    @classmethod
    def of(cls, batch: Batch, index: int) -> Self:
        """Read the origin from the metadata of a folder of images, or of a bundle of crops."""
        file, *crop = (batch.meta.get(name) for name in ("file", "crop_x", "crop_y", "crop_scale"))
        at = [float(column[index]) for column in crop if column is not None]
        return cls("" if file is None else str(file[index]), *at)

    def pixel(self, row: int, column: int, stride: int = STRIDE) -> tuple[float, float]:
        """Return x and y of the centre of a cell, in pixels of the file; cells are `stride` pixels of the image
        apart."""
        x, y = (
            start + (centre_of(cell, stride) + 0.5) * self.scale - 0.5
            for start, cell in zip(self[1:3], (column, row), strict=True)
        )
        return x, y


def nearest_good(
    novelty: Novelty, smooth: Tensor, spot: Spot, taken: Sequence[Taken], own: int = -1, stride: int = STRIDE
) -> tuple[GoodPatch, ...]:
    """Return the patches of the memory bank nearest to a spot by whitened distance, each of another file, nearest
    first.

    `smooth` (rows, columns, f) as the bank was made of, of cells `stride` pixels apart; `own`: number of the image
    among the good ones, which is left out.
    """
    row, column = (
        min(max(round((at - centre_of(0, stride)) / stride), 0), count - 1)
        for at, count in zip((spot.y, spot.x), smooth.shape, strict=False)
    )
    white = novelty.white(smooth[row : row + 1, column : column + 1]).numpy()[0, 0]
    far = np.linalg.norm(novelty.bank - white, axis=1)
    found: dict[str | int, GoodPatch] = {}
    for patch in np.argsort(far, kind="stable").tolist():
        number = int(novelty.bank_image[patch])
        image = taken[number]
        if number != own and (image.file or number) not in found:
            cell_row, cell_column = novelty.bank_cell[patch].tolist()
            at = image.pixel(cell_row, cell_column, stride)
            found[image.file or number] = GoodPatch(image.file, *at, float(far[patch]))
        if len(found) == PATCHES:
            break
    return tuple(found.values())


def to_arrays(taken: Sequence[Taken]) -> dict[str, Array]:
    """Return the origins of the good images as JSON in one array of bytes, for a model folder."""
    return {"taken": np.frombuffer(json.dumps(taken).encode(), np.uint8)}


def from_arrays(packed: Array) -> list[Taken]:
    """Rebuild the origins from the array of `to_arrays`."""
    return [Taken(*one) for one in json.loads(packed.tobytes())]
