"""A complex scalar field at finite density: where it condenses, its numbers, and configurations that were made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.commission.figures import save
from lynkeus.core import Batch, Check, Findings, Inquiry, Scorer, concatenate, plugins
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.scans.latent import draw_latent, latent_maps, purities, purity_table
from lynkeus.simulate.lattice.source import LatticeSource
from lynkeus.sources import InMemory
from lynkeus.studies.scalar_field.phases import crossing, curve
from lynkeus.studies.scalar_field.rows import generators, long_lattice

QUESTION = (
    "Flux of a complex scalar field on a lattice, at chemical potentials around its condensation. **Where does a "
    "network that has seen one potential on each side see the transition, does a regression know density and |phi|^2 "
    "at potentials that it was not shown, and does a generator make configurations as Monte Carlo does**, also the "
    "conservation of flux at each site, which nobody told it, or which is so by how it makes them (the curl of whole "
    "heights)? Beside the published GAN stand a diffusion model and an autoregressive one: the exact likelihood of "
    "each whole number given those before it, which for whole numbers is what a normalising flow is for real ones (a "
    "flow itself is not made: it would have to be shown numbers with noise on them). After Zhou, Endrodi, Pang & "
    "Stoecker 2019 (arXiv:1810.12879); the lattice here is 24 x 10, so that networks learn in minutes of one "
    "processor, and in one part that of the publication, 200 x 10."
)
LEARNED, UNSEEN = "0.91,0.97,1.05,1.2", "0.88,0.94,1.0,1.1,1.15"
SCAN = "0.85,0.89,0.91,0.93,0.95,0.97,1.0,1.05,1.1"
MADE_AT = 1.05
LAID_OUT = ("pca", "tsne")  # UMAP: lynkeus latent


@dataclass(frozen=True)
class Sizes:
    """Configurations at each potential, and epochs of the networks."""

    shape: str
    seen: int
    tested: int
    made: int
    epochs: int
    gan: Mapping[str, Any]
    diffusion: Mapping[str, Any]
    raw: Mapping[str, Any]
    causal: Mapping[str, Any]
    long_shape: str
    long: int
    long_gan: Mapping[str, Any]
    long_causal: Mapping[str, Any]


GAN = {"epochs": 60, "batch_size": 48}
SIZES = {
    "full": Sizes(
        "24x10", 160, 120, 1200, 12, GAN, {"epochs": 16}, {"epochs": 8}, {"epochs": 10, "batch_size": 8},
        "200x10", 300, {"epochs": 30, "batch_size": 6}, {"epochs": 20, "batch_size": 1},
    ),
    "smoke": Sizes(
        "20x8", 60, 40, 100, 6, {"epochs": 3}, {"epochs": 3}, {"epochs": 1}, {"epochs": 1},
        "40x8", 40, {"epochs": 1}, {"epochs": 1},
    ),
}  # fmt: skip


def scalar_field(smoke: bool = False) -> Inquiry:
    """Where does the field condense, and what do a regression and generators make of it?"""
    which = "smoke" if smoke else "full"
    sizes = SIZES[which]
    parts = {
        "phases": partial(phases, sizes), "numbers": partial(numbers, sizes),
        "generators": partial(generators, sizes, MADE_AT), "long lattice": partial(long_lattice, sizes, MADE_AT),
        "map": partial(laid_out, sizes),
    }  # fmt: skip
    lattice = f"`sim://lattice?shape={sizes.shape}`"
    data = {
        "phases": f"{sizes.seen} configurations at mu = 0.91 and at 1.05 to learn from, {sizes.tested} at each of "
        f"{SCAN}; {lattice}",
        "numbers": f"{sizes.seen} configurations at each of {LEARNED} to learn from, {sizes.tested} at each of "
        f"{UNSEEN}; {lattice}",
        "generators": f"{sizes.made} configurations at mu = {MADE_AT} to learn from, twice as many others to compare "
        f"with; {lattice}. Epochs: WGAN-GP of k and l {sizes.raw['epochs']}, of heights {sizes.gan['epochs']}, "
        f"diffusion {sizes.diffusion['epochs']}, autoregressive {sizes.causal['epochs']}",
        "long lattice": f"{sizes.long} configurations at mu = {MADE_AT} to learn from, twice as many others to compare "
        f"with; `sim://lattice?shape={sizes.long_shape}`. Epochs: WGAN-GP {sizes.long_gan['epochs']}, autoregressive "
        f"{sizes.long_causal['epochs']}",
        "map": f"{sizes.tested} configurations at each of {LEARNED}; {lattice}",
    }
    bounds = json.loads(resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8"))[which]
    checks = tuple(Check(metric, own.get("at_least"), own.get("at_most")) for metric, own in bounds.items())
    return Inquiry("scalar_field", QUESTION, parts, checks, data)


def fluxes(sizes: Sizes, mu: str, n: int, seed: int) -> Batch:
    """Return configurations at several potentials."""
    return concatenate(list(LatticeSource(mu=mu, n=n, shape=sizes.shape, seed=seed)))


def phases(sizes: Sizes, folder: Path) -> Findings:
    """Return where the mean output of a classifier of 0.91 and 1.05 crosses one half."""
    learned = fluxes(sizes, "0.91,1.05", sizes.seen, 1)
    schema = LatticeSource(shape=sizes.shape).schema
    classes = Batch(
        type(schema)(**{**schema.to_dict(), "classes": ("normal", "condensed")}), learned.values,
        truth=(learned.meta["mu"] > 1).astype(int),
    )  # fmt: skip
    options = {"training": {"epochs": sizes.epochs // 3}}
    scorer: Scorer = plugins.make_scorer("map_classifier", options).fit(InMemory(classes))
    scan = fluxes(sizes, SCAN, sizes.tested, 2)
    output = scorer.score(Batch(classes.schema, scan.values))[:, 1]
    found, lines = crossing(scan, output)
    curve(scan, output, found, folder / "transition.svg")
    caption = "Mean output of a classifier that has seen 0.91 and 1.05 only, and the density."
    return Findings({"transition.svg": caption}, {"crossing": found}, {"Transition": lines})


def laid_out(sizes: Sizes, folder: Path) -> Findings:
    """Return how pure neighbours are by potential in what a regression looks at: as `lynkeus latent`."""
    learned, test = fluxes(sizes, LEARNED, sizes.seen, 1), fluxes(sizes, LEARNED, sizes.tested, 3)
    scorer: Any = fit(InMemory(learned), FitSettings("regression", {"method": "ridge"}, labels="n,phi2")).scorer
    features, classes = scorer.features(test), {"mu": np.array([f"{mu:g}" for mu in test.meta["mu"]])}
    maps = latent_maps(features, LAID_OUT)
    found = purities(features, maps, classes)
    metrics, lines = purity_table(found)
    save(draw_latent(maps, classes, found), folder / "latent.png")
    return Findings(
        {"latent.png": "Configurations by potential."}, metrics, {"Do those of one potential lie together?": lines}
    )


def numbers(sizes: Sizes, folder: Path) -> Findings:
    """Return error, bias and coverage at potentials that were not shown, of a network and of baselines."""
    learned, unseen = fluxes(sizes, LEARNED, sizes.seen, 1), fluxes(sizes, UNSEEN, sizes.tested, 2)
    lines = [["method", "mu", "n: bias, mean error, within spread", "|phi|^2: bias, mean error, within spread"]]
    metrics: dict[str, float] = {}
    for method in ("network", "ridge", "boosted"):
        options = {"method": method, "across": "mu", "training": {"epochs": sizes.epochs}}
        model = fit(InMemory(learned), FitSettings("regression", options, labels="n,phi2")).scorer
        worst: dict[str, list[float]] = {}
        for mu in np.unique(unseen.meta["mu"]):
            own = unseen[unseen.meta["mu"] == mu]
            estimate, spread = model.score(own), model.spread(own)  # type: ignore[attr-defined]
            cells = []
            for k, name in enumerate(("n", "phi2")):
                off = estimate[:, k] - own.meta[name]
                held = float((np.abs(off) <= spread[:, k]).mean())
                cells.append(f"{off.mean():+.5f}, {np.abs(off).mean():.5f}, {held:.0%}")
                worst.setdefault(f"{name}.error", []).append(float(np.abs(off).mean()))
                worst.setdefault(f"{name}.bias", []).append(abs(float(off.mean())))
                worst.setdefault(f"{name}.coverage", []).append(held)
            lines.append([method, f"{mu:g}", *cells])
        metrics |= {f"{method}.{name}": max(own) for name, own in worst.items() if not name.endswith("coverage")}
        metrics |= {f"{method}.{n}.coverage": float(np.mean(worst[f"{n}.coverage"])) for n in ("n", "phi2")}
    return Findings({}, metrics, {"At potentials that were not shown": lines})
