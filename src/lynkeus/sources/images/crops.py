"""Crops: which square parts of an image become samples, and with how many pixels they are stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from lynkeus.core.errors import SettingsError, SourceError

REDUCING_GAP = 1.0  # Pillow: shrink by whole numbers first (means of squares), then the little that is left


@dataclass(frozen=True)
class Crops:
    """Squares of `size` pixels of the image (0: the whole image), of which neighbours share at least `overlap` pixels.

    `centre`: only the one in the middle. `resize`: pixels on a side of a stored crop (0: as it is); of whole images the
    longer side, and none is enlarged. The last square of a row or column ends at the edge of the image, so that all are
    covered and nothing is padded. Raises SettingsError for settings that do not go together.
    """

    size: int = 0
    overlap: int = 0
    centre: bool = False
    resize: int = 0

    def __post_init__(self) -> None:
        if min(self.size, self.overlap, self.resize) < 0:
            raise SettingsError(f"size, overlap and resize of crops must not be negative, got {self}")
        if not self.size and (self.centre or self.overlap):
            raise SettingsError("a crop from the centre and an overlap need the size of the crops")
        if self.size and not self.overlap < self.size:
            raise SettingsError(f"crops of {self.size} pixels cannot overlap by {self.overlap}; give less")
        if self.size and self.resize > self.size:
            raise SettingsError(
                f"crops of {self.size} pixels cannot be enlarged to {self.resize}; give at most {self.size}"
            )

    @property
    def side(self) -> int:
        """Pixels on a side of a stored crop; 0: as many as the image has."""
        return (self.resize or self.size) if self.size else 0

    @property
    def shrink(self) -> int:
        """Return how many times smaller an image may be decoded."""
        return self.size // self.side if self.size else 1

    def store(self, picture: Image.Image, shrunk: int = 1) -> tuple[Image.Image, CropGeometry]:
        """The part of an image that is stored (once, however many crops it has), shrunk as asked, and where it lies.

        `shrunk`: how many times smaller than the image the picture is already. Raises SourceError, the reason only,
        where the image is smaller than a crop.
        """
        columns, rows = picture.width * shrunk, picture.height * shrunk
        if min(columns, rows) < self.size:
            raise SourceError(f"is {columns} x {rows} pixels, smaller than a crop of {self.size}")
        wide, high = (self.size, self.size) if self.centre else (columns, rows)
        x, y = ((whole - part) // 2 for whole, part in ((columns, wide), (rows, high)))
        scale = self.size / self.side if self.size else max(1.0, max(columns, rows) / (self.resize or np.inf))
        stored = (max(1, int(wide / scale)), max(1, int(high / scale)))
        # The scale is exact: less than one stored pixel may be lost at the right and at the lower edge.
        edges = (x, y, min(x + stored[0] * scale, columns), min(y + stored[1] * scale, rows))
        if scale > 1:
            left, top, right, bottom = (edge / shrunk for edge in edges)
            picture = picture.resize(stored, Image.Resampling.BILINEAR, (left, top, right, bottom), REDUCING_GAP)
        elif stored != picture.size:
            picture = picture.crop((x, y, x + wide, y + high))
        return picture, CropGeometry(stored[1], stored[0], x, y, scale)

    def corners(self, rows: int, columns: int) -> npt.NDArray[np.int32]:
        """Return (n, 2) x and y of the upper left corners of the crops in a stored image, row after row."""
        if not self.size:
            return np.zeros((1, 2), np.int32)
        step = max(1, int((self.size - self.overlap) * self.side / self.size))
        x, y = np.meshgrid(_starts(columns, self.side, step), _starts(rows, self.side, step))
        return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.int32)


@dataclass(frozen=True)
class CropGeometry:
    """A stored image: its size, its upper left corner in the image itself, and pixels of the image per stored pixel."""

    rows: int
    columns: int
    x: int
    y: int
    scale: float


def _starts(length: int, side: int, step: int) -> npt.NDArray[np.int64]:
    """Return where crops begin along an axis: from 0 in steps, the last one moved back so that it ends at the edge."""
    return np.unique(np.minimum(np.arange(0, length - side + step, step), length - side))
