"""Reasons: why a pad is what it is said to be, in half a sentence with a number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.transforms.pads.features import SHAPE
from lynkeus.transforms.pads.plant import CLASSES

NOT_ENOUGH = "NOT ENOUGH DATA"
AT = {name: k for k, name in enumerate(SHAPE)}


def reasons(shape: Floats, chosen: Array, total: Floats, residual: Floats, few: Array, usual: Floats) -> list[str]:
    """Return why, of pads (n,) with numbers `shape` (n, SHAPE), of `chosen` classes (numbers of CLASSES) and `total`
    counts; the `residual` of the gain in spreads; `few`: too few counts to tell; `usual` counts around."""
    found = []
    for row, kind, counts, off, scarce, around in zip(shape, chosen, total, residual, few, usual, strict=True):
        own = _SAID[CLASSES[kind]](row, off) if kind < len(CLASSES) else ""
        beside = f"{counts:.0f} counts, {around:.0f} around"
        if scarce and kind != CLASSES.index("dead"):
            found.append(f"{NOT_ENOUGH}: {beside}")
        elif CLASSES[kind] in ("dead", "low statistics") if kind < len(CLASSES) else False:
            found.append(beside)
        else:
            found.append(own)
    return found


def _good(row: Floats, off: float) -> str:
    return ""


def _noisy(row: Floats, off: float) -> str:
    return f"noise is {row[AT['share noise']]:.0%} of the counts"


def _shifted(row: Floats, off: float) -> str:
    return f"gain {np.exp(row[AT['log gain']]):.2f} of the usual one, {off:+.1f} spreads of good pads off"


def _double(row: Floats, off: float) -> str:
    share, ratio = row[AT["second share"]], np.exp(row[AT["second gain"]])
    return f"a second gain, {ratio:.2f} times the first, with {share:.0%} of the counts"


def _saturated(row: Floats, off: float) -> str:
    share, at = row[AT["largest bin share"]], np.exp(row[AT["highest bin at"]])
    return f"{share:.0%} of the counts in one bin, at {at:.2f} of the peak"


def _edge(row: Floats, off: float) -> str:
    lost = row[AT["share below"]] + row[AT["share far below"]]
    return f"{lost:.0%} of the counts at lower gains: clusters are cut"


def _other(row: Floats, off: float) -> str:
    return f"of no known shape: misfit {np.exp(row[AT['misfit']]):.1f}, flat {row[AT['share flat']]:.0%}"


_SAID: dict[str, Callable[[Floats, float], str]] = {
    "good": _good, "dead": _good, "noisy": _noisy, "gain shift": _shifted, "double peak": _double,
    "low statistics": _good, "saturated": _saturated, "edge": _edge, "other": _other,
}  # fmt: skip
