"""Search: the task of a training for discovery, and what it needs to know of the events."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from lynkeus.core import Floats, SettingsError, Source
from lynkeus.scorers.taggers.network import Tags
from lynkeus.training import Losses, Update
from lynkeus.training.discovery import Discovery, fewest_background, one_event
from lynkeus.training.profiled import Profiled

LOSSES = {
    "cross_entropy": "", "asimov": "significance", "inverse_asimov": "inverse", "s_over_root_s_b": "simple",
    "profiled": "profiled",
}  # fmt: skip
STARTS = ("cross_entropy", "s_over_root_s_b")
DISCOVERY_BATCH = 4096  # events of a step whose loss is a significance: it is a ratio of sums over them
FEW = 10.0  # background events in a region of 1 %, of a batch
WORTH = 0.1  # of the events of a batch, that their weights leave


Significance: TypeAlias = Discovery | Profiled


class Search(Tags):
    """The task: discovery of class `signal`; judged by the significance of all held-out events together, which know
    less of an empty region than those of the training do."""

    def __init__(self, network: nn.Module, discovery: Significance, signal: int, background: float) -> None:
        super().__init__(network)
        self.discovery, self.signal, self.background = discovery, signal, background

    def step(self, x: Any, y: Tensor, update: Update, weight: Tensor | None = None) -> Losses:
        """Step the network on the significance of a batch and return minus it."""
        loss = self.discovery.of_classes(self._output(self.networks["tagger"](x)), y, self.signal, weight)
        update("tagger", loss)
        return {"discovery": loss.detach()}

    def judge(self, logits: Tensor, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """Scalar loss of held-out events together."""
        heavy = torch.ones(len(y)) if weight is None else weight
        least = one_event(self.background, heavy[y != self.signal])
        held_out = replace(self.discovery, least=max(self.discovery.least, least))
        return held_out.of_classes(self._output(logits), y, self.signal, weight)

    def _output(self, logits: Tensor) -> Tensor:
        return torch.softmax(logits.double(), dim=1)[:, self.signal]


def expected_events(source: Source, classes: tuple[str, ...], signal: str) -> Floats:
    """Return (classes,) how many events of each are expected, by weights; where the source is a part of all, as many
    as all have. Raises SettingsError where signal or background is none."""
    found = np.zeros(len(classes))
    for batch in source:
        heavy = np.ones(len(batch)) if batch.weight is None else batch.weight.astype(float)
        found += np.bincount(np.asarray(batch.truth), heavy, minlength=len(classes))
    found = found / getattr(source, "share", 1.0)
    s, b = found[classes.index(signal)], found.sum() - found[classes.index(signal)]
    if not (s > 0 and b > 0):
        raise SettingsError(f"weights expect {s:g} events of {signal} and {b:g} others; give both")
    return found


def discovery_of(loss: str, expected: Floats, signal: int, systematic: float, bins: int, least: float) -> Significance:
    """Return the loss of a name for so many expected events of each class, of `least` events of background besides."""
    if LOSSES[loss] == "profiled":
        return Profiled(tuple(expected), systematic, bins, least=least)
    s = float(expected[signal])
    return Discovery(s, float(expected.sum()) - s, systematic, LOSSES[loss], bins, least=least)


def warnings_of(batch: int, signal: Floats, weight: Floats | None, expected: Floats) -> list[str]:
    """Return what is to be said before a training for discovery: `signal` (n,) whether an event is one, `weight`
    (n,)."""
    found: list[str] = []
    few = fewest_background(batch, float(signal.mean()))
    if few < FEW:
        found.append(
            f"a batch of {batch} has {few:.0f} background events in a region of 1 % of them: the loss follows their "
            "fluctuations; give --set training.batch_size=4096 or more"
        )
    if weight is None or bool((weight == weight[0]).all()):
        found.append(
            f"the events have no weights, so each counts as one that is expected, {expected.sum():.0f} in all: give "
            "--weights COLUMN (cross section times luminosity over events) where that is not so"
        )
    else:
        heavy = weight[signal == 0]
        worth = float(heavy.sum() ** 2 / (heavy**2).sum() / len(heavy))
        if worth < WORTH:
            found.append(
                f"weights leave the background the worth of {worth:.1%} of its events alike: a region without heavy "
                "ones looks emptier than it is"
            )
    return found
