"""History: what happened in each epoch, which one was kept, and what that means in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np

from lynkeus.transforms.planting import COPIES, FALSE_POSITIVES

COLLAPSED = 0.01  # outputs that differ less than this part of how much the inputs do
FLAT = 0.01  # relative gain over the last epochs that no longer counts as progress
LAST, LAST_SHARE = 5, 0.1  # epochs that are looked at: so many at most, and this share of all
OVERFITTED = 0.05  # relative rise of the held-out loss above its least, while the training loss falls
VERDICTS = ("converged", "over-fitted", "collapsed", "still learning", "diverged")


@dataclass(frozen=True)
class Epoch:
    """`losses` by name, means over the training samples; `held_out`: loss on good samples not trained on; `efficiency`:
    share of planted faults found at 5 % false positives; `spread`: see Task; `notes`: what the task notes besides."""

    losses: Mapping[str, float]
    held_out: float
    efficiency: float
    spread: float
    seconds: float
    notes: Mapping[str, list[float]] = field(default_factory=dict)

    @property
    def loss(self) -> float:
        """Return the sum of all losses."""
        return math.fsum(self.losses.values())

    def better_than(self, other: Epoch) -> bool:
        """Return whether more faults are found, beyond the error of counting them; else as many and a smaller held-out
        loss."""
        error = math.sqrt(max(other.efficiency * (1 - other.efficiency), 1 / COPIES) / COPIES)
        gain = self.efficiency - other.efficiency
        return gain > error or (abs(gain) <= error and self.held_out < other.held_out)


@dataclass
class History:
    """`epochs` in order, `best`: index of the one that was kept, `samples` trained on, `parameters` trained,
    `diverged`: a loss was no number, and training stopped there; `resumed`: what is to be said of a training that was
    killed, which is not kept: the model is the same as if it had not been; `named`: of classes
    and numbers, what the efficiency is called, the share of held-out samples that are named rightly (also True, as it
    once was), and the epoch with the least held-out loss is kept."""

    title: str
    samples: int
    parameters: int
    most_epochs: int
    epochs: list[Epoch] = field(default_factory=list)
    best: int = -1
    diverged: bool = False
    messages: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    named: str | bool = ""

    @property
    def verdict(self) -> str:
        """Return one of VERDICTS, by the spread of the outputs and the course of the losses."""
        if self.diverged:
            return "diverged"
        kept, first = self.epochs[self.best].spread, self.epochs[0].spread
        if kept < COLLAPSED and kept < 2 * first:  # an autoencoder begins there and must leave it
            return "collapsed"
        held_out = [epoch.held_out for epoch in self.epochs]
        losses = [epoch.loss for epoch in self.epochs]
        recent = max(1, min(LAST, round(LAST_SHARE * len(held_out))))
        last, least = float(np.mean(held_out[-recent:])), min(held_out)
        if last > least + OVERFITTED * abs(least) and losses[-1] < losses[int(np.argmin(held_out))]:
            return "over-fitted"
        before = float(np.mean(held_out[-2 * recent : -recent])) if len(held_out) >= 2 * recent else math.inf
        stopped_early = len(self.epochs) < self.most_epochs
        return "converged" if stopped_early or before - last <= FLAT * abs(before) else "still learning"

    def says(self) -> str:
        """Return the verdict with what to do, in a line."""
        if not self.epochs:
            return f"{self.title}: diverged in the first epoch; lower training.learning_rate"
        kept = self.epochs[self.best]
        found = f"{kept.efficiency:.0%} of planted faults found at {FALSE_POSITIVES:.0%} false positives"
        if self.named:
            word = self.named if isinstance(self.named, str) else "named rightly"
            found = f"held-out loss {kept.held_out:.4g}, {kept.efficiency:.1%} {word}"
        line = f"{self.title}: {self.verdict}; kept epoch {self.best + 1} of {len(self.epochs)}, {found}"
        advice = {
            "over-fitted": "; later epochs learned the noise and are not used",
            "collapsed": "; all samples come out the same: do not use this model, choose another scorer",
            "still learning": "; more training.epochs may help",
            "diverged": "; a loss was not a number, the last good epoch is kept: lower training.learning_rate",
        }
        return line + advice.get(self.verdict, "")

    def add(self, epoch: Epoch) -> bool:
        """Append an epoch; True where it is the best so far."""
        self.epochs.append(epoch)
        if self.best >= 0:
            best = self.epochs[self.best]
            if not (epoch.held_out < best.held_out if self.named else epoch.better_than(best)):
                return False
        self.best = len(self.epochs) - 1
        return True

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        fields = asdict(self)
        del fields["resumed"]
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Rebuild it from what `to_dict` returned."""
        return cls(**{**fields, "epochs": [Epoch(**epoch) for epoch in fields["epochs"]]})
