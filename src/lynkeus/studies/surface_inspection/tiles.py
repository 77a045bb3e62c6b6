"""The images of the study: magnetic tiles as published (Huang et al. 2018), or simulated niobium in their place."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from lynkeus.core import Array, Batch, Schema, SourceError
from lynkeus.simulate.surface.defects import CLASSES
from lynkeus.simulate.surface.source import SurfaceSource, take
from lynkeus.sources import ImageSource, InMemory, Select
from lynkeus.sources.wrappers.wrapper import Wrapper

TILE_CLASSES = ("good", "blowhole", "break", "crack", "fray", "uneven")
FOLDERS = ("MT_Free", "MT_Blowhole", "MT_Break", "MT_Crack", "MT_Fray", "MT_Uneven")
LEARNED = "differnet_train_filenames.txt"  # of DifferNet (Rudolph et al. 2021): 761 good images to learn from
WHITE = 127  # masks are grey: above this is defect
SIDE = 64  # pixels of a thumbnail
GREY = Schema("image", ("grey",), shape=(1, SIDE, SIDE))

Mask = npt.NDArray[np.bool_]


class Surface(Protocol):
    """A Source of images with truth, meta file, exposure and looked_at (1: seen while inspect was made), and their
    masks."""

    @property
    def schema(self) -> Schema: ...

    def __iter__(self) -> Iterator[Batch]: ...

    def mask(self, file: str) -> Mask | None:
        """Return where the defects of an image are (row, column); None for a faulty one of which nobody knows."""


class Tiles(Wrapper):
    """Magnetic tiles below a folder: the good images of the published list to `learn` from, or all others."""

    def __init__(self, folder: Path, learn: bool) -> None:
        images = ImageSource(folder / "MT_*/Imgs/*.jpg", colour=False)
        try:
            names = set((folder / LEARNED).read_text(encoding="utf-8").split())
        except OSError as error:
            raise SourceError(f"{folder / LEARNED}: cannot be read; put the published list there") from error
        listed = np.array([PurePosixPath(file).name in names for file in images.images])
        super().__init__(Select(images, mask=listed == learn))
        self.folder = folder

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.source:
            files = batch.meta["file"]
            truth = np.array([FOLDERS.index(file.split("/")[0]) for file in files])
            names = [PurePosixPath(file).name for file in files]
            exposure = np.array([name.split("_")[0] for name in names])
            even = np.array([zlib.crc32(name.encode()) % 2 == 0 for name in names])
            looked_at = np.where((truth > 0) & even, 1, 0)
            yield replace(batch, truth=truth, meta={**batch.meta, "exposure": exposure, "looked_at": looked_at})

    def mask(self, file: str) -> Mask | None:
        """Read the mask from the PNG beside the image; four masks of uneven tiles are empty, which is no answer."""
        if file.startswith(FOLDERS[0]):
            with Image.open(self.folder / file) as image:
                return np.zeros(image.size[::-1], bool)
        with Image.open((self.folder / file).with_suffix(".png")) as image:
            found = np.asarray(image.convert("L")) > WHITE
        return found if found.any() else None


@dataclass(frozen=True)
class Niobium:
    """Simulated images of niobium, a share of them with `defects`."""

    images: int
    size: int
    defects: float
    seed: int

    @property
    def schema(self) -> Schema:
        """Return the schema: colour images of any size."""
        return self._all.schema

    @cached_property
    def _all(self) -> SurfaceSource:
        return SurfaceSource(self.images, self.size, treatment="ep", vendor="b", defects=self.defects, seed=self.seed)

    @cached_property
    def _made(self) -> tuple[Batch, list[Mask]]:
        shots = [self._all.shot(index) for index in range(self.images)]
        pictures = [take(shot) for shot in shots]
        kinds = [shot.defects[0].kind if shot.defects else CLASSES[0] for shot in shots]
        meta = {
            "file": np.array([f"{index:06d}" for index in range(self.images)]),
            "exposure": np.full(self.images, ""),
            "looked_at": np.zeros(self.images, np.int64),
        }
        truth = np.array([CLASSES.index(kind) for kind in kinds])
        pixels = np.stack([picture.pixels for picture in pictures])
        return Batch(self.schema, pixels, truth=truth, meta=meta), [picture.mask for picture in pictures]

    def __len__(self) -> int:
        return self.images

    def __iter__(self) -> Iterator[Batch]:
        yield from InMemory(self._made[0], 32)

    def mask(self, file: str) -> Mask | None:
        """Return the mask as simulated; None where a defect left no pixel darker or brighter."""
        number = int(file)
        found, truth = self._made[1][number], self._made[0].truth
        return found if found.any() or truth is None or not truth[number] else None


class Thumbnails(Wrapper):
    """The same images, grey and stretched to SIDE x SIDE pixels, each the mean of what it covers."""

    def __init__(self, source: Surface) -> None:
        super().__init__(source, GREY)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.source:
            yield batch.with_values(thumbnails(batch.values), GREY)


def thumbnails(images: Array) -> Array:
    """Return (n, 1, SIDE, SIDE) of images (n, channel, row, column) of 8 bits."""
    found = [np.asarray(grey(image).resize((SIDE, SIDE), Image.Resampling.BOX)) for image in images]
    return np.array(found)[:, None]


def grey(image: Array) -> Image.Image:
    """An image (channel, row, column) as grey picture: the mean of its colours."""
    return Image.fromarray(image.mean(axis=0).round().astype(np.uint8))
