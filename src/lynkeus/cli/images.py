"""What the commands do with folders of images, and with maps of what a model sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lynkeus.cli.options import BundleOptions, images_for, open_as_fitted, screen
from lynkeus.cli.passes import Passes
from lynkeus.core import Array, Batch, SettingsError, about_of
from lynkeus.core.extras import needing
from lynkeus.progress import passes_bar, say

COLOURS = ("grey", "red", "green", "blue")
FEW_VALUES = 12


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
    """Features of images, texts or maps of something else by a model that has them, as maps and as numbers."""
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.scans.latent import FILE, write_latent

    fitted = Fitted.load(model)
    if not hasattr(fitted.scorer, "features"):
        raise SettingsError(
            f"the scorer {fitted.name} has no features of whole images or texts; fit one that has (such as inspect, or "
            "unusual_text)"
        )
    texts = fitted.view.schema.kind == "text"
    pictures = not texts and bool(set(fitted.view.schema.names) & set(COLOURS))
    classes = fitted.scorer.outputs if about_of(fitted.scorer).by_class else ()
    source = images_for(fitted, data, meta) if pictures else open_as_fitted(fitted, data, None)
    source = source if pictures or texts else fitted.prepare(source)
    with passes_bar(screen, "latent") as bar:
        batches = ((fitted.scorer.features(batch), batch) for batch in Passes(source, bar))
        parts = [(own, batch.meta if pictures or texts else _known(batch, classes)) for own, batch in batches]
    features, known = np.concatenate([part for part, _ in parts]), _joined([m for _, m in parts])
    if not pictures:  # a text, or a map, has no file of its own
        known = known if texts else _few_values(known)
        known[FILE] = known.get("name", np.array([f"row {k}" for k in range(len(features))]))
    found = write_latent(features, known, output)
    say(
        screen, [*getattr(source, "messages", ()), *(one.line() for one in found), f"{output / 'latent.png'}: the maps"]
    )


def _known(batch: Batch, classes: Sequence[str]) -> dict[str, Array]:
    """Return what is known of the samples of a batch, with the names of their classes."""
    own = dict(batch.meta) | ({} if batch.meta else {"row": np.arange(len(batch))})
    names = batch.schema.classes or classes
    if names and batch.truth is not None and np.max(batch.truth, initial=0) < len(names):
        own["class"] = np.array([*names, ""])[np.asarray(batch.truth)]
    return own


def _few_values(known: Mapping[str, Array]) -> dict[str, Array]:
    """Return columns, with numbers of which there are a few, such as the potentials of a simulation, as words."""
    found = {}
    for name, column in known.items():
        few = column.dtype.kind == "f" and len(np.unique(column)) <= FEW_VALUES
        found[name] = np.array([f"{value:g}" for value in column]) if few else column
    return found


def _joined(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
