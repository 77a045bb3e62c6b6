"""What the commands do with folders of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lynkeus.cli.options import BundleOptions, screen
from lynkeus.cli.passes import Passes
from lynkeus.core import Array, SettingsError
from lynkeus.core.extras import needing
from lynkeus.progress import passes_bar, say

if TYPE_CHECKING:
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.sources.images.folder import ImageSource


@dataclass(frozen=True)
class ImageOptions:
    """What `lynkeus score` is told of images."""

    output: Path
    meta: str | None
    maps: Path | None
    processes: int


def load_model(model: Path) -> Fitted:
    """From a model folder, or (images only) from a file of `lynkeus export`, named *.onnx."""
    from lynkeus.fitting.fitted import Fitted

    if model.suffix.lower() != ".onnx" or model.is_dir():
        return Fitted.load(model)
    from lynkeus.scorers.inspect.onnx import OnnxInspect

    scorer: Any = OnnxInspect.load(model)
    return Fitted.from_dict(scorer.fitted, scorer, np.empty((0, 0)))


def export_model(model: Path, output: Path) -> float:
    """As ONNX, with all that is needed to score images; the largest difference of what both find."""
    from lynkeus.fitting.fitted import Fitted

    with needing("lynkeus export", "export"):
        from lynkeus.scorers.inspect.export import export_inspect
        from lynkeus.scorers.inspect.scorer import Inspect
        from lynkeus.scorers.onnx.export import export_onnx
    fitted = Fitted.load(model)
    if output.is_dir():
        raise SettingsError(f"{output} is a folder; give the name of a file, as {output.name}/model.onnx")
    if isinstance(fitted.scorer, Inspect):
        return export_inspect(fitted.scorer, output, fitted.to_dict())
    return export_onnx(fitted.scorer, output)


def score_images(fitted: Fitted, model: Path, data: str, options: ImageOptions) -> None:
    """A row per image, and maps where they are asked for."""
    from lynkeus.fitting.inspection import InspectionSettings, inspect_images

    source = _images_for(fitted, data, options.meta)
    position, time = (getattr(fitted.scorer, name, "") for name in ("position", "time"))
    settings = InspectionSettings(options.output, options.maps, options.processes, position, time, load_model)
    with passes_bar(screen, "score") as bar:
        rows = inspect_images(
            model, source, settings, lambda done, total: bar.step(f"{done} of {total} images", done / total)
        )
    say(screen, [*source.messages, f"{options.output}: {rows} images"])


def _images_for(fitted: Fitted, data: str, meta: str | None) -> ImageSource:
    """Images as the model reads them, grey or colour. Raises SettingsError for a bundle: spots belong to files."""
    from lynkeus.sources.images.bundle import is_image_bundle
    from lynkeus.sources.images.folder import ImageSource

    if is_image_bundle(Path(data)):
        raise SettingsError(f"{data}: is a bundle, from which a model is fitted; give the folder of its images here")
    return ImageSource(data, meta, colour=len(fitted.schema.names) == 3)


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
    source = _images_for(fitted, data, meta)
    with passes_bar(screen, "latent") as bar:
        parts = [(fitted.scorer.features(batch), batch.meta) for batch in Passes(source, bar)]
    found = write_latent(np.concatenate([part for part, _ in parts]), _joined([m for _, m in parts]), output)
    say(screen, [*source.messages, *(one.line() for one in found), f"{output / 'latent.png'}: the maps"])


def _joined(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
