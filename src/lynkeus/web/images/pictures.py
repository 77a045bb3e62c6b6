"""Pictures for the browser: thumbnails, images at full resolution, and maps in fixed colours."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import BoundedSemaphore
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from lynkeus.core.errors import SourceError
from lynkeus.sources.images.files import FORMATS, is_deep
from lynkeus.sources.images.pages import file_and_frame, file_and_page
from lynkeus.sources.images.pixel_rule import PixelRule

THUMBNAIL = (224, 192)  # pixels, at most; shown at half that on a dense screen
LONGEST_MAP = 1024  # pixels of the overlay, which is stretched over the image
TOP_SIGMA = 10.0  # the colour scale ends here, for every image alike
CLEAR_BELOW, OPAQUE_FROM = 2.0, 5.0  # sigma
_COLOURS = np.array([(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)], float)  # inferno
_SHOWN_AS_THEY_ARE = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png"}
_decoding = BoundedSemaphore(os.cpu_count() or 2)  # each large image takes tens of MB while it is decoded


class Picture(NamedTuple):
    """What a browser gets: a media type, and bytes or the file that holds them."""

    media_type: str
    content: bytes | Path


class Shot(NamedTuple):
    """Where a picture is, a page of a file or a row of its `array`, and how its pixels become 8 bits."""

    path: Path
    page: int = 0
    rule: PixelRule = PixelRule()
    array: str = ""

    @property
    def changed_ns(self) -> int:
        """Return when the file was changed last."""
        return self.path.stat().st_mtime_ns


def shot(folder: Path, name: str, rule: PixelRule, array: str = "") -> Shot:
    """Return the picture of a folder that scores call by `name`, of an `array` in an HDF5 or NumPy file where there is
    one. Raises SourceError for a file outside of the folder."""
    file, page = file_and_frame(name) if array else file_and_page(name)
    return Shot(inside(folder, file), page, rule, array)


def inside(folder: Path, name: str) -> Path:
    """A file of a folder, wherever its name tries to lead. Raises SourceError for any other."""
    root = folder.resolve()
    try:
        path = (root / name).resolve()
        fine = path.is_relative_to(root) and path.is_file()
    except (OSError, ValueError):  # too long, or with a zero byte
        fine = False
    if not fine:
        raise SourceError(f"there is no file {name!r} in {folder}")
    return path


def size_of(shot: Shot) -> tuple[int, int]:
    """Width and height as a viewer shows it, from the header alone."""
    with _opened(shot) as image:
        width, height = image.size
        turned = image.getexif().get(0x0112, 1) >= 5  # EXIF orientation: a quarter turn
    return (height, width) if turned else (width, height)


def thumbnail(shot: Shot) -> Picture:
    """A small JPEG, from a bounded cache."""
    return Picture("image/jpeg", _thumbnail(shot, shot.changed_ns))


def full(shot: Shot) -> Picture:
    """The file itself where a browser can show it as it is, else a JPEG of it at full resolution."""
    with _opened(shot) as image:
        if image.format in _SHOWN_AS_THEY_ARE and image.mode in ("L", "RGB") and not image.has_transparency_data:
            return Picture(_SHOWN_AS_THEY_ARE[image.format], shot.path)
    return Picture("image/jpeg", _converted(shot, shot.changed_ns))


def crop(shot: Shot, x: float, y: float, side: int) -> Picture:
    """A square PNG around a place of the image at full resolution; what lies beyond its edges is transparent.

    Raises SourceError where all of it does.
    """
    corner = round(x) - side // 2, round(y) - side // 2
    return Picture("image/png", _crop(shot, shot.changed_ns, corner, side))


def overlay(path: Path) -> Picture:
    """A map as a transparent PNG in fixed colours; each of its pixels is the highest sigma of those it stands for."""
    return Picture("image/png", _overlay(path, path.stat().st_mtime_ns))


def colours_of(sigma: np.ndarray) -> np.ndarray:
    """RGBA (..., 4) uint8 of sigma (...), the same for every image: clear below 2, opaque from 5, brightest at 10."""
    known = np.nan_to_num(sigma, nan=0.0)
    stops = np.linspace(0.0, TOP_SIGMA, len(_COLOURS))
    alpha = np.clip((known - CLEAR_BELOW) / (OPAQUE_FROM - CLEAR_BELOW), 0.0, 1.0)
    shades = [np.interp(known, stops, channel) * (alpha > 0) for channel in _COLOURS.T]  # clear pixels pack small
    return np.stack([*shades, 255.0 * alpha], axis=-1).round().astype(np.uint8)


@lru_cache
def colour_bar() -> Picture:
    """The colours from 0 to 10 sigma, left to right."""
    return Picture("image/png", _png(Image.fromarray(colours_of(np.linspace(0.0, TOP_SIGMA, 256))[None], "RGBA")))


@lru_cache(maxsize=4096)
def _thumbnail(shot: Shot, _mtime_ns: int) -> bytes:
    with _opened(shot) as image:
        image.draft(None, THUMBNAIL)  # a JPEG is decoded at an eighth of its size
        small = _eight_bit(ImageOps.exif_transpose(image), shot.rule)
        small.thumbnail(THUMBNAIL)
        return _jpeg(small, 80)


@lru_cache(maxsize=4)
def _converted(shot: Shot, _mtime_ns: int) -> bytes:
    with _opened(shot) as image:
        return _jpeg(_eight_bit(ImageOps.exif_transpose(image), shot.rule), 95)


@lru_cache(maxsize=1024)
def _crop(shot: Shot, _mtime_ns: int, corner: tuple[int, int], side: int) -> bytes:
    with _opened(shot) as image:
        whole = ImageOps.exif_transpose(image)
        pairs = list(zip(corner, whole.size, strict=True))
        box = [max(start, 0) for start, _ in pairs] + [min(start + side, length) for start, length in pairs]
        if box[0] >= box[2] or box[1] >= box[3]:
            raise SourceError(f"{shot.path.name} has no such place: it is {whole.width} x {whole.height} pixels")
        part = _eight_bit(whole.crop(tuple(box)), shot.rule).convert("RGBA")
    square = Image.new("RGBA", (side, side))
    square.paste(part, (box[0] - corner[0], box[1] - corner[1]))
    return _png(square)


@lru_cache(maxsize=32)
def _overlay(path: Path, _mtime_ns: int) -> bytes:
    try:
        sigma = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SourceError(f"{path.name} cannot be read as a map (.npy): {error}") from error
    if sigma.ndim != 2 or not sigma.size or sigma.dtype.kind != "f":
        raise SourceError(f"{path.name} is no map: it holds {sigma.dtype} of shape {sigma.shape}, not rows and columns")
    step = -(-max(sigma.shape) // LONGEST_MAP)
    for axis in (0, 1):  # the highest of each block: a small spot must not thin out
        sigma = np.fmax.reduceat(sigma, np.arange(0, sigma.shape[axis], step), axis=axis)
    return _png(Image.fromarray(colours_of(sigma), "RGBA"))


@contextmanager
def _opened(shot: Shot) -> Iterator[Image.Image]:
    """An image, at most as many at once as there are cores. Raises SourceError where it cannot be decoded."""
    if shot.array:
        yield _frame(shot)
        return
    try:
        with _decoding, Image.open(shot.path, formats=FORMATS) as image:
            if shot.page:
                image.seek(shot.page)
            yield image
    except (OSError, EOFError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SourceError(f"{shot.path.name} cannot be decoded: {error}") from error


def _frame(shot: Shot) -> Image.Image:
    """A picture of an array, in 8 bits as it was scored."""
    from lynkeus.sources.images.frames import FrameSource  # what reads HDF5 is imported where there is such a file

    try:
        frames = FrameSource(shot.path, shot.array, rule=shot.rule)
        with _decoding:
            return frames.picture(shot.page)[0]
    except (SourceError, IndexError) as error:
        raise SourceError(f"{shot.path.name}#{shot.page + 1} of {shot.array} cannot be read: {error}") from error


def _eight_bit(image: Image.Image, rule: PixelRule) -> Image.Image:
    """Return an image in grey or RGB of 8 bits, by the rule by which it was scored."""
    shown = rule.without_alpha(image)
    if is_deep(shown):
        return Image.fromarray(rule.eight_bits(np.asarray(shown)))
    return shown if shown.mode in ("L", "RGB") else shown.convert("L" if shown.mode in ("1", "LA") else "RGB")


def _jpeg(image: Image.Image, quality: int) -> bytes:
    written = io.BytesIO()
    image.save(written, "JPEG", quality=quality)
    return written.getvalue()


def _png(image: Image.Image) -> bytes:
    written = io.BytesIO()
    image.save(written, "PNG", compress_level=1)
    return written.getvalue()
