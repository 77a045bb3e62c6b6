"""Rows of a table: how near each way to make images finer comes, and pictures of what it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import ks_2samp

from lynkeus.commission.figures import save
from lynkeus.core import Array, Batch, Findings, Floats
from lynkeus.metrics.resolution import power, psnr, ssim
from lynkeus.transforms.resolution import bicubic

FINEST = 2  # bands of eight
LEVEL = (0.159, 0.841)
DRAWS = 8  # of each image, of which it is asked how often they hold the truth
SOME = 6  # images that are drawn so often


def compared(model: Any, game: Any, test: Batch, widths: bool = False, bound: Floats | None = None) -> Findings:
    """Return PSNR, SSIM and power of each method, coverage of the stated spread, and of the middle 68 % of draws.

    `game`: a model of the same that draws by a conditional GAN; `bound`: images that nothing can be nearer than."""
    low, fine = model.pair(np.asarray(test.values))
    truth, coarse = np.asarray(fine, float), np.asarray(low.values, float)
    mean, spread = (np.asarray(model.refine(low, give=give).values, float) for give in ("mean", "spread"))
    made = {
        "bicubic": bicubic(coarse, model.factor),
        "linear filter": model.plain_.of(coarse, model.factor),
        "network, mean": mean,
        "diffusion, a draw": np.asarray(model.refine(low, seed=1).values, float),
        "conditional GAN, a draw": np.asarray(game.refine(low, seed=1).values, float),
    }
    if bound is not None:
        made["*all but fine roughness and noise known*"] = bound
    peak, true = model.pixels_.peak, power(truth)[-FINEST:].sum()
    lines = [["method", "PSNR, dB", "above bicubic", "SSIM", "power at the shortest wavelengths, of the true one"]]
    metrics: dict[str, float] = {}
    least = psnr(made["bicubic"], truth, peak)
    for name, values in made.items():
        ratio, alike, share = psnr(values, truth, peak), ssim(values, truth, peak), power(values)[-FINEST:].sum() / true
        gain = ratio - least
        error = gain.std() / np.sqrt(len(gain))
        lines.append(
            [name, f"{ratio.mean():.2f}", f"{gain.mean():+.2f} ± {error:.2f}", f"{alike.mean():.3f}", f"{share:.0%}"]
        )
        metrics |= {f"{name}.psnr": ratio.mean(), f"{name}.gain": gain.mean(), f"{name}.ssim": alike.mean()}
        metrics |= {f"{name}.finest_power": share}
    there = spread > 0
    metrics["coverage"] = float((np.abs(mean - truth)[there] <= spread[there]).mean())
    held = {
        one: _held(scorer, low[:SOME], truth[:SOME], spread[:SOME] > 0) for one, scorer in (("", model), (" GAN", game))
    }
    metrics |= {f"coverage_of_draws{name}": share for name, share in held.items()}
    rows = [
        ["pixels", "share that holds the truth (68 % is right)"],
        ["within the stated spread of the mean", f"{metrics['coverage']:.1%}"],
        [f"within the middle 68 % of {DRAWS} draws of diffusion", f"{held['']:.1%}"],
        [f"of {DRAWS} draws of the conditional GAN", f"{held[' GAN']:.1%}"],
    ]
    tables = {"How near": lines, "Does the spread hold?": rows}
    if widths:
        tables["Widths of showers"] = _widths(made, truth, metrics)
    return Findings({}, metrics, tables)


def _held(model: Any, low: Batch, truth: Floats, there: Array) -> float:
    """Return how often the truth lies within the middle of draws, counted by its rank: ties are half below."""
    drawn = np.stack([np.asarray(model.refine(low, seed=100 + k).values, float) for k in range(DRAWS)])
    rank = ((drawn < truth).mean(axis=0) + (drawn <= truth).mean(axis=0)) / 2
    return float(((rank > LEVEL[0]) & (rank < LEVEL[1]))[there].mean())


def _widths(made: dict[str, Floats], truth: Floats, metrics: dict[str, float]) -> list[list[str]]:
    """Return how the widths of showers are spread: Kolmogorov-Smirnov distance to the true ones, and two halves of
    these."""
    own = _width(truth)
    lines = [["method", "mean width, cells", "distance of the distribution", "mean distance of each shower's"]]
    for name, values in made.items():
        theirs = _width(values)
        distance = float(ks_2samp(theirs, own).statistic)
        metrics[f"{name}.width_distance"] = distance
        lines.append([name, f"{theirs.mean():.3f}", f"{distance:.3f}", f"{np.abs(theirs - own).mean():.3f}"])
    first = np.arange(len(own)) // 2 % 2 == 0  # pairs: photons and pions come in turn
    half = float(ks_2samp(own[first], own[~first]).statistic)
    return [*lines, ["*two halves of the true ones*", f"{own.mean():.3f}", f"{half:.3f}", ""]]


def _width(images: Floats) -> Floats:
    """Return (n,) the rms width of deposits around their middle, the densest cells counting most (squares)."""
    weight = np.maximum(images[:, 0], 0) ** 2
    weight = weight / np.maximum(weight.sum(axis=(1, 2), keepdims=True), 1e-300)
    y, x = np.mgrid[: weight.shape[1], : weight.shape[2]]
    middle = [(weight * axis).sum(axis=(1, 2))[:, None, None] for axis in (x, y)]
    return np.sqrt((weight * ((x - middle[0]) ** 2 + (y - middle[1]) ** 2)).sum(axis=(1, 2)))


def shown(model: Any, test: Batch, path: Path) -> None:
    """Draw what becomes of a few images."""
    low, fine = model.pair(np.asarray(test.values))
    given = ("mean", "sample", "sample", "spread")
    made = [model.refine(low, seed=k, give=give).values for k, give in enumerate(given)]
    columns = [low.values, bicubic(np.asarray(low.values, float), model.factor), *made, fine]
    figure = Figure(figsize=(1.1 * len(columns), 1.1 * len(test)), layout="constrained")
    grid = figure.subplots(len(test), len(columns), squeeze=False)
    for row in range(len(test)):
        for column, values in enumerate(columns):
            axes = grid[row, column]
            axes.set_axis_off()
            axes.imshow(_picture(model, np.asarray(values[row], float), column == len(columns) - 2), cmap="magma")
    save(figure, path)


def _picture(model: Any, image: Floats, alone: bool) -> Floats:
    if alone or image.shape[0] == 1:
        grey = np.sqrt(np.maximum(image.mean(axis=0), 0))
        return np.asarray(grey / max(float(grey.max()), 1e-12))
    return np.clip(image.transpose(1, 2, 0) / model.pixels_.peak, 0, 1)
