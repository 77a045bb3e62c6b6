"""Classifier: good or anomalous, or which kind of fault, learned from labelled samples.

It knows the faults it was shown and no others: commission it on kinds that were left out before trusting it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.core import About, Batch, Evidence, Finding, Floats, LastBatch, Scores, SettingsError, Source
from lynkeus.explain.gradient import input_gradient
from lynkeus.networks.build import architecture
from lynkeus.scorers.learned.trained import FromRaw, Trained, learn, per_sample
from lynkeus.training import ADAM, Losses, TrainSettings, Update, mean_loss
from lynkeus.training.soften import softened
from lynkeus.transforms.missing import with_enough_data

DEFAULTS = TrainSettings(epochs=60, decay=1e-5, known_share=1.0)
SLOPE = 0.1


class Classes:
    """The task: cross-entropy of good samples (class 0) and of each class of anomaly."""

    betas = ADAM

    def __init__(self, encoder: nn.Module, latent: int, classes: int, soften: float) -> None:
        last = nn.Linear(latent, classes + 1)
        self.soften = soften
        self.networks = nn.ModuleDict({"classifier": nn.Sequential(encoder, nn.LeakyReLU(SLOPE), last)})

    def start(self, x: Tensor) -> None:
        """Learn nothing before the first epoch."""

    def step(self, x: Tensor, y: Tensor, update: Update, weight: Tensor | None = None) -> Losses:
        """Step the network on the cross-entropy and return it; a batch has as many anomalies as good samples, so no
        class has a weight."""
        logits = self.networks["classifier"](softened(x, y, self.soften))
        loss = mean_loss(functional.cross_entropy(logits, y, reduction="none"), weight)
        update("classifier", loss)
        return {"cross_entropy": loss}

    def logits(self, x: Tensor) -> Tensor:
        """Return log odds (b, 1 + classes) of any anomaly, then of each class, against being good."""
        out = self.networks["classifier"](x)
        against = out[:, 1:] - out[:, :1]
        return torch.cat([torch.logsumexp(against, dim=1, keepdim=True), against], dim=1)

    def score(self, x: Tensor) -> Tensor:
        """Return the log odds (b,) of any anomaly."""
        return self.logits(x)[:, 0]

    def loss(self, x: Tensor) -> Tensor:
        """Return minus the log probability (b,) of being good."""
        return functional.softplus(self.score(x))

    def spread(self, x: Tensor) -> Tensor:
        """Return the standard deviation (scalar) of the log odds over the samples."""
        return self.score(x).std()


@dataclass
class Classifier(Trained):
    """`anomaly`: log odds against a sample being good; with several `classes` one output for each.

    `classes`: names of the labels 1, 2, ...; `soften`: see DeepSad; the rest: see Autoencoder.
    """

    about: ClassVar[About] = About(
        ("table", "waveform", "image"), True, "gradient", "seconds to minutes", labels="classes", constants=True,
        weights=True, names_kinds=True,
    )  # fmt: skip
    classes: tuple[str, ...] = ("anomalous",)
    network: str = "auto"
    latent: int = 32
    width: int = 0
    soften: float = 0.5
    windows: str = "auto"
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._memo: LastBatch[Floats] = LastBatch()
        self.classes = tuple(self.classes.split(",") if isinstance(self.classes, str) else self.classes)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Return `anomaly`, and the classes where there are several."""
        return ("anomaly", *self.classes) if len(self.classes) > 1 else ("anomaly",)

    def make_task(self, shape: tuple[int, ...]) -> Classes:
        """Return the task with an untrained network for samples of that shape."""
        parts = architecture(self.network, shape)
        encoder = parts.encoder(shape, self.latent, self.width or parts.width, True)
        return Classes(encoder, self.latent, len(self.classes), self.soften)

    def fit(self, source: Source) -> Self:
        """Train on samples with truth 0, 1, ... Raises SettingsError for labels beyond the classes, or of one kind."""
        self._memo.forget()
        labels = _labels(source)
        most = max(labels)
        if min(labels) < 0:
            raise SettingsError(f"label {min(labels)} is negative: good samples have 0, classes of anomalies 1, 2, ...")
        if self.classes == ("anomalous",) and most > 1:
            self.classes = tuple(f"class_{number}" for number in range(1, most + 1))
        if most > len(self.classes):
            raise SettingsError(f"label {most} has no name, only {len(self.classes)} have: give --set classes=A,B,...")
        if len(labels) < 2:
            raise SettingsError(f"a classifier needs good samples (0) and anomalous ones; all labels are {most}")
        self.task_ = learn(self, source, DEFAULTS)
        return self

    def score(self, batch: Batch) -> Scores:
        """Return log odds (n, outputs); NaN for a sample that misses more than half of its values."""
        odds = self._odds(batch)[:, : len(self.outputs)]
        return np.where(np.isnan(with_enough_data(batch, odds[:, 0])), np.nan, odds)

    def _odds(self, batch: Batch) -> Floats:
        """Return (n, 1 + classes) log odds, computed once for a batch."""
        return self._memo.of(batch, lambda one: per_sample(self, one, self.task_.logits))

    def as_module(self) -> nn.Module:
        """Return the scorer as a module of tensors, see `Trained.as_module`."""
        return FromRaw(self.inputs_, self.task_.networks, lambda x: self.task_.logits(x)[:, : len(self.outputs)])

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Return integrated gradients of one output in the shape of `values`."""
        column = self.outputs.index(output)
        return per_sample(self, batch, input_gradient(lambda x: self.task_.logits(x)[:, column]))

    def classify(self, batch: Batch) -> npt.NDArray[np.str_]:
        """Return the most probable class of each sample (n,), '' where that is good."""
        odds = self._odds(batch)[:, 1:]
        best = odds.argmax(axis=1)
        return np.where(odds.max(axis=1, initial=-np.inf) > 0, np.array(self.classes)[best], "")

    def find(self, batch: Batch, output: str = "anomaly") -> list[tuple[Finding, ...]]:
        """Name the most probable class of each sample that does not look good."""
        return [(Finding(kind=str(name)),) if name else () for name in self.classify(batch)]


def _labels(source: Source) -> set[int]:
    """Return all labels that a source has; samples without one are good."""
    found: set[int] = set()
    for batch in source:
        found |= {0} if batch.truth is None else {int(label) for label in np.unique(batch.truth)}
    return found or {0}
