"""What the commands do with folders of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from lynkeus.cli.options import Data, LayoutName, MetaTable, images_for, screen
from lynkeus.core import Array, SettingsError
from lynkeus.progress import Passes, passes_bar, say


def export_model(model: Path, output: Path) -> float:
    """As ONNX, with all that is needed to score images; the largest difference of what both find."""
    from lynkeus.fitting.fitted import Fitted, export

    fitted = Fitted.load(model)
    if output.is_dir():
        raise SettingsError(f"{output} is a folder; give the name of a file, as {output.name}/model.onnx")
    return export(fitted, output)


@dataclass(frozen=True)
class BundleOptions:
    """What `lynkeus bundle` is told; all but the first three are of images."""

    data: Data
    output: Annotated[Path, typer.Argument(help="Folder to write")]
    layout: LayoutName = None
    meta: MetaTable = None
    tile: Annotated[int, typer.Option(help="Images: side of overlapping tiles in pixels; 0: whole images")] = 0
    overlap: Annotated[int, typer.Option(help="Images: pixels that neighbouring tiles share")] = 0
    crop: Annotated[int, typer.Option(help="Images: side of one crop from the centre in pixels")] = 0
    resize: Annotated[int, typer.Option(help="Images: side of each crop or tile as stored; 0: as it is")] = 0
    processes: Annotated[int, typer.Option(help="Images: how many processes decode")] = 1


@dataclass(frozen=True)
class CorrelateOptions:
    """What `lynkeus correlate` is told."""

    scores: Annotated[Path, typer.Argument(help="Scores of images, written by lynkeus score")]
    properties: Annotated[Path, typer.Argument(help="CSV or Parquet: a row per cavity, such as max_field_mv_m, q0")]
    output: Annotated[Path, typer.Option("-o", "--output", help="HTML report; tables go beside it as Parquet")]
    scan: Annotated[str, typer.Option(help="What stands for a cavity: its last scan, all, or a scan by name")] = "last"


def write_any_bundle(options: BundleOptions) -> None:
    """Of tables, or of images: each stored once, crops cut when they are read."""
    from lynkeus.sources import Crops, ImageSource, open_source, write_bundle
    from lynkeus.sources.images.bundle_writer import write_images

    source = open_source(options.data, options.layout, options.meta)
    with passes_bar(screen, "bundle") as bar:
        if isinstance(source, ImageSource):
            if options.tile and options.crop:
                raise SettingsError("--tile and --crop: give one of them")
            crops = Crops(options.tile or options.crop, options.overlap, bool(options.crop), options.resize)
            images = write_images(
                source, options.output, crops,
                lambda done: bar.step(f"{done} of {len(source)} images", done / max(1, len(source))), options.processes,
            )  # fmt: skip
            said = [*images.messages, f"{options.output}: {len(images)} images or crops"]
        else:
            passes = Passes(source, bar)
            said = [f"{options.output}: {len(write_bundle(passes, options.output))} rows"]
            said = [*passes.messages, *said]
    say(screen, said)


def write_latent_maps(model: Path, data: str, output: Path, meta: str | None) -> None:
    """Features of images by a model that has them, as maps and as numbers."""
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.scans.latent import write_latent

    fitted = Fitted.load(model)
    if not hasattr(fitted.scorer, "features"):
        raise SettingsError(f"the scorer {fitted.name} has no features of whole images; fit with -s inspect")
    source = images_for(fitted, data, meta)
    with passes_bar(screen, "latent") as bar:
        parts = [(fitted.scorer.features(batch), batch.meta) for batch in Passes(source, bar)]
    found = write_latent(np.concatenate([part for part, _ in parts]), _joined([m for _, m in parts]), output)
    say(
        screen, [*getattr(source, "messages", ()), *(one.line() for one in found), f"{output / 'latent.png'}: the maps"]
    )


def _joined(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
