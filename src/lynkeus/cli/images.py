"""What the commands do with folders of images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lynkeus.cli.options import screen
from lynkeus.core import SettingsError
from lynkeus.progress import passes_bar, say

if TYPE_CHECKING:
    from lynkeus.evaluate.fitted import Fitted
    from lynkeus.sources.images import ImageSource


@dataclass(frozen=True)
class ImageOptions:
    """What `lynkeus score` is told of images."""

    output: Path
    meta: str | None
    maps: Path | None
    processes: int


def score_images(fitted: Fitted, model: Path, data: str, options: ImageOptions) -> None:
    """A row per image, and maps where they are asked for."""
    from lynkeus.evaluate.inspection import InspectionSettings, inspect_images
    from lynkeus.sources.images import ImageSource

    source = ImageSource(data, options.meta, colour=len(fitted.schema.names) == 3)
    names = (getattr(fitted.scorer, name, "") for name in ("position", "time"))
    settings = InspectionSettings(options.output, options.maps, options.processes, *names)
    with passes_bar(screen, "score") as bar:
        rows = inspect_images(
            model, source, settings, lambda done, total: bar.step(f"{done} of {total} images", done / total)
        )
    say(screen, [*source.messages, f"{options.output}: {rows} images"])


def write_image_bundle(
    source: ImageSource, output: Path, tile: int, overlap: int, crop: int, resize: int, processes: int
) -> None:
    """Images as one bundle: each stored once, crops cut when they are read."""
    from lynkeus.sources.crops import Crops
    from lynkeus.sources.image_bundle_writer import write_images

    if tile and crop:
        raise SettingsError("--tile and --crop: give one of them")
    crops = Crops(tile or crop, overlap, bool(crop), resize)
    with passes_bar(screen, "bundle") as bar:
        total = len(source)
        written = write_images(
            source, output, crops, lambda done: bar.step(f"{done} of {total} images", done / total), processes
        )
    say(screen, [*written.messages, f"{output}: {len(written)} images"])
