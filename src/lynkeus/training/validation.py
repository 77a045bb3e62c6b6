"""Validation: held-out good samples, and copies of them with planted faults, on which every epoch is measured."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from lynkeus.core import Array, Floats
from lynkeus.core.weights import differ
from lynkeus.training.task import Task, in_chunks
from lynkeus.transforms.planting import COPIES, efficiency, plant

BLOCKS = 40  # neighbours in time are alike: held out are stretches, not single samples
FEWEST = 2
FEWEST_KNOWN = 20  # of a class, so that some can be held out
Rows = npt.NDArray[np.intp]


def split(labels: Array, share: float, seed: int) -> tuple[Rows, Rows, Rows]:
    """Return indices to train on; of good samples held out, a share of them in stretches; of known anomalies held out.

    Of a class with few known anomalies all are trained on.
    """
    rng = np.random.default_rng(seed)
    good = np.flatnonzero(labels == 0)
    stretches = np.array_split(good, max(1, min(BLOCKS, len(good))))
    taken = rng.permutation(len(stretches))[: max(1, round(share * len(stretches)))]
    held_out = np.concatenate([stretches[index] for index in sorted(taken)])
    everything, known = np.arange(len(labels)), np.empty(0, np.intp)
    for label in np.unique(labels[labels != 0]):
        own = np.flatnonzero(labels == label)
        if len(own) >= FEWEST_KNOWN:
            known = np.concatenate([known, rng.permutation(own)[: round(share * len(own))]])
    if len(good) - len(held_out) < FEWEST:  # too few to hold any out
        return np.setdiff1d(everything, known), good, known
    return np.setdiff1d(everything, np.concatenate([held_out, known])), held_out, known


class Validation:
    """Measures a task for early stopping, on the same samples in every epoch; faulty are known anomalies, or planted
    faults.

    `weight` (n,) of the good samples, None: each counts once. Faults are planted into samples drawn by their weights.
    """

    def __init__(
        self, good: Floats, known: Floats, seed: int, device: torch.device, weight: Floats | None = None
    ) -> None:
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.permutation(len(good))[: 4 * COPIES])
        share = None if weight is None or not differ(weight) else weight / weight.sum()
        if len(known) >= FEWEST_KNOWN:
            faulty = known
        else:
            where = rng.integers(len(good), size=COPIES) if share is None else rng.choice(len(good), COPIES, p=share)
            faulty = plant(good[where], rng)
        self.weight = None if share is None else share[chosen]
        self.good = torch.from_numpy(good[chosen]).to(device)
        self.faulty = torch.from_numpy(faulty).to(device)

    def measure(self, task: Task) -> tuple[float, float, float]:
        """Return the held-out loss, the efficiency for faulty samples at FALSE_POSITIVES, and the spread of the
        outputs."""
        losses = in_chunks(task.loss, self.good).double()
        loss = float(losses.mean() if self.weight is None else np.average(losses.cpu().numpy(), weights=self.weight))
        good, faulty = (in_chunks(task.score, x).cpu().double().numpy() for x in (self.good, self.faulty))
        with torch.no_grad():
            spread = float(task.spread(self.good))
        return loss, efficiency(good, faulty, self.weight), spread
