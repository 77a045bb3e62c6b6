"""FrameSource: the pictures of an array (n, row, column) in an HDF5 or NumPy file, as if each were a file of its own.

An array of three axes is pictures where both sides have FEWEST_SIDE pixels and neither is LONGEST times the other,
which channels of waveforms hardly are, or where the layout says so: axes = "row,column".
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lynkeus.core.batch import Array, Schema
from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.sources.formats.described import SCHEMA
from lynkeus.sources.formats.hdf.views import datasets_of
from lynkeus.sources.formats.hdf5 import opened
from lynkeus.sources.formats.layout import Layout
from lynkeus.sources.formats.numpy import mapped_rows
from lynkeus.sources.formats.tables import existing_file, listed
from lynkeus.sources.images.files import Pixels
from lynkeus.sources.images.folder import FEW, GREY, LOOKED_AT, RGB, ImageSource
from lynkeus.sources.images.metadata import Metadata, read_metadata
from lynkeus.sources.images.pixel_rule import PixelRule, Range, gaps_in_words

ENDINGS = (".h5", ".hdf5", ".npy", ".npz")
PICTURES = "row,column"  # what a layout says of the axes of a sample
FEWEST_SIDE, LONGEST = 16, 8
CHANNELS = (1, 3, 4)  # of a picture: grey, colour, colour with alpha


def are_pictures(shape: tuple[int, ...]) -> bool:
    """Whether an array of numbers of this shape is pictures, by its shape alone: (n, row, column), (n, row, column,
    channel) or (n, channel, row, column)."""
    if len(shape) == 4:
        return shape[1] in CHANNELS or shape[3] in CHANNELS
    return len(shape) == 3 and min(shape[1:]) >= FEWEST_SIDE and max(shape[1:]) < LONGEST * min(shape[1:])


def pictures_in(path: Path, layout: Layout, asked: bool = False) -> str:
    """Return the name of the one array of pictures in a file, "" where there is none; of a .npy the name of the file.

    A layout may name it by its block. `asked`: pictures are meant, so that any array of three axes is one. Raises
    SourceError where there are several.
    """
    asked = asked or getattr(layout, "axes", "") == PICTURES
    named = [block.dataset for block in layout.blocks]
    if path.suffix.lower() not in ENDINGS or layout.pulses or getattr(layout, "axes", "") not in ("", PICTURES):
        return ""
    with _arrays(path) as arrays:
        if SCHEMA in arrays and not named:
            return ""
        found = [
            name for name, data in arrays.items()
            if data.dtype.kind in "fiu" and (are_pictures(data.shape) or (asked and len(data.shape) == 3))
            and (not named or name in named)
        ]  # fmt: skip
        rows = [name for name, data in arrays.items() if data.ndim == 2 and data.dtype.kind in "fiu"]
    if len(found) > 1:
        raise SourceError(
            f"{path}: holds several arrays of pictures, {listed(found)}; say with --layout which, or with --array NAME"
        )
    return found[0] if found and (asked or named or not rows) else ""


class FrameSource(ImageSource):
    """The pictures of one array, called by the file and their number from 1 on: `frames.h5#1`; see ImageSource.

    8 bits are read as they are, others by the `rule`; of four channels the last, alpha, is dropped. Raises SourceError
    where there is no such array, SettingsError for a colour that it does not have.
    """

    def __init__(
        self,
        path: str | Path,
        array: str,
        meta: str | Path | None = None,
        colour: bool | None = None,
        rule: PixelRule | None = None,
    ) -> None:
        self.path = existing_file(Path(path).expanduser())
        self.array, self.folder, self.files = array, self.path.parent, (self.path,)
        self.use = "all"
        self.left_out, self.skipped = [], {}
        with _arrays(self.path) as arrays:
            if array not in arrays:
                raise SourceError(f"{self.path}: no array {array!r}; the file holds {listed(list(arrays))}")
            self.shape, self.dtype = arrays[array].shape, arrays[array].dtype
        self.first = len(self.shape) == 4 and self.shape[1] in CHANNELS and self.shape[3] not in CHANNELS
        channels = 1 if len(self.shape) == 3 else self.shape[1 if self.first else 3]
        self.colour = channels > 1 if colour is None else colour
        if channels > 1 and not self.colour:
            raise SettingsError(f"{self.path}: {array} is in colour, and the model is of grey images")
        self.images = tuple(f"{self.path.name}#{number + 1}" for number in range(self.shape[0]))
        if not self.images:
            raise SourceError(f"{self.path}: {array} holds no picture")
        self.meta = Path(meta).expanduser() if meta else None
        self.metadata = read_metadata(self.meta, self.images) if self.meta else Metadata()
        self.rule = self._own_rule() if rule is None else rule
        count = len(self.images)
        if rule is not None and self.dtype.kind == "f":
            self._ranges(FEW)
        self.left_out += [] if rule is None else rule.unlike(count * (self.dtype != np.uint8), count)
        names = RGB if self.colour else GREY
        self.schema = Schema("image", names, shape=(len(names), None, None))

    @property
    def again(self) -> Callable[[], ImageSource]:
        """What opens the same pictures once more, in another process."""
        return partial(FrameSource, self.path, self.array, self.meta, self.colour, self.rule)

    def file_of(self, image: str) -> Path:
        """The file that a picture is in."""
        return self.path

    def pixels(self, number: int) -> Pixels:
        """The pixels (row, column, channel) of one picture. Raises SourceError, the reason only."""
        values = self._values(number)
        values = values if values.dtype == np.uint8 else self.rule.eight_bits(values)
        return np.repeat(values, 3, axis=2) if self.colour and values.shape[2] == 1 else values

    def picture(self, number: int, shrink: int = 1) -> tuple[Image.Image, int]:
        """The same as a Pillow image, never shrunk."""
        pixels = self.pixels(number)
        return Image.fromarray(np.ascontiguousarray(pixels if self.colour else pixels[:, :, 0])), 1

    def read(self, file: str) -> Array:
        """One picture by its name, (channel, row, column). Raises SourceError where it cannot be read."""
        return self.pixels(self.images.index(file)).transpose(2, 0, 1)

    @cached_property
    def origin(self) -> dict[str, Any]:
        """Which pictures these are, from the size and the time of the file."""
        about = self.path.stat()
        return {
            "path": str(self.path.absolute()), "folder": str(self.folder.absolute()), "array": self.array,
            "images": len(self.images), "bytes": about.st_size, "changed_ns": about.st_mtime_ns,
            "meta": str(self.meta.absolute()) if self.meta else "",
        }  # fmt: skip

    def _values(self, number: int) -> Array:
        """One picture as it is stored, (row, column, channel) of at most three channels."""
        try:
            with _arrays(self.path) as arrays:
                values = np.asarray(arrays[self.array][number])
        except OSError as error:
            raise SourceError(f"is damaged ({error})") from error
        values = np.moveaxis(values, 0, 2) if self.first else values
        return np.atleast_3d(values)[:, :, :3]

    def _own_rule(self) -> PixelRule:
        if self.dtype == np.uint8:
            return PixelRule().of_depth(False)
        return PixelRule.of(self._ranges(LOOKED_AT)).of_depth(True)

    def _ranges(self, most: int) -> list[Range]:
        """The ranges of at most so many pictures; that pixels of them have no value is said."""
        step = -(-len(self.images) // most)
        ranges = [Range.of(self._values(number)) for number in range(0, len(self.images), step)]
        self.left_out += gaps_in_words(ranges)
        return ranges


@contextmanager
def _arrays(path: Path) -> Iterator[dict[str, Any]]:
    """The arrays of a file by name, still on the disk but for .npz. Raises SourceError where the file is none."""
    if path.suffix.lower() == ".npy":
        yield {path.name: mapped_rows(path)}
    elif path.suffix.lower() == ".npz":
        yield _unpacked(path, path.stat().st_mtime_ns)
    else:
        with opened(path) as file:
            yield dict(datasets_of(file))


_held: dict[tuple[Path, int], dict[str, Array]] = {}


def _unpacked(path: Path, changed_ns: int) -> dict[str, Array]:
    """An .npz is unpacked as a whole; the last one is held."""
    if (path, changed_ns) not in _held:
        try:
            with np.load(path, allow_pickle=False) as file:
                found = {name: file[name] for name in file.files}
        except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
            reason = "pickled objects" if "pickle" in str(error) else "not a complete .npz file"
            raise SourceError(f"{path}: {reason}; save plain arrays with numpy.savez again") from error
        _held.clear()
        _held[path, changed_ns] = found
    return _held[path, changed_ns]
