"""ImageSource: a folder of images of any usual format, each of its own size, as batches of 8-bit pixels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from lynkeus.core.batch import Array, Batch, Schema
from lynkeus.core.errors import SourceError
from lynkeus.sources.images.files import (
    ENDINGS,
    Pixels,
    find_images,
    images_with_meta,
    is_colour,
    is_deep,
    opened,
    other_files,
    read_picture,
    read_pixels,
)
from lynkeus.sources.images.known_folders import Use, chosen
from lynkeus.sources.images.masks import masks_beside
from lynkeus.sources.images.metadata import Metadata, read_metadata
from lynkeus.sources.images.pages import file_and_page, with_pages
from lynkeus.sources.images.pixel_rule import PixelRule, Range, gaps_in_words

BATCH_PIXELS = 16_000_000
GREY, RGB = ("grey",), ("red", "green", "blue")
NAMED = 5  # files that a message names
DEEP = (".png", ".tif", ".tiff", ".jp2", ".j2k")  # that may have more than 8 bits
MOSTLY = 0.5  # share of the images that have more than 8 bits, from which on these ask for a scale
FEW = 20  # images of which it is seen whether they have as many bits as those that were learned from
LOOKED_AT = 300  # images of more than 8 bits, to see which range they use


class ImageSource:
    """All images below a folder, one file, or a pattern such as `tiles/*.jpg`, sorted by relative path.

    RGB throughout where any image is colour, else grey (`colour` decides instead, so that a model of colour images can
    score grey ones); values (n, channel, row, column) uint8 as `read_pixels` says by the `rule` (None: the one that
    these images ask for), x to the right and y down as a viewer shows the picture. Neighbours of one size share a batch
    of at most 16 megapixels; in memory a pixel's channels lie together. Pages of one file are images each, `a.tif#1`.
    `meta`: CSV or Parquet table, see `read_metadata`; a folder that holds `images/` and `meta.csv` brings its own.
    `use`: what images are for, where the names of folders say what they hold (see `known_folders`); labels of all
    images in the table count more than names. meta["file"] is the path relative to `folder`.

    Images that cannot be read are left out: `skipped` says why, `messages` counts them, and what else in the folder was
    left out. Both fill up during the first pass; `len` is what is left. Raises SourceError where there is no image, or
    none can be read.
    """

    array: str = ""  # in their one file that holds them, see `FrameSource`

    def __init__(
        self,
        path: str | Path,
        meta: str | Path | None = None,
        colour: bool | None = None,
        rule: PixelRule | None = None,
        use: Use = "all",
    ) -> None:
        self.path = Path(path).expanduser()
        if meta is None:
            self.path, meta = images_with_meta(self.path) or (self.path, None)
        self.meta = Path(meta).expanduser() if meta else None
        self.use = use
        self.folder, files = find_images(self.path)
        # the images are too many to name: see `origin`
        self.files = (self.path if self.path.exists() else self.folder,)
        if not files:
            raise SourceError(f"{path}: no image with the ending {', '.join(ENDINGS)}; check the path")
        self.left_out = other_files(self.path, self.meta) if use != "all" else []
        self.images, self.metadata = self._chosen(files)
        self.skipped: dict[str, str] = {}
        self.colour = self._any_colour() if colour is None else colour
        if len(self.skipped) == len(self.images):
            first, reason = next(iter(self.skipped.items()))
            raise SourceError(f"{self.folder / first}: {reason}; none of {len(self.images)} images can be read")
        self.rule = self._own_rule() if rule is None else rule
        self.left_out += [] if rule is None else rule.unlike(*self._deep())
        names = RGB if self.colour else GREY
        self.schema = Schema("image", names, shape=(len(names), None, None))

    def _chosen(self, files: Sequence[str]) -> tuple[tuple[str, ...], Metadata]:
        """The images that are meant, and what is known of them."""
        if self.use != "all" and (masks := set(masks_beside(self.folder, files))):
            files = [file for file in files if file not in masks]
            self.left_out.append(
                f"{self.path}: {len(masks)} images of few values beside others of the same name are taken for their "
                f"masks and left out ({min(masks)}, ...)"
            )
        kept, line = chosen(files, self.use)
        images = with_pages(self.folder, files)
        metadata = read_metadata(self.meta, images) if self.meta else Metadata()
        if not line or metadata.truth is not None:
            return images, metadata
        self.left_out.append(f"{self.path}: {line}")
        if not kept:
            raise SourceError(f"{self.path}: {line}")
        images = with_pages(self.folder, kept)
        return images, read_metadata(self.meta, images) if self.meta else metadata

    @property
    def again(self) -> Callable[[], ImageSource]:
        """What opens the same images once more, in another process."""
        return partial(ImageSource, self.path, self.meta, self.colour, self.rule, self.use)

    def file_of(self, image: str) -> Path:
        """The file that an image is in."""
        return self.folder / file_and_page(image)[0]

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
        return read_pixels(*self._place(self.images[number]), self.rule)

    def picture(self, number: int, shrink: int = 1) -> tuple[Image.Image, int]:
        """The same as `read_picture` gives it."""
        path, colour, page = self._place(self.images[number])
        return read_picture(path, colour, shrink, page, self.rule)

    def read(self, file: str) -> Array:
        """One image by its relative path, (channel, row, column). Raises SourceError where it cannot be read."""
        try:
            return read_pixels(*self._place(file), self.rule).transpose(2, 0, 1)
        except SourceError as reason:
            raise SourceError(f"{self.folder / file}: {reason}") from reason

    @property
    def messages(self) -> list[str]:
        """Return what was left out, how pixels are scaled, and what of the metadata fits no image."""
        skipped = skipped_lines(self.skipped, len(self.images))
        return [*self.left_out, *skipped, *self.rule.words(), *self.metadata.messages]

    @cached_property
    def origin(self) -> dict[str, Any]:
        """Return which images these are, from names and sizes alone: quick for 350,000 images, to read them takes
        hours."""
        sizes = [self.file_of(image).stat().st_size for image in self.images]
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
                if is_colour(self.file_of(file)):
                    return True
            except SourceError as reason:
                self.skipped[file] = str(reason)
        return False

    def _own_rule(self) -> PixelRule:
        """The rule that these images ask for, by some of those that may have more than 8 bits."""
        deep = [image for image in self.images if PurePosixPath(self.file_of(image)).suffix.lower() in DEEP]
        looked_at = deep[:: -(-len(deep) // LOOKED_AT) or 1]
        ranges = [found for found in map(self._range, looked_at) if found is not None]
        self.left_out += gaps_in_words(ranges)
        share = len(ranges) / max(len(looked_at), 1) * len(deep) / len(self.images)
        return PixelRule.of(ranges if share >= MOSTLY else []).of_depth(share >= MOSTLY)

    def _deep(self) -> tuple[int, int]:
        """How many of some images have more than 8 bits, and how many were looked at."""
        some = self.images[:: -(-len(self.images) // FEW) or 1]
        found = []
        for image in some:
            with suppress(SourceError, OSError), opened(self.file_of(image)) as picture:
                found.append(is_deep(picture))
        if any(found):
            self.left_out += gaps_in_words([one for one in map(self._range, some) if one is not None])
        return sum(found), len(found)

    def _range(self, image: str) -> Range | None:
        """The range of an image of more than 8 bits."""
        path, _, page = self._place(image)
        with suppress(SourceError, OSError, EOFError, SyntaxError, ValueError), opened(path) as picture:
            if is_deep(picture):
                picture.seek(page)
                return Range.of(np.asarray(picture))
        return None

    def _place(self, image: str) -> tuple[Path, bool, int]:
        file, page = file_and_page(image)
        return self.folder / file, self.colour, page

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
