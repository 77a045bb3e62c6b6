"""ImageSource: a folder of JPEG, PNG, TIFF and BMP images, each of its own size, as batches of 8-bit pixels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core.batch import Array, Batch, Schema
from lynkeus.core.errors import SourceError
from lynkeus.sources.images.files import ENDINGS, Pixels, find_images, images_with_meta, is_colour, read_pixels
from lynkeus.sources.images.metadata import Metadata, read_metadata

BATCH_PIXELS = 16_000_000
GREY, RGB = ("grey",), ("red", "green", "blue")
NAMED = 5  # files that a message names


class ImageSource:
    """All images below a folder, one file, or a pattern such as `tiles/*.jpg`, sorted by relative path.

    RGB throughout where any image is colour, else grey (`colour` decides instead, so that a model of colour images can
    score grey ones); values (n, channel, row, column) uint8 as `image_files.read_pixels` says, x to the right and y
    down as a viewer shows the picture. Neighbours of one size share a batch of at most 16 megapixels; in memory a
    pixel's channels lie together. `meta`: CSV or Parquet table, see `image_metadata.read_metadata`; a folder that holds
    `images/` and `meta.csv` brings its own. meta["file"] is the path relative to `folder`.

    Images that cannot be read are left out: `skipped` says why, `messages` counts them. Both fill up during the first
    pass; `len` is what is left. Raises SourceError where there is no image, or none can be read.
    """

    def __init__(self, path: str | Path, meta: str | Path | None = None, colour: bool | None = None) -> None:
        self.path = Path(path).expanduser()
        if meta is None:
            self.path, meta = images_with_meta(self.path) or (self.path, None)
        self.folder, self.images = find_images(self.path)
        self.files = (
            self.path if self.path.exists() else self.folder,
        )  # the images are too many to name: see `origin`
        if not self.images:
            raise SourceError(f"{path}: no image with the ending {', '.join(ENDINGS)}; check the path")
        self.skipped: dict[str, str] = {}
        self.colour = self._any_colour() if colour is None else colour
        if len(self.skipped) == len(self.images):
            first, reason = next(iter(self.skipped.items()))
            raise SourceError(f"{self.folder / first}: {reason}; none of {len(self.images)} images can be read")
        self.meta = Path(meta).expanduser() if meta else None
        self.metadata = read_metadata(self.meta, self.images) if self.meta else Metadata()
        names = RGB if self.colour else GREY
        self.schema = Schema("image", names, shape=(len(names), None, None))

    def __len__(self) -> int:
        return len(self.images) - len(self.skipped)

    def __iter__(self) -> Iterator[Batch]:
        waiting = _Waiting()
        for number, file in enumerate(self.images):
            if file in self.skipped:
                continue
            try:
                pixels = self.pixels(number)
            except SourceError as reason:
                self.skipped[file] = str(reason)
                continue
            if not waiting.takes(pixels):
                yield self.batch(waiting.pixels, waiting.numbers)
                waiting = _Waiting()
            waiting.pixels.append(pixels)
            waiting.numbers.append(number)
        if not waiting.pixels:
            raise SourceError(f"{self.path}: none of {len(self.images)} images can be read; {self.messages[0]}")
        yield self.batch(waiting.pixels, waiting.numbers)

    def pixels(self, number: int) -> Pixels:
        """The pixels (row, column, channel) of one image by its number. Raises SourceError, the reason only."""
        return read_pixels(self.folder / self.images[number], self.colour)

    def read(self, file: str) -> Array:
        """One image by its relative path, (channel, row, column). Raises SourceError where it cannot be read."""
        try:
            return read_pixels(self.folder / file, self.colour).transpose(2, 0, 1)
        except SourceError as reason:
            raise SourceError(f"{self.folder / file}: {reason}") from reason

    @property
    def messages(self) -> list[str]:
        """What was left out, and what of the metadata fits no image."""
        return [*skipped_lines(self.skipped, len(self.images)), *self.metadata.messages]

    @cached_property
    def origin(self) -> dict[str, Any]:
        """Which images these are, from names and sizes alone: quick for 350,000 images, to read them takes hours."""
        sizes = [(self.folder / file).stat().st_size for file in self.images]
        digest = hashlib.sha256(json.dumps([self.images, sizes]).encode()).hexdigest()
        return {
            "path": str(self.path.absolute()),
            "folder": str(self.folder.absolute()),
            "images": len(self.images),
            "bytes": sum(sizes),
            "first": self.images[0],
            "last": self.images[-1],
            "sha256_of_names_and_sizes": digest,
            "meta": str(self.meta.absolute()) if self.meta else "",
            "meta_sha256": hashlib.sha256(self.meta.read_bytes()).hexdigest() if self.meta else "",
        }

    def _any_colour(self) -> bool:
        for file in self.images:
            try:
                if is_colour(self.folder / file):
                    return True
            except SourceError as reason:
                self.skipped[file] = str(reason)
        return False

    def batch(self, pixels: Sequence[Pixels], numbers: Sequence[int]) -> Batch:
        """Images of one size as a Batch; `numbers` are their places in `images`."""
        index = np.array(numbers)
        meta: Mapping[str, Array] = {name: column[index] for name, column in self.metadata.columns.items()}
        truth = self.metadata.truth
        return Batch(
            self.schema,
            np.stack(pixels).transpose(0, 3, 1, 2),
            truth=None if truth is None else truth[index],
            meta={"file": np.array([self.images[number] for number in numbers]), **meta},
        )


def skipped_lines(skipped: Mapping[str, str], images: int) -> list[str]:
    """One line on what was skipped and why, or none."""
    if not skipped:
        return []
    listed = "; ".join(f"{file} {reason}" for file, reason in list(skipped.items())[:NAMED])
    more = f"; and {len(skipped) - NAMED} more" if len(skipped) > NAMED else ""
    line = f"{len(skipped)} of {images} images were skipped: {listed}{more}"
    return [line.encode(errors="replace").decode()]  # a name that is not UTF-8 is a reason to be skipped


@dataclass
class _Waiting:
    """Images of one size that are to share a batch."""

    pixels: list[Pixels] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def takes(self, pixels: Pixels) -> bool:
        if not self.pixels:
            return True
        rows, columns, _ = self.pixels[0].shape
        return pixels.shape == self.pixels[0].shape and (len(self.pixels) + 1) * rows * columns <= BATCH_PIXELS
