"""Physics: what a template says of the chamber: resolution, how often each line of 83mKr is seen, the threshold.

Nothing of this is needed for gains, which hang on no list of lines; it is what an expert compares with other chambers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import nnls

from lynkeus.core import Floats
from lynkeus.transforms.pads.template import KERNEL, STEP, Template, nodes_of

KRYPTON_KEV = (41.55, 32.15, 29.1, 19.6, 12.6, 9.4)
NEAR_KEV = 0.15  # relative: a charge axis whose usual main peak lies so near is one of keV


class MainPeak(NamedTuple):
    """Charge of the maximum of the main peak at a gain of 1, and its width as sigma / charge."""

    charge: float
    resolution: float


def density(template: Template) -> tuple[Floats, Floats]:
    """Return charges and the density of the template in the logarithm of the charge."""
    nodes = nodes_of(template.peak)
    reach = np.arange(-6, 7)
    kernel = np.exp(-0.5 * (reach * STEP / KERNEL) ** 2)
    return np.exp(nodes), np.convolve(template.weight, kernel / kernel.sum(), "same")


def main_peak(template: Template) -> MainPeak:
    """Return the maximum and the width of the main peak, by a parabola through the logarithm of its upper part."""
    charges, found = density(template)
    found = found / charges  # a density in the charge
    inside = (charges > 0.75 * template.peak) & (charges < 1.3 * template.peak)
    at = int(np.flatnonzero(inside)[found[inside].argmax()])
    top = inside & (found > 0.6 * found[at])
    low, high = at, at
    while low > 0 and top[low - 1]:
        low -= 1
    while high < len(top) - 1 and top[high + 1]:
        high += 1
    if high - low < 3:
        return MainPeak(float(charges[at]), float("nan"))
    x = charges[low : high + 1] / charges[at] - 1
    c = np.polyfit(x, np.log(found[low : high + 1]), 2)
    if c[0] >= 0:
        return MainPeak(float(charges[at]), float("nan"))
    return MainPeak(float(charges[at] * (1 - c[1] / (2 * c[0]))), float(np.sqrt(-0.5 / c[0])))


def facts_of(template: Template) -> dict[str, Any]:
    """Return what is learned of the chamber as plain JSON types: the main peak, its resolution, the share of each line
    of 83mKr where the peak is one, and the charge at which half of the clusters pass the threshold."""
    peak = main_peak(template)
    charges, found = density(template)
    facts: dict[str, Any] = {"main_peak": peak.charge, "resolution": peak.resolution}
    if np.isfinite(peak.resolution) and peak.resolution < 0.12:
        shapes = []
        for energy in KRYPTON_KEV:
            centre = energy / KRYPTON_KEV[0]
            sigma = peak.resolution / np.sqrt(centre)
            one = charges / peak.charge * np.exp(-0.5 * ((charges / peak.charge - centre) / (sigma * centre)) ** 2)
            shapes.append(one / one.sum())
        weights, _ = nnls(np.array(shapes).T, found)
        facts["lines"] = {f"{energy:g} keV": float(w / max(weights[0], 1e-9)) for energy, w in
                          zip(KRYPTON_KEV, weights, strict=True)}  # fmt: skip
        facts["in_lines"] = float(weights.sum() / found.sum())
    stopped = np.flatnonzero(template.passes < 0.5)
    facts["threshold"] = float(template.edges[stopped[-1] + 1]) if len(stopped) else 0.0
    facts["gains_fitted_above"] = float(template.edges[template.lowest])
    return facts


def unit_gain(template: Template, good_log_gain: Floats) -> float:
    """Return the logarithm of what a gain of 1 is: where the charge is in keV, that of 41.55 keV; else the mean of the
    good pads."""
    peak = main_peak(template).charge
    usual = float(np.log(_trimmed_mean(np.exp(good_log_gain))))
    if abs(np.log(peak) + usual - np.log(KRYPTON_KEV[0])) < NEAR_KEV:
        return float(np.log(KRYPTON_KEV[0] / peak))
    return usual


def _trimmed_mean(values: Floats) -> float:
    low, high = np.quantile(values, [0.01, 0.99])
    return float(values[(values >= low) & (values <= high)].mean())
