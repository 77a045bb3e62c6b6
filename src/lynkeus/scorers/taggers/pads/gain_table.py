"""Gains of all pads: fitted where the spectrum allows it, else of the neighbours, with an honest error and a flag."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.scorers.taggers.pads.evidence import Evidence
from lynkeus.transforms.pads.neighbours import median_of

FITTED, NEIGHBOURS, NONE = "fit", "neighbours", "none"


class GainTable(NamedTuple):
    """Of each pad (n,): `gain` and its standard deviation `error`, `source`: how it was found; `second`: an estimate by
    correlation with the mean spectrum."""

    gain: Floats
    error: Floats
    source: Array
    second: Floats


def gain_table(own: Evidence, fitted: Array, good: Array, unit: float, correlated: Floats) -> GainTable:
    """Return the gains of pads, of which those `fitted` (n,) have one of their own; `good` ones stand for others.

    The error of a gain that is taken from neighbours is how far good pads are from theirs, 68 % of them.
    """
    log_gain, sigma = own.log_gain - unit, own.gains.sigma.copy()
    source = np.where(fitted, FITTED, NEIGHBOURS)
    around = median_of(log_gain, own.near, good)
    if good.any():
        spread = float(np.quantile(np.abs(log_gain - around)[good], 0.683))
        lonely = ~good[own.near].any(axis=1)
        spread_of_all = float(np.quantile(np.abs(log_gain[good] - np.median(log_gain[good])), 0.683))
        instead = np.where(lonely, max(spread, spread_of_all), spread)
        log_gain, sigma = np.where(fitted, log_gain, around), np.where(fitted, sigma, instead)
    else:
        log_gain, sigma = np.where(fitted, log_gain, np.nan), np.where(fitted, sigma, np.nan)
        source = np.where(fitted, FITTED, NONE)
    gain = np.exp(log_gain)
    return GainTable(gain, gain * sigma, source, np.exp(correlated - unit))
