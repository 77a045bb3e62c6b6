"""What the commands do with folders of images, and with maps of what a model sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lynkeus.cli.options import BundleOptions, images_for, open_as_fitted, screen
from lynkeus.cli.passes import Passes
from lynkeus.core import Array, SettingsError
from lynkeus.core.extras import needing
from lynkeus.progress import passes_bar, say


def export_model(model: Path, output: Path) -> float:
    """Write a model as ONNX, with all that is needed to score images, and say the largest difference between both."""
    from lynkeus.fitting.fitted import Fitted, export

    with needing("lynkeus export", "export"):
        import torch  # noqa: F401 - said before a model is read
    fitted = Fitted.load(model)
    if output.is_dir():
        raise SettingsError(f"{output} is a folder; give the name of a file, as {output.name}/model.onnx")
    with needing("lynkeus export", "export"):
        return export(fitted, output)


def write_any_bundle(options: BundleOptions) -> None:
    """Write a bundle of a table or of images: each image is stored once, crops are cut when they are read."""
    from lynkeus.files.cluster import workers_of
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
                lambda done: bar.step(f"{done} of {len(source)} images", done / max(1, len(source))),
                *workers_of(options.workers),
            )  # fmt: skip
            said = [*images.messages, f"{options.output}: {len(images)} images or crops"]
        else:
            passes = Passes(source, bar)
            said = [f"{options.output}: {len(write_bundle(passes, options.output))} rows"]
            said = [*passes.messages, *said]
    say(screen, said)


def write_latent_maps(model: Path, data: str, output: Path, meta: str | None) -> None:
    """Features of images or texts by a model that has them, as maps and as numbers."""
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.scans.latent import FILE, write_latent

    fitted = Fitted.load(model)
    if not hasattr(fitted.scorer, "features"):
        raise SettingsError(
            f"the scorer {fitted.name} has no features of whole images or texts; fit one that has (such as inspect, or "
            "unusual_text)"
        )
    texts = fitted.view.schema.kind == "text"
    source = open_as_fitted(fitted, data, None) if texts else images_for(fitted, data, meta)
    with passes_bar(screen, "latent") as bar:
        parts = [(fitted.scorer.features(batch), batch.meta) for batch in Passes(source, bar)]
    features, known = np.concatenate([part for part, _ in parts]), _joined([m for _, m in parts])
    if texts:  # a text has no file of its own
        known[FILE] = known.get("name", np.array([f"row {k}" for k in range(len(features))]))
    found = write_latent(features, known, output)
    say(
        screen, [*getattr(source, "messages", ()), *(one.line() for one in found), f"{output / 'latent.png'}: the maps"]
    )


def _joined(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
