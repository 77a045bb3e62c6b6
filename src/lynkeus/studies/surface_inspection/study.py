"""Magnetic tiles: who knows which image is defective, who points at the defect, and what does it without looking?"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from lynkeus.core import Baseline, Case, Check, Comparison, Part
from lynkeus.simulate.surface.defects import CLASSES
from lynkeus.studies.surface_inspection.controls import CONTRAST, DESCRIBED, Control, StrongestContrast
from lynkeus.studies.surface_inspection.look import SurfaceLook
from lynkeus.studies.surface_inspection.tiles import SIDE, TILE_CLASSES, Niobium, Surface, Thumbnails, Tiles

Options = Mapping[str, Mapping[str, Any]]


class ImageCases(NamedTuple):
    """To learn from, to test on, the names of the truth, and what they are, in words."""

    train: Surface
    test: Surface
    classes: tuple[str, ...]
    words: str


def surface_inspection(smoke: bool = False) -> Comparison:
    """Which image is defective, where is the defect, and how do patches, generators and autoencoders compare?"""
    folder = Path(os.environ.get("LYNKEUS_DATA", "")) / "magnetic_tile"
    tiles = not smoke and bool(os.environ.get("LYNKEUS_DATA")) and folder.is_dir()
    images = _tiles(folder) if tiles else _simulated(smoke)
    controls: dict[str, Baseline] = {
        name: Control(images.train, images.test, describe) for name, describe in DESCRIBED.items()
    }
    look = SurfaceLook(images.train, images.test, images.classes, random=not smoke)
    parts = {
        "images": Part(
            {"tiles": Case(images.train, images.test)},
            {"inspect": SMOKE_INSPECT if smoke else {}},
            images.classes,
            controls | {CONTRAST: StrongestContrast(images.test)},
            look=look,
            data=images.words,
        ),
        "thumbnails": Part(
            {"tiles": Case(Thumbnails(images.train), Thumbnails(images.test))},
            _networks(SMOKE_EPOCHS if smoke else EPOCHS),
            images.classes,
            look=look,
            data=f"the same images, grey, stretched to {SIDE} x {SIDE} pixels; maps are residuals in sigma of good "
            "images at that place, at the size of the image",
        ),
    }
    return Comparison(
        "surface_inspection", QUESTION, parts, _checks("tiles" if tiles else "smoke" if smoke else "sim"), together=True
    )


QUESTION = (
    "A score says which image is defective, a map says where. Do the two go together? Where do generators (f-AnoGAN), "
    "variational and plain autoencoders and methods that compare patches stand in either? And what does it without "
    "looking at defects: the size of an image, its brightness, a network that has never seen anything?"
)
EPOCHS = {"autoencoder": 15, "variational_autoencoder": 15, "adversarial": 10}
SMOKE_INSPECT = {"copies": 3}
SMOKE_EPOCHS = {"autoencoder": 4, "variational_autoencoder": 4, "adversarial": 3}


def _networks(epochs: Mapping[str, int]) -> Options:
    """Short trainings of small networks; scores by reconstruction (f-AnoGAN: and by features of the critic)."""
    found: dict[str, dict[str, Any]] = {
        name: {"latent": 64, "training": {"epochs": number}} for name, number in epochs.items()
    }
    found["variational_autoencoder"]["score_by"] = "reconstruction"
    found["adversarial"]["encoder_training"] = {"epochs": epochs["adversarial"]}
    return found


def _tiles(folder: Path) -> ImageCases:
    train, test = Tiles(folder, learn=True), Tiles(folder, learn=False)
    words = (
        f"magnetic tiles at their own sizes: {len(train)} good ones of the published list (DifferNet) to learn from, "
        f"the other {len(test)} to test, good ones and five classes of defects. Four uneven tiles have an empty mask "
        "and count by their image score alone"
    )
    return ImageCases(train, test, TILE_CLASSES, words)


def _simulated(smoke: bool) -> ImageCases:
    train, test = (Niobium(30, 128, 0.0, 41), Niobium(40, 128, 0.6, 42)) if smoke else (
        Niobium(300, 256, 0.0, 41), Niobium(300, 256, 0.6, 42)
    )  # fmt: skip
    words = (
        f"simulated niobium (`sim://surface`), **not the magnetic tiles**: {len(train)} good images of {train.size} x "
        f"{train.size} pixels to learn from, {len(test)} to test, 60 % of them with a defect"
    )
    return ImageCases(train, test, CLASSES, words)


def _checks(which: str) -> tuple[Check, ...]:
    """Bounds from `expected.json`, beside this file."""
    text = resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8")
    bounds = json.loads(text)[which]
    return tuple(Check(metric, bound.get("at_least"), bound.get("at_most")) for metric, bound in bounds.items())
