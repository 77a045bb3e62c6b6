"""Adversarial: what a generator of good samples cannot make (AnoGAN and f-AnoGAN, Schlegl et al. 2017 and 2019).

First a generator and a critic are trained against each other, then, both standing still, an encoder that finds the code
of a sample. Which epoch of the game is kept, see Game; the encoder is trained as any other network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from lynkeus.core import About, Batch, Evidence, Scores, SettingsError, Source
from lynkeus.scorers.learned.adversarial.families import family
from lynkeus.scorers.learned.adversarial.game import Game, variance_ratio
from lynkeus.scorers.learned.trained import Trained, per_sample, prepare
from lynkeus.training import ADAM, Losses, TrainSettings, Update, in_chunks
from lynkeus.transforms.missing import with_enough_data

SCORES = ("izi", "ziz", "izi_f", "anogan")
FEATURE_SHARE = 0.1  # of the features in the search of AnoGAN, as published
SEARCH_RATE = 0.05
LEAST_SPREAD = 1e-3  # of a feature


class Inversion:
    """The task: an encoder that finds the code from which the generator makes a sample (izi), or finds the code of what
    is made (ziz). With izi_f the critic's features have to agree as well."""

    betas: tuple[float, float] = ADAM

    def __init__(
        self, networks: nn.ModuleDict, latent: int, score_by: str, feature_weight: float = 0.1, search_steps: int = 200
    ) -> None:
        self.networks, self.latent, self.score_by = networks, latent, score_by
        self.feature_weight, self.search_steps = feature_weight, search_steps
        # AnoGAN starts from the same code for every sample: scores do not depend on the company.
        self.first_code = torch.randn(1, latent, generator=torch.Generator().manual_seed(0))

    def start(self, x: Tensor) -> None:
        """Generator and critic stand still from here on; features are counted in their spread over samples."""
        for name in ("generator", "critic"):
            self.networks[name].requires_grad_(False)
        critic = self.networks["critic"]
        spread = in_chunks(lambda part: critic(part).features, x).std(dim=0) * critic.feature_sigma
        critic.feature_sigma.copy_(spread.clamp(min=LEAST_SPREAD))

    def step(self, x: Tensor, y: Tensor, update: Update) -> Losses:
        """Known anomalies are not learned from."""
        good = x[y == 0]
        if not len(good):
            return {}
        if self.score_by == "ziz":
            code = torch.randn(len(good), self.latent, device=x.device)
            loss = ((self.networks["encoder"](self.networks["generator"](code)) - code) ** 2).mean()
        else:
            loss = self.loss(good).mean()
        update("encoder", loss)
        return {self.score_by: loss}

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return (b, c, ...) what the generator makes of the code of a sample."""
        out: Tensor = self.networks["generator"](
            self.search(x) if self.score_by == "anogan" else self.networks["encoder"](x)
        )
        return out

    def residual(self, x: Tensor) -> Tensor:
        """Return (b, c, ...) what the generator did not make, in sigmas."""
        return x - self.reconstruct(x)

    def loss(self, x: Tensor) -> Tensor:
        """Return (b,) mean square residual; with izi_f that of the features too."""
        residual = self.residual(x)
        loss = (residual**2).flatten(1).mean(dim=1)
        if self.score_by == "izi_f":
            loss = loss + self.feature_weight * (self._features_off(x, x - residual) ** 2).mean(dim=1)
        return loss

    def score(self, x: Tensor) -> Tensor:
        """Return (b,) the loss; with anogan that of the search, where it ended."""
        if self.score_by == "anogan":
            return self._search_loss(x, self.search(x))
        return self.loss(x)

    def spread(self, x: Tensor) -> Tensor:
        """Variance of what is made from random codes, or from those of samples, relative to that of the samples."""
        random = torch.randn(len(x), self.latent, generator=torch.Generator().manual_seed(0)).to(x.device)
        made = [self.networks["generator"](random), x - self.residual(x)]
        return torch.stack([variance_ratio(some, x) for some in made]).min()

    def search(self, x: Tensor) -> Tensor:
        """Return (b, latent) the code that makes each sample best, by gradient descent."""
        code = self.first_code.to(x.device).repeat(len(x), 1).requires_grad_(True)
        optimiser = torch.optim.Adam([code], SEARCH_RATE)
        with torch.enable_grad():
            for _ in range(self.search_steps):
                (code.grad,) = torch.autograd.grad(self._search_loss(x, code).sum(), code)
                optimiser.step()
        return code.detach()

    def _search_loss(self, x: Tensor, code: Tensor) -> Tensor:
        made = self.networks["generator"](code)
        residual = (x - made).abs().flatten(1).mean(dim=1)
        return (1 - FEATURE_SHARE) * residual + FEATURE_SHARE * self._features_off(x, made).abs().mean(dim=1)

    def _features_off(self, x: Tensor, made: Tensor) -> Tensor:
        critic = self.networks["critic"]
        found: Tensor = critic(made).features - critic(x).features
        return found


@dataclass
class Adversarial(Trained):
    """`anomaly`: mean square of what the generator cannot make of a sample, in sigmas, of rows, waveforms or images.

    `score_by`: izi_f (samples and features of the critic, the encoder trained on both), izi (samples only), ziz (the
    encoder is trained on generated samples), or anogan (no encoder: each code is searched for, slow). `feature_weight`
    of the features; `network`: auto, or dcgan for images of 28, 64, 128 or 256 pixels, networks and training as
    published, 400,000 steps of the generator; `latent`, `width`: 0 by the network and the sample; `critic_steps` for
    each of the generator; `generator_steps`: 0 as the network says, in as many epochs as they take, unless `training`
    says it; `training` of the game, which does not stop early, and `encoder_training`: see TrainSettings.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(("table", "waveform", "image"), True, "what is not generated", "minutes")
    score_by: str = "izi_f"
    latent: int = 0
    width: int = 0
    critic_steps: int = 3
    feature_weight: float = 0.1
    search_steps: int = 200
    windows: str = "auto"
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)
    encoder_training: Mapping[str, Any] = field(default_factory=dict)
    network: str = "auto"
    generator_steps: int = 0

    def make_task(self, shape: tuple[int, ...]) -> Inversion:
        """The networks for samples of that shape, untrained. Raises SettingsError for another `score_by`."""
        if self.score_by not in SCORES:
            raise SettingsError(f"score_by must be one of {', '.join(SCORES)}, got {self.score_by!r}")
        parts = family(self.network)
        latent, width = parts.code_length(shape, self.latent), parts.wide(shape, self.width)
        networks = {"generator": parts.generator(shape, latent, width), "critic": parts.critic(shape, width)}
        if self.score_by != "anogan":
            networks["encoder"] = parts.encoder(shape, latent, width)
        task = Inversion(nn.ModuleDict(networks), latent, self.score_by, self.feature_weight, self.search_steps)
        task.betas = parts.encoder_betas
        return task

    def fit(self, source: Source) -> Self:
        """Train on good samples. Raises SchemaError where nothing can be learned."""
        self.task_, samples = prepare(self, source)
        task, parts = self.task_, family(self.network)
        game = Game(task.networks["generator"], task.networks["critic"], task.latent, self.critic_steps)
        game.betas = parts.betas
        settings = self._game_settings(len(samples.values))
        self.history_ = samples.train(game, settings, self.seed, "adversarial, generator")
        said = f"generator: {self.history_.verdict}; kept epoch {self.history_.best + 1} by its energy score"
        if self.score_by == "anogan":
            task.start(samples.seen(slice(4096)))
        else:
            settings = parts.encoding.replaced(self.encoder_training)
            self.history_ = samples.train(task, settings, self.seed, f"adversarial, encoder {self.score_by}")
        self.history_.messages.insert(0, f"{said}; {self._sizes()}")
        return self

    def as_module(self) -> nn.Module:
        """See Trained. Raises SettingsError for a search, which is no network."""
        if self.score_by == "anogan":
            raise SettingsError("score_by anogan searches for each code and cannot be exported; use izi_f, izi or ziz")
        return super().as_module()

    def _sizes(self) -> str:
        """A large generator beside a small encoder is a common mistake."""
        counts = {
            name: sum(weight.numel() for weight in network.parameters())
            for name, network in self.task_.networks.items()
        }
        return "parameters: " + ", ".join(f"{name} {count:,}" for name, count in counts.items())

    def _game_settings(self, samples: int) -> TrainSettings:
        """Return the settings of the game, which does not stop early: its losses do not fall."""
        parts = family(self.network)
        settings = parts.game(self.critic_steps).replaced(self.training)
        steps = self.generator_steps or parts.steps
        epochs = min(self.generator_steps or parts.epochs, ceil(steps * settings.batch_of(samples) / samples))
        settings = replace(settings, epochs=int(self.training.get("epochs", epochs)))
        return replace(settings, patience=settings.epochs)

    def score(self, batch: Batch) -> Scores:
        """Return (n, 1) mean squares; NaN for a sample that misses more than half of its values."""
        return with_enough_data(batch, per_sample(self, batch, self.task_.score))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Signed residual of every number in sigmas."""
        return per_sample(self, batch, self.task_.residual)
