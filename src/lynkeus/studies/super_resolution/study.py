"""Super-resolution of surfaces and of showers: beside bicubic interpolation and a linear filter, and inspected."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from lynkeus.core import Batch, Check, Findings, Inquiry, Scorer, Source, concatenate, plugins
from lynkeus.simulate.calorimeter.source import CalorimeterSource
from lynkeus.simulate.surface.source import SurfaceSource
from lynkeus.sources import InMemory
from lynkeus.studies.super_resolution.bound import all_known
from lynkeus.studies.super_resolution.inspected import inspected
from lynkeus.studies.super_resolution.rows import compared, shown

QUESTION = (
    "Images are made four times coarser along each axis (each coarse pixel is the mean of 16), and a model that has "
    "learned from others makes them fine again: **how near does it come, does it know how far off it is, and does it "
    "invent defects, or lose them?** The mean of all images that fit, draws of them by a diffusion model and by a "
    "conditional GAN, and two baselines: bicubic interpolation, and the linear filter that is best on the same images."
)


@dataclass(frozen=True)
class Sizes:
    """How many images of a surface and showers are learned from, tested on and inspected, how long networks learn."""

    images: int
    tested: int
    showers: int
    epochs: int
    drawing: int
    width: int
    inspected: int = 300


SIZES = {"full": Sizes(100, 40, 800, 15, 20, 16), "smoke": Sizes(40, 16, 150, 3, 3, 8, 16)}
SMALL = 2  # showers are small: as much longer a network learns from them
SURFACE: Mapping[str, Any] = {"size": 96, "pixel_um": 4.0}


def super_resolution(smoke: bool = False) -> Inquiry:
    """How near to fine images does super-resolution come, does its spread hold, and does it invent defects?"""
    which = "smoke" if smoke else "full"
    sizes = SIZES[which]
    parts = {
        "ball screw": partial(surfaces, sizes, "ball_screw"),
        "niobium": partial(surfaces, sizes, "niobium"),
        "showers": partial(showers, sizes),
    }
    of_surface = f"{sizes.images} images of 96 x 96 pixels to learn from (seed 1), {sizes.tested} others (seed 2)"
    data = {
        "ball screw": f"{of_surface}; to inspect, {sizes.inspected} good ones and as many "
        "with pits; `sim://surface?surface=ball_screw`",
        "niobium": f"{of_surface}; `sim://surface`",
        "showers": f"{sizes.showers:,} showers of photons and pions to learn from (seed 1), {sizes.tested} others "
        "(seed 2); `sim://calorimeter`, 24 x 24 cells of a quarter of a Moliere radius",
    }
    bounds = json.loads(resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8"))[which]
    checks = tuple(Check(metric, own.get("at_least"), own.get("at_most")) for metric, own in bounds.items())
    return Inquiry("super_resolution", QUESTION, parts, checks, data)


def surfaces(sizes: Sizes, surface: str, folder: Path) -> Findings:
    """Return what is found on one kind of surface; a ball screw is inspected as well."""
    learned = SurfaceSource(images=sizes.images, seed=1, surface=surface, defects=0.3, **SURFACE)
    test = SurfaceSource(images=sizes.tested, seed=2, surface=surface, defects=0.3, **SURFACE)
    model, game = _fitted(learned, sizes), _fitted(learned, sizes, "gan")
    bound = all_known(learned, test, model.factor) if surface == "niobium" else None
    found = compared(model, game, _joined(test), bound=bound)
    metrics, tables = dict(found.metrics), dict(found.tables)
    if surface == "ball_screw":
        more = inspected(model, game, partial(_screws, sizes))
        metrics |= more.metrics
        tables |= more.tables
    name = f"{surface}.png"
    shown(model, _joined(test)[:3], folder / name)
    caption = "Each row: coarse, bicubic, the mean, two draws, the stated spread (bright: large), and the fine image."
    return Findings({name: caption}, metrics, tables)


def showers(sizes: Sizes, folder: Path) -> Findings:
    """Return what is found on showers, with the widths of those that were made."""
    longer = replace(sizes, epochs=SMALL * sizes.epochs, width=2 * sizes.width)
    learned = CalorimeterSource(n=sizes.showers, seed=1)
    model, game = _fitted(learned, longer), _fitted(learned, longer, "gan")
    test = _joined(CalorimeterSource(n=sizes.tested, seed=2))
    found = compared(model, game, test, widths=True)
    shown(model, test[:4], folder / "showers.png")
    caption = "Each row: coarse, bicubic, the mean, two draws, the stated spread, and the fine shower (square roots)."
    return Findings({"showers.png": caption}, found.metrics, found.tables)


def _screws(sizes: Sizes, seed: int, pits: bool) -> Batch:
    return _joined(
        SurfaceSource(images=sizes.inspected, seed=seed, surface="ball_screw", defects=1.0 if pits else 0.0, **SURFACE)
    )


def _fitted(source: Source, sizes: Sizes, method: str = "diffusion") -> Any:
    options = {
        "factor": 4, "method": method, "patch": 12, "patches": 4 * sizes.images, "width": sizes.width,
        "training": {"epochs": sizes.epochs}, "denoising": {"epochs": sizes.drawing},
    }  # fmt: skip
    scorer: Scorer = plugins.make_scorer("super_resolution", options)
    return scorer.fit(InMemory(_joined(source)))


def _joined(source: Source) -> Batch:
    return concatenate(list(source))
