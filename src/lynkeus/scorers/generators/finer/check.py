"""Whether images that were made finer are like the fine ones: beside bicubic interpolation and a linear filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.metrics.resolution import power, psnr, ssim
from lynkeus.transforms.resolution import LinearFilter, bicubic, coarser

if TYPE_CHECKING:
    from lynkeus.scorers.generators.finer.scorer import SuperResolution

COVERAGE = 0.6827
LEVELS = 10  # of the stated spread, at each of which it is made right
FINEST = 2  # bands of the power, of 8, whose wavelengths coarse images do not have


class Spreads(NamedTuple):
    """By how much stated spreads are multiplied, at `levels` of them: `factor`."""

    levels: Floats
    factor: Floats

    @classmethod
    def none(cls) -> Self:
        """Return what changes nothing."""
        return cls(np.ones(1), np.ones(1))

    @classmethod
    def fit(cls, spread: Floats, off: Floats) -> Self:
        """Learn from stated spreads and how far estimates were off, of pixels that were not learned from."""
        if not len(spread):
            return cls.none()
        order = np.argsort(spread)
        groups = [one for one in np.array_split(order, LEVELS) if len(one)]
        levels = np.array([spread[one].mean() for one in groups])
        factor = np.array([np.quantile(off[one] / spread[one], COVERAGE) for one in groups])
        return cls(levels, np.maximum(factor, 1e-6))

    def of(self, spread: Floats) -> Floats:
        """Return spreads that hold."""
        return spread * np.interp(spread, self.levels, self.factor)


def linear_of(images: Sequence[Array], factor: int) -> LinearFilter:
    """Return the linear filter of pixels as they are, from fine images (1, c, row, column)."""
    rows, columns = (min(one.shape[axis] for one in images) // factor * factor for axis in (2, 3))
    fine = np.concatenate([np.nan_to_num(one[:, :, :rows, :columns].astype(float)) for one in images])
    return LinearFilter.fit(coarser(fine, factor), fine, factor)


def compared(scorer: SuperResolution, images: Sequence[Array]) -> dict[str, Any]:
    """Return of fine images (1, c, row, column): PSNR and SSIM of the mean, of a draw, of both baselines; the power at
    wavelengths that are not in coarse images; the share of pixels within the stated spread."""
    peak, rows, inside, pixels = scorer.pixels_.peak, list[dict[str, Any]](), 0, 0
    for number, one in enumerate(images):
        low, fine = scorer.pair(np.nan_to_num(one))
        coarse = np.asarray(low.values, float)
        made = {
            "bicubic": bicubic(coarse, scorer.factor),
            "linear": scorer.plain_.of(coarse, scorer.factor),
            "mean": scorer.refine(low, give="mean").values,
            "sample": scorer.refine(low, seed=number, give="sample").values,
        }
        spread = scorer.refine(low, give="spread").values
        there = spread > 0
        inside += int((np.abs(np.asarray(made["mean"], float) - fine)[there] <= spread[there]).sum())
        pixels += int(there.sum())
        true = power(fine)
        rows.append({
            name: (psnr(values, fine, peak)[0], ssim(values, fine, peak)[0], power(values)[-FINEST:].sum(),
                   true[-FINEST:].sum())
            for name, values in made.items()
        })  # fmt: skip
    found = {name: np.array([row[name] for row in rows]).mean(axis=0) for name in rows[0]}
    facts: dict[str, Any] = {"coverage": inside / max(pixels, 1), "compared": len(images)}
    for name, (ratio, alike, fine_power, true_power) in found.items():
        share = float(fine_power / max(true_power, 1e-300))
        facts |= {f"psnr_{name}": float(ratio), f"ssim_{name}": float(alike), f"finest_power_{name}": share}
    return facts


def lines_of(facts: dict[str, Any]) -> list[str]:
    """Return what is said of images that were made finer."""
    each = ", ".join(
        f"{shown} {facts[f'psnr_{name}']:.2f} dB (SSIM {facts[f'ssim_{name}']:.3f})"
        for name, shown in (("mean", "mean"), ("linear", "linear filter"), ("bicubic", "bicubic"), ("sample", "a draw"))
    )
    return [
        f"{facts['compared']} held-out images: {each}",
        f"power at the shortest wavelengths, of the true one: mean {facts['finest_power_mean']:.0%}, draws "
        f"{facts['finest_power_sample']:.0%}; {facts['coverage']:.1%} of pixels within the stated spread (68 % is "
        "right)",
    ]
