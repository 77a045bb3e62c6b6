"""Flow: how unlikely a sample is under a density that a network learned (normalising flow, Dinh et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log, pi
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from lynkeus.core import About, Batch, Evidence, SchemaError, Scores, Source
from lynkeus.explain.gradient import input_gradient
from lynkeus.networks.flow import NOISE_SIGMA, CouplingFlow
from lynkeus.scorers.learned.trained import Trained, learn, per_sample
from lynkeus.training import ADAM, Losses, TrainSettings, Update, mean_loss, weights_of
from lynkeus.transforms.missing import with_enough_data

DEFAULTS = TrainSettings(epochs=60, batch_size=256, decay=1e-5)


class Likelihood:
    """The task: the negative log likelihood of good samples, blurred a little."""

    betas = ADAM

    def __init__(self, network: CouplingFlow) -> None:
        self.networks = nn.ModuleDict({"flow": network})

    def start(self, x: Tensor) -> None:
        """Learn the principal axes of the samples."""
        self.networks["flow"].set_axes(x)

    def step(self, x: Tensor, y: Tensor, update: Update, weight: Tensor | None = None) -> Losses:
        """Known anomalies are not learned from."""
        good, weight = x[y == 0], weights_of(y == 0, weight)
        if not len(good):
            return {}
        nll = mean_loss(self.loss(good + NOISE_SIGMA * torch.randn_like(good)), weight)
        update("flow", nll)
        return {"nll": nll}

    def loss(self, x: Tensor) -> Tensor:
        """Return the negative log likelihood (b,) in nats per number."""
        return self.score(x) / x.shape[1:].numel()

    def score(self, x: Tensor) -> Tensor:
        """Return (b,) negative log likelihood in nats, of samples in sigmas."""
        z, log_volume = self.networks["flow"](x)
        return 0.5 * (z**2 + log(2 * pi)).sum(dim=1) - log_volume

    def spread(self, x: Tensor) -> Tensor:
        """Return the standard deviation of the latent numbers; 1 for a perfect flow."""
        return self.networks["flow"](x)[0].std(dim=0).mean()


@dataclass
class Flow(Trained):
    """`anomaly`: negative log likelihood in nats, of rows and waveforms in sigmas of each channel.

    Images are refused: what flows learn of pixels is texture, and smooth foreign images come out likelier than good
    ones (Nalisnick et al. 2019, arXiv:1810.09136). `components`: principal components that are mixed, the rest counts
    as one variance; `couplings`, `width` of the network; `windows`, `training`: see Autoencoder.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(("table", "waveform"), True, "gradient", "seconds to minutes", weights=True)
    components: int = 64
    couplings: int = 6
    width: int = 64
    windows: str = "auto"
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def make_task(self, shape: tuple[int, ...]) -> Likelihood:
        """The network for samples of that shape, untrained."""
        return Likelihood(CouplingFlow(shape, self.components, self.couplings, self.width))

    def fit(self, source: Source) -> Self:
        """Train on good samples. Raises SchemaError for images, and where nothing can be learned."""
        if source.schema.kind == "image":
            raise SchemaError("the scorer flow does not read the kind image (a likelihood of pixels is one of texture)")
        self.task_ = learn(self, source, DEFAULTS)
        return self

    def score(self, batch: Batch) -> Scores:
        """Return (n, 1) nats; NaN for a sample that misses more than half of its values."""
        return with_enough_data(batch, per_sample(self, batch, self.task_.score))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """The share of every number in the score, in nats above the mean sample."""
        return per_sample(self, batch, input_gradient(self.task_.score))
