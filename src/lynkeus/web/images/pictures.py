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

THUMBNAIL = (224, 192)  # pixels, at most; shown at half that on a dense screen
LONGEST_MAP = 1024  # pixels of the overlay, which is stretched over the image
TOP_SIGMA = 10.0  # the colour scale ends here, for every image alike
CLEAR_BELOW, OPAQUE_FROM = 2.0, 5.0  # sigma
_COLOURS = np.array([(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)], float)  # inferno
FORMATS = ("JPEG", "PNG", "TIFF", "BMP")
_SHOWN_AS_THEY_ARE = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png"}
_decoding = BoundedSemaphore(os.cpu_count() or 2)  # each large image takes tens of MB while it is decoded


class Picture(NamedTuple):
    """What a browser gets: a media type, and bytes or the file that holds them."""

    media_type: str
    content: bytes | Path


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


def size_of(path: Path) -> tuple[int, int]:
    """Width and height as a viewer shows it, from the header alone."""
    with _opened(path) as image:
        width, height = image.size
        turned = image.getexif().get(0x0112, 1) >= 5  # EXIF orientation: a quarter turn
    return (height, width) if turned else (width, height)


def thumbnail(path: Path) -> Picture:
    """A small JPEG, from a bounded cache."""
    return Picture("image/jpeg", _thumbnail(path, path.stat().st_mtime_ns))


def full(path: Path) -> Picture:
    """The file itself where a browser can show it as it is, else a JPEG of it at full resolution."""
    with _opened(path) as image:
        if image.format in _SHOWN_AS_THEY_ARE and image.mode in ("L", "RGB"):
            return Picture(_SHOWN_AS_THEY_ARE[image.format], path)
    return Picture("image/jpeg", _converted(path, path.stat().st_mtime_ns))


def crop(path: Path, x: float, y: float, side: int) -> Picture:
    """A square PNG around a place of the image at full resolution; what lies beyond its edges is transparent.

    Raises SourceError where all of it does.
    """
    corner = round(x) - side // 2, round(y) - side // 2
    return Picture("image/png", _crop(path, path.stat().st_mtime_ns, corner, side))


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
def _thumbnail(path: Path, _mtime_ns: int) -> bytes:
    with _opened(path) as image:
        image.draft(None, THUMBNAIL)  # a JPEG is decoded at an eighth of its size
        small = _eight_bit(ImageOps.exif_transpose(image))
        small.thumbnail(THUMBNAIL)
        return _jpeg(small, 80)


@lru_cache(maxsize=4)
def _converted(path: Path, _mtime_ns: int) -> bytes:
    with _opened(path) as image:
        return _jpeg(_eight_bit(ImageOps.exif_transpose(image)), 95)


@lru_cache(maxsize=1024)
def _crop(path: Path, _mtime_ns: int, corner: tuple[int, int], side: int) -> bytes:
    with _opened(path) as image:
        whole = ImageOps.exif_transpose(image)
        pairs = list(zip(corner, whole.size, strict=True))
        box = [max(start, 0) for start, _ in pairs] + [min(start + side, length) for start, length in pairs]
        if box[0] >= box[2] or box[1] >= box[3]:
            raise SourceError(f"{path.name} has no such place: it is {whole.width} x {whole.height} pixels")
        part = _eight_bit(whole.crop(tuple(box))).convert("RGBA")
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
def _opened(path: Path) -> Iterator[Image.Image]:
    """An image, at most as many at once as there are cores. Raises SourceError where it cannot be decoded."""
    try:
        with _decoding, Image.open(path, formats=FORMATS) as image:
            yield image
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SourceError(f"{path.name} cannot be decoded: {error}") from error


def _eight_bit(image: Image.Image) -> Image.Image:
    """Grey or RGB of 8 bits; of 16 bits the upper eight."""
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image).astype(np.int32) >> 8).clip(0, 255).astype(np.uint8))
    return image if image.mode in ("L", "RGB") else image.convert("L" if image.mode in ("1", "LA", "F") else "RGB")


def _jpeg(image: Image.Image, quality: int) -> bytes:
    written = io.BytesIO()
    image.save(written, "JPEG", quality=quality)
    return written.getvalue()


def _png(image: Image.Image) -> bytes:
    written = io.BytesIO()
    image.save(written, "PNG", compress_level=1)
    return written.getvalue()
