"""Super-resolution of surfaces and of showers: beside bicubic interpolation and a linear filter, and inspected."""

from __future__ import annotations

import json
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
from lynkeus.studies.super_resolution.inspected import GOOD, inspected
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
    inspected: int = 300  # good ones


SIZES = {"full": Sizes(100, 40, 800, 15, 20, 16), "smoke": Sizes(40, 16, 150, 3, 3, 8, 16)}
OTHERS = 3  # a third as many images to set the limit of inspection by, and with pits
SMALL = 2  # showers are small: as much longer a network learns from them
SIZE = {"niobium": 96, "ball_screw": 192}  # pixels: pits of a ball screw are 5 to 15 of these wide


def super_resolution(smoke: bool = False) -> Inquiry:
    """How near to fine images does super-resolution come, does its spread hold, and does it invent defects?"""
    which = "smoke" if smoke else "full"
    sizes = SIZES[which]
    parts = {
        "ball screw": partial(surfaces, sizes, "ball_screw"),
        "niobium": partial(surfaces, sizes, "niobium"),
        "showers": partial(showers, sizes),
    }
    of_surface = f"{sizes.images} images of {{0}} x {{0}} pixels to learn from (seed 1), {sizes.tested} others (seed 2)"
    data = {
        "ball screw": f"{of_surface.format(SIZE['ball_screw'])}; to inspect, {sizes.inspected} "
        f"good ones and {sizes.inspected // OTHERS} with pits, by limits from as many other good ones; `sim://surface?surface=ball_screw`",
        "niobium": f"{of_surface.format(SIZE['niobium'])}; `sim://surface`",
        "showers": f"{sizes.showers:,} showers of photons and pions to learn from (seed 1), {sizes.tested} others "
        "(seed 2); `sim://calorimeter`, 24 x 24 cells of a quarter of a Moliere radius",
    }
    bounds = json.loads(resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8"))[which]
    checks = tuple(Check(metric, own.get("at_least"), own.get("at_most")) for metric, own in bounds.items())
    return Inquiry("super_resolution", QUESTION, parts, checks, data)


def surfaces(sizes: Sizes, surface: str, folder: Path) -> Findings:
    """Return what is found on one kind of surface; a ball screw is inspected as well."""
    given: dict[str, Any] = {"surface": surface, "defects": 0.3, "size": SIZE[surface]}
    learned = SurfaceSource(images=sizes.images, seed=1, **given)
    test = SurfaceSource(images=sizes.tested, seed=2, **given)
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
    many = sizes.inspected if seed == GOOD else sizes.inspected // OTHERS
    given: dict[str, Any] = {"surface": "ball_screw", "size": SIZE["ball_screw"], "defects": float(pits)}
    return _joined(SurfaceSource(images=many, seed=seed, **given))


def _fitted(source: Source, sizes: Sizes, method: str = "diffusion") -> Any:
    options = {
        "factor": 4, "method": method, "patch": 12, "patches": 4 * sizes.images, "width": sizes.width,
        "training": {"epochs": sizes.epochs}, "denoising": {"epochs": sizes.drawing},
    }  # fmt: skip
    scorer: Scorer = plugins.make_scorer("super_resolution", options)
    return scorer.fit(InMemory(_joined(source)))


def _joined(source: Source) -> Batch:
    return concatenate(list(source))
