"""Variational autoencoder: how unlikely a sample is under a model with few hidden numbers (Kingma & Welling 2014)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from lynkeus.core import About, Batch, Evidence, Scores, SettingsError, Source
from lynkeus.networks.build import architecture
from lynkeus.networks.variational import Variational
from lynkeus.scorers.learned.autoencoder import latent_size
from lynkeus.scorers.learned.trained import Trained, learn, per_sample
from lynkeus.training import ADAM, Losses, TrainSettings, Update, mean_loss, weights_of
from lynkeus.transforms.missing import with_enough_data

DEFAULTS = TrainSettings(epochs=60)
SCORES = ("elbo", "reconstruction")


class EvidenceBound:
    """The task: the evidence lower bound, per number of a sample, with the mean code where it is not trained."""

    betas = ADAM

    def __init__(self, network: Variational, kl_weight: float, score_by: str) -> None:
        self.networks = nn.ModuleDict({"variational": network})
        self.kl_weight, self.score_by = kl_weight, score_by

    def start(self, x: Tensor) -> None:
        """Learn nothing before the first epoch."""

    def step(self, x: Tensor, y: Tensor, update: Update, weight: Tensor | None = None) -> Losses:
        """Known anomalies are not learned from."""
        good, weight = x[y == 0], weights_of(y == 0, weight)
        if not len(good):
            return {}
        found = self.networks["variational"](good)
        nll = mean_loss(0.5 * ((good - found.mean) / found.sigma) ** 2 + found.sigma.log(), weight)
        divergence = self.kl_weight * mean_loss(found.divergence, weight) / good.shape[1:].numel()
        update("variational", nll + divergence)
        return {"reconstruction": nll, "divergence": divergence}

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return (b, c, ...) the mean of what the decoder makes of the mean code."""
        out: Tensor = self.networks["variational"](x).mean
        return out

    def residual(self, x: Tensor) -> Tensor:
        """Return (b, c, ...) what was not reconstructed, in sigmas of the decoder."""
        found = self.networks["variational"](x)
        return (x - found.mean) / found.sigma

    def loss(self, x: Tensor) -> Tensor:
        """Return (b,) the negative bound in nats per number, without constants."""
        found = self.networks["variational"](x)
        nll = 0.5 * ((x - found.mean) / found.sigma) ** 2 + found.sigma.log()
        return nll.flatten(1).mean(dim=1) + self.kl_weight * found.divergence / x.shape[1:].numel()

    def score(self, x: Tensor) -> Tensor:
        """Return (b,) the negative bound in nats, or the root mean square residual."""
        if self.score_by == "reconstruction":
            return (self.residual(x) ** 2).flatten(1).mean(dim=1).sqrt()
        return self.loss(x) * x.shape[1:].numel()

    def spread(self, x: Tensor) -> Tensor:
        """Return the spread of the outputs relative to that of the samples; 0 where the decoder ignores its codes."""
        out = self.networks["variational"](x).mean
        return out.std(dim=0).mean() / x.std(dim=0).mean().clamp(min=1e-12)


@dataclass
class VariationalAutoencoder(Trained):
    """`anomaly`: the negative evidence lower bound in nats, or the reconstruction error, of rows, waveforms or images.

    `score_by`: elbo, or reconstruction (root mean square, in sigmas of the decoder); `kl_weight`: of the divergence of
    the codes, above 1 they are more regular and say less (beta-VAE). The rest: see Autoencoder.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(
        ("table", "waveform", "image"), True, "what is not reconstructed", "seconds to minutes", weights=True
    )
    score_by: str = "elbo"
    kl_weight: float = 1.0
    network: str = "auto"
    latent: int = 0
    width: int = 0
    windows: str = "auto"
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def make_task(self, shape: tuple[int, ...]) -> EvidenceBound:
        """The networks for samples of that shape, untrained. Raises SettingsError for another `score_by`."""
        if self.score_by not in SCORES:
            raise SettingsError(f"score_by must be one of {', '.join(SCORES)}, got {self.score_by!r}")
        parts = architecture(self.network, shape)
        width = self.width or parts.width
        latent = self.latent or latent_size(shape)
        encoder, decoder = parts.encoder(shape, 2 * latent, width, True), parts.decoder(shape, latent, width)
        return EvidenceBound(Variational(encoder, decoder, len(shape), shape[0]), self.kl_weight, self.score_by)

    def fit(self, source: Source) -> Self:
        """Train on good samples. Raises SchemaError where nothing can be learned."""
        self.task_ = learn(self, source, DEFAULTS)
        return self

    def score(self, batch: Batch) -> Scores:
        """Return (n, 1) nats or sigmas; NaN for a sample that misses more than half of its values."""
        return with_enough_data(batch, per_sample(self, batch, self.task_.score))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Signed residual of every number in sigmas of the decoder."""
        return per_sample(self, batch, self.task_.residual)
