"""Decisions by krypton beside those by collisions: right and wrong by class, and the pads on which they differ."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core import Array, SourceError
from lynkeus.metrics.rates import wilson_interval
from lynkeus.pads.table import PadTable

ENOUGH = "NOT ENOUGH DATA"


class Agreement(NamedTuple):
    """How many pads of a class by krypton collisions call good, problematic, or cannot tell; `wrong`: the share of the
    decided ones on which they differ, with its interval (90 %)."""

    name: str
    pads: int
    good: int
    problematic: int
    undecided: int
    wrong: float
    low: float
    high: float


class CrossCheck(NamedTuple):
    """Rows of the pads that both tables have, `differ`: which of these are decided otherwise, a row of `classes` for
    each class by krypton, and `total` of all; `lost`: pads of either table that the other does not have."""

    krypton: Array
    collisions: Array
    differ: Array
    classes: list[Agreement]
    total: Agreement
    lost: int


def cross_check(krypton: PadTable, collisions: PadTable) -> CrossCheck:
    """Compare decisions on the same pads. Raises SourceError where fewer than half of the pads are in both tables."""
    keys, a, b = np.intersect1d(krypton.keys, collisions.keys, return_indices=True)
    lost = len(krypton) + len(collisions) - 2 * len(keys)
    if len(keys) < 0.5 * min(len(krypton), len(collisions)):
        many = f"{len(keys)} of its {len(collisions)} pads"
        raise SourceError(f"{collisions.path}: only {many} are in {krypton.path}: are "
                          "they of different chambers?")  # fmt: skip
    one, other = krypton["good"][a].astype(bool), collisions["good"][b].astype(bool)
    undecided = _undecided(krypton)[a] | _undecided(collisions)[b]
    differ = (one != other) & ~undecided
    kinds = krypton["class"][a]
    rows = [_agreement(name, kinds == name, one, other, undecided) for name in krypton.classes if (kinds == name).any()]
    return CrossCheck(a, b, differ, rows, _agreement("all", np.ones(len(keys), bool), one, other, undecided), lost)


def _undecided(table: PadTable) -> Array:
    verdict = table.columns.get("verdict")
    return np.zeros(len(table), bool) if verdict is None else verdict == ENOUGH


def _agreement(name: str, own: Array, one: Array, other: Array, undecided: Array) -> Agreement:
    known = own & ~undecided
    wrong, many = int((known & (one != other)).sum()), int(known.sum())
    low, high = wilson_interval(wrong, many) if many else (0.0, 1.0)
    return Agreement(name, int(own.sum()), int((known & other).sum()), int((known & ~other).sum()),
                     int((own & undecided).sum()), wrong / many if many else float("nan"), low, high)  # fmt: skip
