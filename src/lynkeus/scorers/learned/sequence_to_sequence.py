"""Sequence to sequence: what of a window a network cannot write again after reading it (Malhotra et al. 2016).

The score is that of the worst channel, each in sigmas of what is left of it in good windows: the mean over all channels
hides a fault of a single one among two hundred.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from lynkeus.core import About, Batch, Evidence, SchemaError, Scores, SettingsError, Source
from lynkeus.networks.recurrent import CELLS
from lynkeus.networks.sequence_to_sequence import RecurrentSequences, TransformerSequences
from lynkeus.scorers.learned.trained import Trained, per_sample, prepare
from lynkeus.training import ADAM, Losses, TrainSettings, Update, in_chunks, mean_loss, weights_of
from lynkeus.transforms.missing import with_enough_data

DEFAULTS = TrainSettings(epochs=30)
NETWORKS = (*CELLS, "transformer")
WIDTH = {"gru": 128, "lstm": 128, "transformer": 64}
LEAST_SIGMA = 1e-3  # of what is left of a channel


class Rewritten(nn.Module):
    """What is left of samples when they are written again, and how much of it is usual: `sigma` (c, 1)."""

    sigma: Tensor

    def __init__(self, network: nn.Module, channels: int) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("sigma", torch.ones(channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x - self.network(x)


class Rewriting:
    """The task: mean squared difference between windows and what is written."""

    betas = ADAM

    def __init__(self, network: nn.Module, channels: int) -> None:
        self.networks = nn.ModuleDict({"rewritten": Rewritten(network, channels)})

    def start(self, x: Tensor) -> None:
        """Learn nothing before the first epoch."""

    def step(self, x: Tensor, y: Tensor, update: Update, weight: Tensor | None = None) -> Losses:
        """Known anomalies are not learned from."""
        good, weight = x[y == 0], weights_of(y == 0, weight)
        loss = mean_loss(self.networks["rewritten"](good) ** 2, weight) if len(good) else x.sum() * 0.0
        update("rewritten", loss)
        return {"rewriting": loss}

    def measure(self, x: Tensor, weight: Tensor | None = None) -> None:
        """Learn from good samples, with weights (b,) or without, how much is usually left of each channel."""
        network = self.networks["rewritten"]
        squares = in_chunks(lambda part: network(part).square().mean(dim=2), x)
        square = squares.mean(dim=0) if weight is None else (weight / weight.sum()).to(squares) @ squares
        network.sigma.copy_(square.sqrt().clamp(min=LEAST_SIGMA)[:, None])

    def residual(self, x: Tensor) -> Tensor:
        """Return (b, c, t) what is left, in sigmas of what is usually left of the channel."""
        network = self.networks["rewritten"]
        return network(x) / network.sigma

    def score(self, x: Tensor) -> Tensor:
        """Return (b,) root mean square residual of the worst channel."""
        return (self.residual(x) ** 2).mean(dim=2).amax(dim=1).sqrt()

    def loss(self, x: Tensor) -> Tensor:
        """Return the mean square (b,) of what is not reproduced."""
        return (self.networks["rewritten"](x) ** 2).flatten(1).mean(dim=1)

    def spread(self, x: Tensor) -> Tensor:
        """Return how much the reproduced windows differ (scalar), relative to how much the samples do."""
        written = x - self.networks["rewritten"](x)
        return written.std(dim=0).mean() / torch.clamp(x.std(dim=0).mean(), min=1e-12)


@dataclass
class SequenceToSequence(Trained):
    """`anomaly` of a window: root mean square of what is not written again in its worst channel, in usual ones.

    `network`: gru, lstm or transformer; `width`: how many numbers it may remember a window by (0: 128; transformer 64);
    `windows` raw or z; `training`: see TrainSettings. Scoring takes one step per shot: for windows of hundreds of shots
    gru and lstm are the choice.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(("waveform",), True, "what is not written again", "seconds to minutes", weights=True)
    network: str = "gru"
    width: int = 0
    windows: str = "auto"
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def make_task(self, shape: tuple[int, ...]) -> Rewriting:
        """The networks for windows of that shape, untrained."""
        if self.network not in NETWORKS:
            raise SettingsError(f"network must be one of {', '.join(NETWORKS)}, got {self.network!r}")
        width = self.width or WIDTH[self.network]
        if self.network == "transformer":
            return Rewriting(TransformerSequences(shape, width), shape[0])
        return Rewriting(RecurrentSequences(self.network, shape, width), shape[0])

    def fit(self, source: Source) -> Self:
        """Train on good windows. Raises SchemaError for other samples than waveforms, SettingsError for the network."""
        kind = source.schema.kind
        if kind != "waveform":
            raise SchemaError(f"the scorer sequence_to_sequence reads waveforms, not a {kind}: cut windows (--window)")
        self.task_, samples = prepare(self, source)
        self.history_ = samples.train(self.task_, DEFAULTS.replaced(self.training), self.seed, "sequence_to_sequence")
        good = samples.labels == 0 if (samples.labels == 0).any() else slice(None)
        weight = None if samples.weight is None else torch.from_numpy(samples.weight[good])
        self.task_.measure(torch.from_numpy(samples.values[good]), weight)
        return self

    def score(self, batch: Batch) -> Scores:
        """Return (n, 1); NaN for a window that misses more than half of its values."""
        return with_enough_data(batch, per_sample(self, batch, self.task_.score))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Signed residual of every number, in sigmas of what is usually left of its channel."""
        return per_sample(self, batch, self.task_.residual)
