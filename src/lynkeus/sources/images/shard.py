"""One process's share of a bundle of images: a growing file of pixels, and one of records, one per image it was given.

A record, readable image or not, is only written once the pixels before it are on the disk. So the number of whole
records says where to go on after a kill or a full disk, with nothing twice and nothing missing.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path

import numpy as np
from PIL import Image

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError
from lynkeus.files.whole import sync
from lynkeus.sources.bundles.disk import on_disk, write_all, write_header
from lynkeus.sources.images.bundle import pixels_name
from lynkeus.sources.images.crops import Crops
from lynkeus.sources.images.files import strips_of
from lynkeus.sources.images.folder import ImageSource

RECORD = np.dtype(
    [("rows", "i4"), ("columns", "i4"), ("x", "i4"), ("y", "i4"), ("scale", "f8"), ("sums", "f8", (2, 3)),
     ("reason", "S240")]
)  # fmt: skip
COMMIT_BYTES = 128 * 2**20  # a kill loses at most this much of each process
GREYS = np.arange(256, dtype=np.int64)
COUNTED_PIXELS = 1_000_000  # of a larger image every fourth pixel of every fourth row goes into mean and std
LOCK_S = 20.0
RETRY_S = 0.2


@dataclass(frozen=True)
class ShardTask:
    """What all processes of a run share."""

    source: ImageSource
    crops: Crops
    partial: Path
    shards: int

    @property
    def channels(self) -> int:
        """Return the number of channels, 1 (grey) or 3 (colour)."""
        return len(self.source.schema.names)


def write_shard(task: ShardTask, shard: int, report: Callable[[int], None] | None = None) -> None:
    """Write every `task.shards`-th image from `shard` on; `report` is told the images done so far."""
    mine = range(shard, len(task.source.images), task.shards)
    pixels, records = task.partial / pixels_name(shard), task.partial / records_name(shard)
    # Unbuffered: what write() returned from has left this process, and a full disk is reported at once.
    with on_disk(task.partial), pixels.open("r+b", 0) as p, records.open("a+b", 0) as r:
        _lock(p, task.partial)
        growing = _ShardFiles(p, r, read_records(task.partial, shard), task.channels)
        for done, number in enumerate(mine[growing.done :], growing.done + 1):
            growing.add(*_stored(task, number))
            if report:
                report(done)
        growing.commit()


def read_records(partial: Path, shard: int) -> Array:
    """The whole records that there are: rows and columns (0: skipped), place, sums of values and squares, reason."""
    raw = (partial / records_name(shard)).read_bytes()
    return np.frombuffer(raw, RECORD, len(raw) // RECORD.itemsize)


def records_name(shard: int | str) -> str:
    """Return the name of the file of records of a shard."""
    return f"records-{shard}.raw"


def stored_bytes(records: Array, channels: int) -> Array:
    """Return (n,) bytes that each image takes."""
    return records["rows"].astype(np.int64) * records["columns"] * channels


def _stored(task: ShardTask, number: int) -> tuple[Array, Image.Image | None]:
    """The record of one image, and what is to be stored of it."""
    record = np.zeros((), RECORD)
    try:
        picture, place = task.crops.store(*task.source.picture(number, task.crops.shrink))
    except SourceError as reason:
        record["reason"] = str(reason).encode()[: RECORD["reason"].itemsize]
        return record, None
    for name, value in asdict(place).items():
        record[name] = value
    record["sums"] = _sums(picture)
    return record, picture


def _sums(picture: Image.Image) -> Array:
    """(2, 3) sum of the values and of their squares, by channel."""
    pixels = picture.width * picture.height
    if pixels > COUNTED_PIXELS:
        picture = picture.resize((picture.width // 4, picture.height // 4), Image.Resampling.NEAREST)
    counts = np.reshape(picture.histogram(), (-1, len(GREYS)))
    sums = np.zeros((2, 3))
    sums[:, : len(counts)] = counts @ GREYS, counts @ GREYS**2
    return sums * (pixels / (picture.width * picture.height))


class _ShardFiles:
    """The two files, cut back to the images that are whole and safe, growing image by image."""

    def __init__(self, pixels: FileIO, records: FileIO, there: Array, channels: int) -> None:
        self.pixels, self.records = pixels, records
        self.pending: list[Array] = []
        self.pending_bytes = 0
        write_header(pixels, np.dtype(np.uint8), (0,))
        header = pixels.tell()
        ends = header + np.cumsum(stored_bytes(there, channels))
        self.done = int(np.searchsorted(ends, os.fstat(pixels.fileno()).st_size, "right"))
        pixels.truncate(int(ends[self.done - 1]) if self.done else header)
        records.truncate(self.done * RECORD.itemsize)
        pixels.seek(0, os.SEEK_END)

    def add(self, record: Array, picture: Image.Image | None) -> None:
        """Append an image, or only the record that says why it was skipped."""
        for strip in strips_of(picture) if picture else ():
            write_all(self.pixels, strip)
            self.pending_bytes += strip.nbytes
        self.pending.append(record)
        if self.pending_bytes >= COMMIT_BYTES:
            self.commit()

    def commit(self) -> None:
        """Write to the disk: what was added is safe when this returns."""
        sync(self.pixels)
        if self.pending:
            write_all(self.records, np.stack(self.pending))
        sync(self.records)
        self.pending.clear()
        self.pending_bytes = 0


def _lock(file: FileIO, partial: Path) -> None:
    """Wait until a process of a run that was killed has ended. Raises SourceError where one goes on."""
    until = time.monotonic() + LOCK_S
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > until:
                raise SourceError(f"{partial}: another run is writing it; wait for it, or end it") from error
            time.sleep(RETRY_S)
