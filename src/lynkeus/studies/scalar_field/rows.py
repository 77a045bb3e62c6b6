"""Generators beside Monte Carlo: means, distributions, the conservation of flux, and what is alike how far away."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import ks_2samp

from lynkeus.commission.figures import SERIES, finished, save
from lynkeus.core import Array, Batch, Findings, Floats, concatenate, plugins
from lynkeus.simulate.lattice.source import LatticeSource, divergence, observables
from lynkeus.sources import InMemory

FAR = (1, 2, 4)  # sites along time
MORE = 2  # times as many configurations are compared with as are learned from
THIN = 24  # sweeps between two configurations: neighbours in a chain are alike
ASKED, MANY, NEAR = (0.4, 0.6, 0.8), 200, 0.051  # densities, configurations of each, how near one is
HEIGHTS = ("WGAN-GP of heights", "diffusion of heights", "autoregressive, of heights")


def generators(sizes: Any, mu: float, folder: Path) -> Findings:
    """Return how each generator compares with Monte Carlo, and two halves of that with one another."""
    one, other = _configurations(sizes.shape, mu, sizes.made)
    without = Batch(one.schema, one.values)  # nobody says what is n
    gan = {"method": "gan", "width": 16, "training": dict(sizes.gan)}
    settings: dict[str, tuple[Batch, dict[str, Any]]] = {
        "Markov random field": (one, {"method": "field"}),
        "WGAN-GP of k and l": (without, gan | {"conserve": False, "training": dict(sizes.raw)}),
        "WGAN-GP of heights": (one, gan),
        "diffusion of heights": (one, {"method": "diffusion", "width": 24, "training": dict(sizes.diffusion)}),
        "autoregressive, of heights": (one, {"method": "autoregressive", "training": dict(sizes.causal)}),
    }
    lines, metrics, drawn, asked = _beside(settings, one, other)
    _figure(drawn, folder / "made.svg")
    caption = "Distributions of n and |phi|^2 of configurations that were made, and of Monte Carlo."
    tables = {"Made and sampled": lines, "Asked for a density: |phi|^2": asked}
    return Findings({"made.svg": caption}, metrics, tables)


def long_lattice(sizes: Any, mu: float, folder: Path) -> Findings:
    """Return the same of the lattice that was published, of the networks that conserve flux."""
    one, other = _configurations(sizes.long_shape, mu, sizes.long)
    settings: dict[str, tuple[Batch, dict[str, Any]]] = {
        "Markov random field": (one, {"method": "field"}),
        "WGAN-GP of heights": (one, {"method": "gan", "width": 16, "training": dict(sizes.long_gan)}),
        "autoregressive, of heights": (one, {"method": "autoregressive", "training": dict(sizes.long_causal)}),
    }
    lines, metrics, _, asked = _beside(settings, one, other)
    return Findings({}, metrics, {"Made and sampled": lines, "Asked for a density: |phi|^2": asked})


def _configurations(shape: str, mu: float, count: int) -> tuple[Batch, Batch]:
    """Return configurations to learn from, and more of them to compare with."""
    one, other = (
        concatenate(list(LatticeSource(mu=mu, n=n, shape=shape, seed=seed, every=THIN)))
        for seed, n in ((1, count), (2, MORE * count))
    )
    return one, other


Lines = list[list[str]]


def _beside(
    settings: dict[str, tuple[Batch, dict[str, Any]]], one: Batch, other: Batch
) -> tuple[Lines, dict[str, float], dict[str, tuple[Floats, Floats]], Lines]:
    """Return lines and metrics of each generator, n and |phi|^2 of what it made, and lines of what it was asked for."""
    true = observables(other.values)
    control = _row(one.values, one.values, true, other.values)
    head = [
        "configurations", "n", "|phi|^2", "KS distance of n", "of |phi|^2", "flux not conserved before rounding",
        "after", f"k_t alike {', '.join(map(str, FAR))} sites on", "seconds to learn",
    ]  # fmt: skip
    lines, metrics = (
        [head, ["*Monte Carlo, those that were learned from*", *_cells(control), ""]],
        _metrics("control", control),
    )
    drawn, asked = {"Monte Carlo": true}, [_asked_head(other)]
    for name, (learned, options) in settings.items():
        begun = time.process_time()
        scorer = plugins.make_scorer("generator", options).fit(InMemory(learned))
        took = time.process_time() - begun
        made, unrounded = scorer._make(*scorer._like(len(one), 7), 7)
        row = _row(made, unrounded, true, other.values)
        if name in HEIGHTS:
            asked.append(_asked(name, scorer))
        drawn[name] = observables(made)
        lines.append([name, *_cells(row), f"{took:.0f}"])
        metrics |= _metrics(name, row)
        for kind in ("n", "phi2"):
            metrics[f"{name}.{kind}.times_control"] = row[f"ks_{kind}"] / max(control[f"ks_{kind}"], 1e-9)
    return lines, metrics, drawn, asked


def _asked_head(other: Batch) -> list[str]:
    """Return the names of columns: densities that are asked for, with what Monte Carlo has there."""
    n, phi2 = (other.meta[name] for name in ("n", "phi2"))
    cells = []
    for wanted in ASKED:
        own = phi2[np.abs(n - wanted) < NEAR]
        cells.append(f"n = {wanted}; Monte Carlo {own.mean():.4f}" if len(own) else f"n = {wanted}")
    return ["generator", *cells]


def _asked(name: str, scorer: Any) -> list[str]:
    """Return what a generator makes that is asked for densities."""
    cells = []
    for wanted in ASKED:
        made = observables(scorer.generate(MANY, 11, {"n": wanted}, True).values)
        cells.append(f"{made[1].mean():.4f} (n {made[0].mean():.3f})")
    return [name, *cells]


def _row(made: Array, raw: Array, true: tuple[Floats, Floats], others: Array) -> dict[str, Any]:
    own = observables(made)
    return {
        "n": (own[0].mean(), own[0].std()), "phi2": (own[1].mean(), own[1].std()),
        "off_n": abs(own[0].mean() / true[0].mean() - 1), "off_phi2": abs(own[1].mean() / true[1].mean() - 1),
        "ks_n": float(ks_2samp(own[0], true[0]).statistic), "ks_phi2": float(ks_2samp(own[1], true[1]).statistic),
        "before": float((np.abs(divergence(np.asarray(raw, float))) > 0.5).mean()),
        "after": float((divergence(np.rint(made)) != 0).mean()), "alike": _alike(made),
    }  # fmt: skip


def _alike(links: Array) -> list[float]:
    """Return the correlation of k_t with that so many sites on in time, over sites and configurations."""
    k = np.asarray(links[:, 1], float)
    k = k - k.mean()
    return [float((k * np.roll(k, -by, axis=1)).mean() / max((k**2).mean(), 1e-12)) for by in FAR]


def _cells(row: dict[str, Any]) -> list[str]:
    (n, wide_n), (phi2, wide_phi2) = row["n"], row["phi2"]
    return [
        f"{n:.3f} (width {wide_n:.3f})", f"{phi2:.4f} (width {wide_phi2:.4f})", f"{row['ks_n']:.3f}",
        f"{row['ks_phi2']:.3f}", f"{row['before']:.2%}", f"{row['after']:.2%}",
        ", ".join(f"{one:.3f}" for one in row["alike"]),
    ]  # fmt: skip


def _metrics(name: str, row: dict[str, Any]) -> dict[str, float]:
    kept = ("off_n", "off_phi2", "ks_n", "ks_phi2", "before", "after")
    return {f"{name}.{key}": float(row[key]) for key in kept}


def _figure(drawn: dict[str, tuple[Floats, Floats]], path: Path) -> None:
    figure = Figure(figsize=(8.0, 3.4), layout="constrained")
    for axes, k, name in zip(figure.subplots(1, 2), (0, 1), ("n", "|phi|^2"), strict=True):
        every = np.concatenate([own[k] for own in drawn.values()])
        low, high = np.quantile(every, (0.002, 0.998))
        edges = np.linspace(float(low), float(high), 30)
        for number, (who, own) in enumerate(drawn.items()):
            axes.hist(own[k], edges, histtype="step", density=True, color=SERIES[number % len(SERIES)], label=who)
        axes.set(xlabel=name)
    axes.legend(frameon=False, fontsize=7)
    save(finished(figure), path)
