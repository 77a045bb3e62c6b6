"""Search: the task of a training for discovery, and what it needs to know of the events."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.core import Floats, SettingsError, Source
from lynkeus.scorers.taggers.network import Tags
from lynkeus.scorers.taggers.searching.dense import COLUMNS
from lynkeus.scorers.taggers.searching.points import Points, Significance
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
BACKGROUNDS = 0.3  # of the cross-entropy of backgrounds, beside the logarithm or the number of sigmas
WORTH = 0.1  # of the events of a batch, that their weights leave


class Search(Tags):
    """The task: discovery of class `signal`, at several mass points one by one; judged by the significance of all
    held-out events together, which know less of an empty region than those of the training do."""

    def __init__(
        self, network: nn.Module, discovery: Significance, signal: int, background: float, points: Points | None = None
    ) -> None:
        super().__init__(network)
        self.discovery, self.signal, self.background, self.points = discovery, signal, background, points
        self.asked = repr(discovery)  # a training that goes on is one of the same loss

    def step(self, x: Any, y: Tensor, update: Update, weight: Tensor | None = None) -> Losses:
        """Step the network on the significance of a batch, and on the cross-entropy of the backgrounds among one
        another, which the significance forgets and control regions need; return minus the former, and the latter."""
        logits = self.networks["tagger"](x)
        if self.points is None:
            loss = self.discovery.of_classes(self._output(logits), y, self.signal, weight)
        else:
            loss = self._at(self.discovery, x, y, weight, self.points.some(y))
        if logits.shape[1] == 2:
            update("tagger", loss)
            return {"discovery": loss.detach()}
        among = self._among_backgrounds(logits, y)
        update("tagger", loss + BACKGROUNDS * among)
        return {"discovery": loss.detach(), "backgrounds": among.detach()}

    def _among_backgrounds(self, logits: Tensor, y: Tensor) -> Tensor:
        """Scalar: cross-entropy of background events, each class as much as another, given that they are none of the
        signal."""
        own = y != self.signal
        masked = logits[own].index_fill(1, torch.tensor([self.signal], device=logits.device), -torch.inf)
        count = torch.bincount(y[own], minlength=logits.shape[1]).clamp(min=1)
        return functional.cross_entropy(masked, y[own], weight=1.0 / count.to(logits.dtype))

    def judge(self, x: Any, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """Scalar loss of held-out events together."""
        heavy = torch.ones(len(y)) if weight is None else weight
        least = one_event(self.background, heavy[y != self.signal])
        held_out = replace(self.discovery, least=max(self.discovery.least, least))
        if self.points is None:
            return held_out.of_classes(self._output(self.networks["tagger"](x)), y, self.signal, weight)
        return self._at(held_out, x, y, weight, list(range(len(self.points))))

    def _at(self, loss: Significance, x: Any, y: Tensor, weight: Tensor | None, chosen: list[int]) -> Tensor:
        assert self.points is not None
        network = self.networks["tagger"]
        values, offsets = x[COLUMNS]

        def outputs(rows: Tensor) -> Tensor:
            return self._output(network({COLUMNS: (rows, offsets)}))

        return self.points.loss(loss, outputs, values, y, self.signal, weight, chosen)

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
