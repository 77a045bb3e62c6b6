"""Pages: a file of several pictures (TIFF, GIF, WebP) is as many images, called `scan.tif#1`, `scan.tif#2`, ..."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath

from PIL import Image

from lynkeus.core.errors import SourceError
from lynkeus.sources.images.files import opened

PAGED = (".tif", ".tiff", ".gif", ".webp")
KIND_OF_PAGE = 254  # tag of TIFF
COPY, MASK = 1, 4  # bits of it: a page at lower resolution, a mask of transparency


def with_pages(folder: Path, files: Iterable[str]) -> tuple[str, ...]:
    """Return the names of all images in files given by their paths below a folder; of one page the name is the path."""
    return tuple(name for file in files for name in _names(folder, file))


def file_and_page(name: str) -> tuple[str, int]:
    """Return the path of the file that an image is in, and its page, from 0 on."""
    file, mark, number = name.rpartition("#")
    if mark and number.isdecimal() and PurePosixPath(file).suffix.lower() in PAGED:
        return file, int(number) - 1
    return name, 0


def file_and_frame(name: str) -> tuple[str, int]:
    """Return the path of the file that a picture of an array is in, and its number, from 0 on."""
    file, _, number = name.rpartition("#")
    return file, int(number) - 1 if number.isdecimal() else 0


def _names(folder: Path, file: str) -> list[str]:
    if PurePosixPath(file).suffix.lower() not in PAGED:
        return [file]
    pages = [0]
    with suppress(SourceError, EOFError, OSError, SyntaxError, ValueError), opened(folder / file) as picture:
        count = getattr(picture, "n_frames", 1)
        if count > 1:
            pages = [number for number in range(count) if _is_picture(picture, number)] or [0]
    return [file] if pages == [0] else [f"{file}#{number + 1}" for number in pages]


def _is_picture(picture: Image.Image, number: int) -> bool:
    """Whether a page is a picture of its own; TIFF may hold smaller copies and masks beside it."""
    picture.seek(number)
    kind = getattr(picture, "tag_v2", {}).get(KIND_OF_PAGE, 0)
    return not kind & (COPY | MASK)
