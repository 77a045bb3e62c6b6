"""Spectra of pads drawn cluster by cluster, by other rules than the simulator of the package: other bins, weights of
lines, resolution, threshold and faults, so that nothing rests on its constants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit, ndtr

WORDS = ("fine", "quiet", "loud", "moved", "two_peaks", "cut")  # quiet: dead; loud: noisy; moved: gain; cut: edge
ENERGY, WEIGHT = np.array([41.6, 29.1, 19.6, 12.6, 9.4]), np.array([1.0, 0.35, 0.15, 0.2, 0.5])
PEAK, RESOLUTION, THRESHOLD, BINS, HIGH = 300.0, 0.055, 35.0, 120, 600.0


def spectra(
    seed: int, rows: int = 16, pads: int = 50, bad: float = 0.2, decays: tuple[int, int] = (500, 4000)
) -> dict[str, Any]:
    """Counts, edges, identity and the truth of two sectors of pads."""
    rng = np.random.default_rng(seed)
    sector, row, pad = (one.ravel() for one in np.meshgrid([1, 2], np.arange(rows), np.arange(pads), indexing="ij"))
    n = len(sector)
    kind = np.where(rng.random(n) < bad, rng.integers(1, len(WORDS), n), 0)
    gain = rng.normal(1.0, 0.07, n)
    gain *= np.where(kind == 3, np.where(rng.random(n) < 0.5, 0.6, 1.55), 1.0)
    many = rng.poisson(rng.uniform(*decays, n)) * (kind != 1)
    own = np.repeat(np.arange(n), many)
    energy = rng.choice(ENERGY, len(own), p=WEIGHT / WEIGHT.sum())
    charge = energy / 41.6 * (1 + RESOLUTION * np.sqrt(41.6 / energy) * rng.normal(size=len(own))) * PEAK * gain[own]
    second = (kind[own] == 4) & (rng.random(len(own)) < 0.45)
    charge[second] *= 0.78
    cut = kind[own] == 5
    charge[cut] *= rng.beta(3.0, 1.0, int(cut.sum()))
    seen = rng.random(len(own)) < 1 / (1 + np.exp(-(charge - THRESHOLD) / 4))
    loud = np.repeat(np.arange(n), many * (kind == 2))
    own = np.concatenate([own[seen], loud])
    charge = np.concatenate([charge[seen], THRESHOLD + rng.exponential(30.0, len(loud))])
    edges = np.linspace(0, HIGH, BINS + 1)
    at = np.searchsorted(edges, charge, side="right") - 1
    inside = (at >= 0) & (at < BINS)
    counts = np.bincount(own[inside] * BINS + at[inside], minlength=n * BINS).reshape(n, BINS)
    return {"counts": counts, "edges": edges, "sector": sector, "row": row, "pad": pad, "x": pad * 4.0 + sector * 300.0,
            "y": row * 15.0, "truth": np.array(WORDS)[kind], "gain": gain, "decays": many}  # fmt: skip


def expected(log_gain: float, resolution: float = RESOLUTION, threshold: float = THRESHOLD) -> np.ndarray:
    """The share of the decays of a pad in each bin, by integration of the lines in sixteenths of a bin."""
    fine = np.linspace(0, HIGH, 16 * BINS + 1)
    centre = ENERGY / 41.6 * PEAK * np.exp(log_gain)
    sigma = centre * resolution * np.sqrt(41.6 / ENERGY)
    share = np.diff(ndtr((fine - centre[:, None]) / sigma[:, None]), axis=1).T @ (WEIGHT / WEIGHT.sum())
    seen = share * expit(((fine[1:] + fine[:-1]) / 2 - threshold) / 4)
    return seen.reshape(BINS, 16).sum(axis=1)


def least_error(gain: np.ndarray, decays: np.ndarray, nuisances: bool) -> np.ndarray:
    """The Cramer-Rao bound of the relative error of each gain: Fisher information of Poisson counts in the number of
    decays and the gain, with `nuisances` in resolution and threshold of each pad as well, as if nobody knew them."""
    steps = np.array([1e-4, 1e-4, 1e-2])[: 3 if nuisances else 1]
    found = np.empty(len(gain))
    for k, own in enumerate(gain):
        at = np.array([np.log(own), RESOLUTION, THRESHOLD])[: len(steps)]
        mean = expected(*at)
        slopes = [(expected(*(at + step)) - expected(*(at - step))) / (2 * step.max()) for step in np.diag(steps)]
        derivatives = np.stack([mean, *slopes]) * np.array([1.0, *[decays[k]] * len(steps)])[:, None]
        information = derivatives / np.maximum(mean * decays[k], 1e-9) @ derivatives.T
        found[k] = np.sqrt(np.linalg.inv(information)[1, 1])
    return found


def write(path: Path, found: dict[str, Any], **more: Any) -> Path:
    """Write what a file of spectra holds, without the truth."""
    np.savez(path, **{name: value for name, value in found.items() if name not in ("truth", "gain", "decays")}, **more)
    return path
