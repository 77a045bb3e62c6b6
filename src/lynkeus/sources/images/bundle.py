"""ImageBundle: images stored once as bytes that are memory-mapped, read as crops of which there may be many an image.

    pixels-0.npy, ...  one file per process that wrote: image after image, each (row, column, channel), uint8
    images.parquet     a row per image: file, where and how it is stored, truth, and the columns of its metadata
    crops.npy          a row per sample: number of the image, x, y (stored pixels of its upper left corner)
    schema.json        the schema, the origin, the crops, mean and std of each channel, what was skipped and why

`lynkeus.sources.images.bundle_writer.write_images` makes one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lynkeus.core.batch import Array, Batch, Schema
from lynkeus.core.errors import LynkeusError, SourceError
from lynkeus.files.damaged import one_line
from lynkeus.sources.bundles.bundle import SCHEMA, damaged, read_schema, text_or_numbers
from lynkeus.sources.formats.numpy import mapped_rows
from lynkeus.sources.formats.tables import existing_file
from lynkeus.sources.images.crops import Crops
from lynkeus.sources.images.folder import BATCH_PIXELS
from lynkeus.sources.images.metadata import FILE
from lynkeus.sources.images.pixel_rule import PixelRule

IMAGES, CROPS, TRUTH = "images.parquet", "crops.npy", "truth"
AGAIN = "make it again with lynkeus bundle"
STORED = ("stored_in", "stored_at", "stored_rows", "stored_columns", "stored_x", "stored_y", "stored_scale")


def pixels_name(shard: int | str) -> str:
    """Return the name of the file of pixels of a shard."""
    return f"pixels-{shard}.npy"


def is_image_bundle(folder: Path) -> bool:
    """Return whether the folder is meant to be a bundle of images, damaged or not."""
    try:
        return "crops" in json.loads((folder / SCHEMA).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


class ImageBundle:
    """The crops of a bundle of images in batches of at most 16 megapixels; `take` reads any of them at random.

    Values (n, channel, row, column) uint8, not normalised: `mean` and `std` of each channel, over the stored pixels,
    are there for those who want to. meta: `file`, `crop_x`, `crop_y` (pixels of the image itself, of the upper left
    corner), `crop_scale` (pixels of the image per pixel of the crop) and the columns of the metadata; truth is that of
    the whole image. Raises SourceError for a damaged bundle.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.files = (self.folder,)
        self.provenance = read_schema(self.folder)
        try:
            self.schema = Schema.from_dict(self.provenance["schema"])
            self.crops = Crops(**self.provenance["crops"])
            self.mean, self.std = (np.array(self.provenance[name]) for name in ("mean", "std"))
            self.rule = PixelRule.from_dict(self.provenance.get("pixels"))
            self.rows, shards = int(self.provenance["rows"]), int(self.provenance["shards"])
        except (KeyError, TypeError, ValueError, LynkeusError) as error:
            raise damaged(self.folder, f"{SCHEMA} lacks or garbles {error}") from error
        self._pixels = [self._mapped(pixels_name(shard)) for shard in range(shards)]
        self._corners = self._mapped(CROPS)
        self.images = self._read_images()
        self._check()

    def __len__(self) -> int:
        return self.rows

    @property
    def messages(self) -> list[str]:
        """Return what was left out when the bundle was made."""
        return list(self.provenance.get("messages", ()))

    @property
    def origin(self) -> dict[str, Any]:
        """The folder of images that it was made of, as ImageSource.origin says."""
        return {"bundle": str(self.folder.absolute()), **self.provenance.get("origin", {})}

    def __iter__(self) -> Iterator[Batch]:
        with one_line(self.folder, mend=AGAIN):
            sizes = self._sizes(self._corners[:, 0])
        start = 0
        while start < self.rows:
            most = max(1, BATCH_PIXELS // int(sizes[start].prod()))
            alike = (sizes[start : start + most] == sizes[start]).all(axis=1)
            stop = start + (len(alike) if alike.all() else int(alike.argmin()))
            yield self.take(np.arange(start, stop))
            start = stop

    def take(self, index: Array) -> Batch:
        """The samples of these numbers, in this order. Raises SourceError for whole images of several sizes."""
        with one_line(self.folder, mend=AGAIN):
            return self._taken(index)

    def _taken(self, index: Array) -> Batch:
        number, left, top = self._corners[index].T
        sizes = self._sizes(number)
        if len(sizes) and (sizes != sizes[0]).any():
            raise SourceError(f"{self.folder}: images of several sizes cannot share a batch; bundle crops of one size")
        rows, columns = sizes[0] if len(sizes) else (0, 0)
        values = np.empty((len(number), rows, columns, len(self.schema.names)), np.uint8)
        for k, (image, x, y) in enumerate(zip(number, left, top, strict=True)):
            values[k] = self._stored(image)[y : y + rows, x : x + columns]
        images = {name: column[number] for name, column in self.images.items()}
        scale = images["stored_scale"]
        meta = {name: column for name, column in images.items() if name not in (*STORED, TRUTH)}
        meta |= {"crop_x": images["stored_x"] + left * scale, "crop_y": images["stored_y"] + top * scale}
        meta["crop_scale"] = scale
        return Batch(self.schema, values.transpose(0, 3, 1, 2), truth=images.get(TRUTH), meta=meta)

    def _stored(self, image: int) -> Array:
        """One stored image (row, column, channel), still on the disk."""
        shard, at, rows, columns = (self.images[name][image] for name in STORED[:4])
        shape = (rows, columns, len(self.schema.names))
        return self._pixels[shard][at : at + int(np.prod(shape))].reshape(shape)

    def _sizes(self, number: Array) -> Array:
        """Return (n, 2) rows and columns of the samples of these images."""
        if self.crops.side:
            return np.full((len(number), 2), self.crops.side)
        return np.stack([self.images["stored_rows"][number], self.images["stored_columns"][number]], axis=1)

    def _mapped(self, name: str) -> Array:
        try:
            return mapped_rows(existing_file(self.folder / name))
        except SourceError as error:
            raise damaged(self.folder, f"{name} is missing or incomplete") from error

    def _read_images(self) -> dict[str, Array]:
        try:
            table = pq.read_table(self.folder / IMAGES)
        except (pa.ArrowException, OSError) as error:
            raise damaged(self.folder, f"{IMAGES} is missing or incomplete") from error
        return {name: text_or_numbers(table.column(name)) for name in table.schema.names}

    def _check(self) -> None:
        missing = [name for name in (FILE, *STORED) if name not in self.images]
        if missing:
            raise damaged(self.folder, f"{IMAGES} has no column {missing[0]}")
        if self._corners.shape != (self.rows, 3) or self._corners.dtype.kind not in "iu":
            raise damaged(self.folder, f"{self.rows} rows in {SCHEMA}, {len(self._corners)} in {CROPS}")
        with one_line(self.folder, mend=AGAIN):
            self._check_places()

    def _check_places(self) -> None:
        """Refuse crops outside of their images, and images outside of their files."""
        shard, at, rows, columns = (self.images[name] for name in STORED[:4])
        number, left, top = self._corners.T
        if self.rows and not (number.min() >= 0 and number.max() < len(rows)):
            raise damaged(self.folder, f"{CROPS} names images that {IMAGES} does not have")
        high, wide = self._sizes(number).T if self.rows else (number, number)
        fits = (left >= 0) & (top >= 0) & (high > 0) & (wide > 0)
        if not (fits & (left + wide <= columns[number]) & (top + high <= rows[number])).all():
            raise damaged(self.folder, f"{CROPS} has crops outside of their images")
        if len(at) and not (at.min() >= 0 and shard.min() >= 0 and shard.max() < len(self._pixels)):
            raise damaged(self.folder, f"{IMAGES} has images outside of their files")
        ends = at + rows * columns * len(self.schema.names)
        for k, pixels in enumerate(self._pixels):
            if len(pixels) != ends[shard == k].max(initial=0):
                raise damaged(self.folder, f"{pixels_name(k)} does not hold what {IMAGES} says")
