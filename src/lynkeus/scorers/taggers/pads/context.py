"""Context: what the pads around, and those of the same electronics card, say of one that is hard to tell.

A card that is dead takes neighbouring pads with it. How much a bad neighbourhood says is learned from the pads of the
batch themselves: where faults lie anywhere, it says nothing.
"""

from __future__ import annotations

import numpy as np

from lynkeus.core import Array, Floats

CUTS = (0.08, 0.2, 0.4, 0.7)
PRIOR = 10.0  # pads in each share, as if faults were anywhere
MOST = 2.0  # by which log odds are moved


def context_odds(bad: Floats, near: Array, card: Array) -> Floats:
    """Return (n,) what is to be added to the log odds of pads that are `bad` with a probability (n,)."""
    found = _odds(bad, _around(bad, near))
    if (card >= 0).any():
        found += _odds(bad, _on_card(bad, card))
    return np.clip(found, -MOST, MOST)


def _around(bad: Floats, near: Array) -> Floats:
    there = near >= 0
    return (bad[near] * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1)


def _on_card(bad: Floats, card: Array) -> Floats:
    known = card >= 0
    total = np.bincount(card[known], bad[known], card.max() + 1)
    many = np.bincount(card[known], minlength=card.max() + 1)
    others = np.maximum(many[card] - 1, 1)
    return np.where(known & (many[card] > 1), (total[card] - bad) / others, bad.mean())


def _odds(bad: Floats, share: Floats) -> Floats:
    stratum = np.digitize(share, CUTS)
    count = len(CUTS) + 1
    all_bad, all_good = max(float(bad.sum()), 1e-9), max(float((1 - bad).sum()), 1e-9)
    usual = PRIOR * np.bincount(stratum, minlength=count) / len(bad)
    of_bad = (np.bincount(stratum, bad, count) + usual) / (all_bad + PRIOR)
    of_good = (np.bincount(stratum, 1 - bad, count) + usual) / (all_good + PRIOR)
    odds: Floats = np.log(np.maximum(of_bad, 1e-9) / np.maximum(of_good, 1e-9))
    return odds[stratum]
