"""Faults of pads and their electronics, planted into expected spectra, each with its class.

dead (a card, or a pad), noisy (hot pad, noise tail), gain shift, double peak (the gain moved during the run), low
statistics, saturated, edge (clusters that the border of the plane cuts), other (cross-talk, a flat spectrum).
"""

from __future__ import annotations

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.tpc.lines import Line
from lynkeus.simulate.tpc.planes import PadPlane

CLASSES = ("good", "dead", "noisy", "gain shift", "double peak", "low statistics", "saturated", "edge", "other")
MIX = "dead:2,noisy:2,gain shift:2,double peak:2,low statistics:1,saturated:1,edge:2,other:1"
CARD_SHARE = 0.5  # of the dead pads are on cards that are dead as a whole


def mix_of(text: str) -> Floats:
    """Return the share of each class among the faults (classes,), 0 for good. Raises SettingsError."""
    found = np.zeros(len(CLASSES))
    for part in str(text).split(","):
        name, _, weight = part.strip().replace("_", " ").partition(":")
        try:
            found[CLASSES.index(name.strip())] = float(weight or 1)
        except ValueError as error:
            known = ", ".join(CLASSES[1:])
            raise SettingsError(f"mix {part!r}: must be CLASS:WEIGHT with commas between; classes: {known}") from error
    if (found < 0).any() or not found.sum() > 0 or found[0]:
        raise SettingsError(f"mix {text!r}: weights must not be negative, and good is what is left")
    return found / found.sum()


def drawn(plane: PadPlane, share: float, mix: Floats, rng: np.random.Generator) -> Array:
    """Return the class of each pad (n,), counted by CLASSES: dead ones partly by whole cards, edge at the borders."""
    n = len(plane)
    truth = np.zeros(n, np.int64)
    rate = share * mix
    edge = CLASSES.index("edge")
    border = at_border(plane)
    for k in rng.permutation(np.arange(1, len(CLASSES))):
        if k == edge:
            p = np.where(border, min(1.0, rate[k] * n / max(border.sum(), 1)), 0.0)
        else:
            p = np.full(n, rate[k] * (1 - CARD_SHARE if CLASSES[k] == "dead" else 1))
        truth[(truth == 0) & (rng.random(n) < p)] = k
    cards = np.unique(plane.card)
    dead = rng.random(len(cards)) < rate[1] * CARD_SHARE
    truth[np.isin(plane.card, cards[dead])] = 1
    return truth


def at_border(plane: PadPlane) -> Array:
    """Return (n,) whether a pad is the first or last two of its row."""
    key = plane.sector.astype(np.int64) * 100_000 + plane.row
    most, least = np.zeros(0), np.zeros(0)
    _, own = np.unique(key, return_inverse=True)
    most = np.zeros(own.max() + 1, np.int64)
    np.maximum.at(most, own, plane.pad)
    least = np.full(own.max() + 1, 10**9)
    np.minimum.at(least, own, plane.pad)
    return (plane.pad < least[own] + 2) | (plane.pad > most[own] - 2)


def spoil(shape: Line, truth: Array, gain: Floats, decays: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return (n, bins) the expected counts of pads with a fault of class `truth` (n,), and the gain that each really
    has. `decays`: how many clusters each would have."""
    gain, decays = gain.copy(), decays.copy()
    side = rng.random(len(gain)) < 0.5
    moved = truth == CLASSES.index("gain shift")
    factor = np.where(side, rng.uniform(0.5, 0.7, len(gain)), rng.uniform(1.35, 1.7, len(gain)))
    gain[moved] *= factor[moved]
    few = truth == CLASSES.index("low statistics")
    decays[few] = rng.uniform(8.0, 60.0, int(few.sum()))
    found = decays[:, None] * shape.expected(gain)
    for name, plant in PLANTED.items():
        own = np.flatnonzero(truth == CLASSES.index(name))
        if len(own):
            found[own] = plant(shape, found[own], gain[own], decays[own], rng)
    return found, gain


def _dead(shape: Line, found: Floats, gain: Floats, decays: Floats, rng: np.random.Generator) -> Floats:
    still = np.where(rng.random(len(gain)) < 0.5, 0.0, rng.uniform(0.0, 3.0, len(gain)))
    return still[:, None] * shape.noise(np.full(len(gain), 20.0))


def _noisy(shape: Line, found: Floats, gain: Floats, decays: Floats, rng: np.random.Generator) -> Floats:
    much = decays * np.exp(rng.uniform(np.log(0.25), np.log(8.0), len(gain)))
    return found + much[:, None] * shape.noise(rng.uniform(15.0, 90.0, len(gain)))


def _double(shape: Line, found: Floats, gain: Floats, decays: Floats, rng: np.random.Generator) -> Floats:
    factor = np.where(
        rng.random(len(gain)) < 0.5, rng.uniform(0.62, 0.85, len(gain)), rng.uniform(1.18, 1.5, len(gain))
    )
    share = rng.uniform(0.25, 0.75, len(gain))[:, None]
    return share * found + (1 - share) * decays[:, None] * shape.expected(gain * factor)


def _saturated(shape: Line, found: Floats, gain: Floats, decays: Floats, rng: np.random.Generator) -> Floats:
    limit = np.searchsorted(shape.edges, 12.0 * 41.55 * gain * rng.uniform(0.6, 1.04, len(gain))) - 1
    above = np.arange(found.shape[1]) > limit[:, None]
    piled = (found * above).sum(axis=1)
    found = np.where(above, 0.0, found)
    found[np.arange(len(found)), limit] += piled
    return found


def _edge(shape: Line, found: Floats, gain: Floats, decays: Floats, rng: np.random.Generator) -> Floats:
    cut = rng.uniform(0.5, 0.95, len(gain))[:, None]
    lost, steps = np.zeros_like(found), np.linspace(0.35, 0.97, 12)
    for step in steps:
        lost += decays[:, None] * shape.expected(gain * step) / len(steps)
    return rng.uniform(0.5, 0.9, len(gain))[:, None] * (cut * lost + (1 - cut) * found)


def _other(shape: Line, found: Floats, gain: Floats, decays: Floats, rng: np.random.Generator) -> Floats:
    flat = np.full(found.shape[1], 1.0 / found.shape[1])
    talk = shape.expected(gain * rng.uniform(0.2, 0.5, len(gain)))
    is_flat = rng.random(len(gain)) < 0.5
    much = decays * rng.uniform(0.6, 1.5, len(gain))
    return np.where(is_flat[:, None], 0.3 * found + much[:, None] * flat * shape.seen, found + much[:, None] * talk)


PLANTED = {"dead": _dead, "noisy": _noisy, "double peak": _double, "saturated": _saturated, "edge": _edge,
           "other": _other}  # fmt: skip
