"""Labels of an eye-scan, whatever they are called: which of them means good, and which of our classes each is like."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from lynkeus.core import Array, Floats, SettingsError
from lynkeus.transforms.pads.plant import CLASSES

GOOD_WORDS = ("good", "ok", "okay", "fine", "gut", "normal")
LIKE = 0.3  # least mean probability of a class by the physics, for a label to be taken for it


class Labels(NamedTuple):
    """`names` of the labels, `good`: which of them is; `like` (labels,): the number of our class that each is like, -1
    for none; `binary`: there is one other, which says no more than that a pad is problematic."""

    names: tuple[str, ...]
    good: int
    like: Array
    binary: bool


def plain(name: str) -> str:
    """Return a name without the differences of spelling."""
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())


def read_labels(names: tuple[str, ...], truth: Array, by_physics: Floats) -> Labels:
    """Return what labels (n,) mean, by their names and by the probabilities of our classes `by_physics` (n, CLASSES) of
    the pads that bear them. Raises SettingsError where there is one label alone, or none of them is good."""
    if len(names) < 2:
        raise SettingsError(f"all labels are {names[0]!r}: an eye-scan needs good and problematic pads")
    mean = np.stack([by_physics[truth == k].mean(axis=0) for k in range(len(names))])
    said = [k for k, name in enumerate(names) if plain(name) in GOOD_WORDS]
    good = said[0] if len(said) == 1 else int(mean[:, 0].argmax())
    if mean[good, 0] < 0.2 and not said:
        most = f"at most {mean[good, 0]:.0%} look so"
        raise SettingsError(
            f"of none of the labels {', '.join(names[:6])} are most pads good ({most}): are they of these spectra?"
        )
    like = np.full(len(names), -1)
    like[good] = 0
    others = [k for k in range(len(names)) if k != good]
    ours = {plain(name): k for k, name in enumerate(CLASSES)}
    for k in others:
        like[k] = ours.get(plain(names[k]), -1)
    left = [k for k in others if like[k] < 0]
    free = [k for k in range(1, len(CLASSES)) if k not in like]
    if left and free and len(others) > 1:
        score = mean[np.ix_(left, free)]
        for row, column in zip(*linear_sum_assignment(-score), strict=True):
            if score[row, column] > LIKE:
                like[left[row]] = free[column]
    binary = len(others) == 1 and like[others[0]] < 0
    return Labels(names, good, like, binary)


def outputs_of(labels: Labels | None) -> tuple[str, ...]:
    """Return the names of the classes: ours, called as the labels call them, and then those that are like none."""
    if labels is None:
        return CLASSES
    called = list(CLASSES)
    for k, own in enumerate(labels.like):
        if own >= 0 and not (labels.binary and own > 0):
            called[own] = "good" if own == 0 and labels.binary else labels.names[k]
    extra = [] if labels.binary else [name for k, name in enumerate(labels.names) if labels.like[k] < 0]
    return (*called, *extra)


def numbers_of_labels(labels: Labels, truth: Array) -> Array:
    """Return (n,) the class that each label says, -1 for none, -2 for problematic without saying how."""
    extra = iter(range(len(CLASSES), len(CLASSES) + len(labels.names)))
    to = []
    for k, own in enumerate(labels.like):
        to.append(int(own) if own >= 0 else -2 if labels.binary else next(extra))
        if labels.binary and k != labels.good:
            to[-1] = -2
    return np.array([*to, -1])[truth]
