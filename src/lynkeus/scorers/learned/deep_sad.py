"""Deep SAD: one-class learning that also pushes away what is known to be faulty (Ruff et al. 2020, arXiv:1906.02694).

The loss is the mean of d^(2 label) with label +1 for samples that are good, or not known to be otherwise, and -1 for
known anomalies: these land far from the centre. By itself it goes blind for faults that no label showed: the network
keeps what tells the known ones, and lets go of the rest. So there are two: one learns without labels, as Deep SVDD, and
a sample is as anomalous as the one says that finds it farther out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from lynkeus.core import About, Batch, Evidence, Scores, Source
from lynkeus.explain.gradient import input_gradient
from lynkeus.networks.build import architecture
from lynkeus.scorers.learned.deep_svdd import NEAREST, OneClass
from lynkeus.scorers.learned.trained import Trained, learn, per_sample
from lynkeus.training import ADAM, Losses, TrainSettings, Update, mean_loss, weights_of
from lynkeus.training.soften import softened
from lynkeus.transforms.missing import with_enough_data

DEFAULTS = TrainSettings(epochs=60, decay=1e-6, known_share=0.25)
FAR = 0.95  # quantile of good distances that is one unit above their median
MEMORY = 0.05  # of median and quantile: the part that one batch adds
PULLED, PUSHED = "without_labels", "with_labels"


class Ranged(OneClass):
    """An encoder with its centre, that remembers how far from it good samples are: median and FAR quantile."""

    middle: Tensor
    far: Tensor

    def __init__(self, encoder: nn.Module, latent: int) -> None:
        super().__init__(encoder, latent)
        self.register_buffer("middle", torch.tensor(0.0))
        self.register_buffer("far", torch.tensor(0.0))


class PulledAndPushed:
    """The task: two networks pull good samples to a centre, one of them also pushes known anomalies away."""

    betas = ADAM

    def __init__(self, encoders: tuple[nn.Module, nn.Module], latent: int, known_weight: float, soften: float) -> None:
        self.networks = nn.ModuleDict(
            {name: Ranged(encoder, latent) for name, encoder in zip((PULLED, PUSHED), encoders, strict=True)}
        )
        self.known_weight, self.soften = known_weight, soften

    def start(self, x: Tensor) -> None:
        """Set the centre as in Deep SVDD: the mean of the first codes."""
        for network in self.networks.values():
            network.fix_centre(x)

    def step(self, x: Tensor, y: Tensor, update: Update, weight: Tensor | None = None) -> Losses:
        """Mean d^2 of good samples for both, plus the weight times the mean 1 / d^2 of known anomalies."""
        good = y == 0
        if not good.any():
            return {}
        losses, of_good = {}, weights_of(good, weight)
        squared = self._squared(PULLED, x[good])
        losses["pull"] = mean_loss(squared, of_good)
        update(PULLED, losses["pull"])
        self._remember(PULLED, squared, of_good)
        squared = self._squared(PUSHED, softened(x, y, self.soften))
        losses["pull_with_labels"] = mean_loss(squared[good], of_good)
        if not good.all():
            push = mean_loss(1.0 / (squared[~good] + NEAREST), weights_of(~good, weight))
            losses["push"] = self.known_weight * push
        update(PUSHED, losses["pull_with_labels"] + losses.get("push", torch.zeros_like(squared[0])))
        self._remember(PUSHED, squared[good], of_good)
        return losses

    def score(self, x: Tensor) -> Tensor:
        """Return (b,) the larger distance: 0 is the median of good samples, 1 their FAR quantile."""
        return torch.maximum(self._ranged(PULLED, x), self._ranged(PUSHED, x))

    def loss(self, x: Tensor) -> Tensor:
        """Return the sum of squared distances to the centre (b,)."""
        return self._squared(PULLED, x) + self._squared(PUSHED, x)

    def spread(self, x: Tensor) -> Tensor:
        """Return the spread of the codes relative to the distance of the centre from 0, the smaller one of the
        networks."""
        own = [network(x).std(dim=0).mean() / network.centre.abs().mean() for network in self.networks.values()]
        return torch.stack(own).min()

    def _squared(self, name: str, x: Tensor) -> Tensor:
        return (self.networks[name](x) ** 2).sum(dim=1)

    def _ranged(self, name: str, x: Tensor) -> Tensor:
        network = self.networks[name]
        distance = self._squared(name, x).sqrt()
        return (distance - network.middle) / torch.clamp(network.far - network.middle, min=NEAREST)

    def _remember(self, name: str, squared: Tensor, weight: Tensor | None) -> None:
        network, distance = self.networks[name], squared.detach().float().sqrt()
        if weight is None:
            middle, far = distance.median(), distance.quantile(FAR)
        else:
            middle, far = (_weighted_quantile(distance, q, weight) for q in (0.5, FAR))
        for buffer, now in ((network.middle, middle), (network.far, far)):
            buffer.copy_(buffer.lerp(now, MEMORY) if buffer > 0 else now)


def _weighted_quantile(values: Tensor, q: float, weight: Tensor) -> Tensor:
    """The lowest of values (b,) with at least the share q of the weight up to it."""
    order = values.argsort()
    reached = weight[order].cumsum(0)
    return values[order][(reached < q * reached[-1]).sum().clamp(max=len(values) - 1)]


@dataclass
class DeepSad(Trained):
    """`anomaly`: distance to the centre of good samples, of which one network has pushed known anomalies away.

    `known_weight` of these against all others; `soften`: they are also learned from with as little as this share of
    their own, the rest being that of a good sample (1: only as they are); the rest: see DeepSvdd.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(
        ("table", "waveform", "image"), True, "gradient", "seconds to minutes", labels="known", constants=True,
        weights=True,
    )  # fmt: skip
    network: str = "auto"
    latent: int = 32
    width: int = 0
    known_weight: float = 1.0
    soften: float = 0.5
    windows: str = "auto"
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def make_task(self, shape: tuple[int, ...]) -> PulledAndPushed:
        """The networks for samples of that shape, untrained."""
        parts = architecture(self.network, shape)
        width, latent = self.width or parts.width, parts.code_length(shape, self.latent)
        encoders = parts.encoder(shape, latent, width, False), parts.encoder(shape, latent, width, False)
        return PulledAndPushed(encoders, latent, self.known_weight, self.soften)

    def fit(self, source: Source) -> Self:
        """Train on samples whose truth is 0, or not 0 for known anomalies. Raises SchemaError for nothing to learn."""
        self.task_ = learn(self, source, DEFAULTS)
        return self

    def score(self, batch: Batch) -> Scores:
        """Return (n, 1) distances; NaN for a sample that misses more than half of its values."""
        return with_enough_data(batch, per_sample(self, batch, self.task_.score))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Integrated gradients of the score, of every number."""
        return per_sample(self, batch, input_gradient(self.task_.score))
