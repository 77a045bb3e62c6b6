"""Pulse sequence: one-class learning of RF pulses, each read after those of its cavity before it.

After the network for the cavities of the European XFEL (Sulc, Eichler & Wilksen, IPAC 2022, TUPOPT062): two LSTMs and a
linear map, no biases, a fixed centre; mean of d^2 for good pulses, of 1 / d^2 for the last pulse of a faulty sequence
(Deep SAD), and a penalty on the norms of the weights. Without labels it is Deep SVDD.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from lynkeus.core import About, Array, Batch, Evidence, Floats, SchemaError, Scores, SettingsError, Source
from lynkeus.explain.gradient import input_gradient
from lynkeus.networks.recurrent import SequenceEncoder
from lynkeus.scorers.learned.deep_svdd import NEAREST, OneClass
from lynkeus.scorers.learned.pulse_field import relative_to_field
from lynkeus.scorers.learned.sequences import PulseHistory, Recent, sequences_of
from lynkeus.scorers.learned.trained import CHUNK_NUMBERS, load_learned, save_learned
from lynkeus.training import ADAM, Losses, TrainingSet, TrainSettings, Update, in_chunks, session, train
from lynkeus.training.seeded import seeded
from lynkeus.transforms.inputs import Inputs, sample_shape
from lynkeus.transforms.missing import with_enough_data
from lynkeus.transforms.reservoir import reservoir

DEFAULTS = TrainSettings(epochs=20, batch_size=32, learning_rate=2e-3, known_share=0.25)
NUMBERS = 40_000_000  # of all sequences that are trained on
PROBE = ("probe_i", "probe_q")  # channels that tell the field
# Coordinates of the centre are not nearer to 0. Much more than the codes of good pulses is bad as well: without biases
# deviations of both signs cannot all reach it, and the distance becomes a projection, small for half of all faults.
LEAST_CENTRE = 0.01
NETWORKS = {"lstm": (64, 32), "xfel_cavities": (256, 64)}  # width of both LSTMs, length of a code


class SequenceDistance:
    """The task: the last pulse of a good sequence near the centre, of a faulty one far from it.

    What came before is only read: every pulse is the last one of a sequence, and is judged there.
    """

    betas = ADAM

    def __init__(self, encoder: nn.Module, latent: int, known_weight: float, norm_penalty: float) -> None:
        self.networks = nn.ModuleDict({"one_class": OneClass(encoder, latent)})
        self.known_weight, self.norm_penalty = known_weight, norm_penalty

    def start(self, x: Tensor) -> None:
        """The centre: the mean code of the untrained network, moved away from zero; never changed again."""
        network = self.networks["one_class"]
        mean = in_chunks(network.encoder, x).mean(dim=(0, 1))
        sign = torch.where(mean < 0, -1.0, 1.0)
        network.centre.copy_(torch.where(mean.abs() < LEAST_CENTRE, LEAST_CENTRE * sign, mean))

    def step(self, x: Tensor, y: Tensor, update: Update) -> Losses:
        """Mean d^2 of good pulses, weight times mean 1 / d^2 of faulty ones, penalty times mean norm of the weights."""
        distance = self.score(x) ** 2
        good, faulty = distance[y == 0], distance[y != 0]
        norms = [weight.norm() for weight in self.networks["one_class"].parameters()]
        losses = {
            "pull": good.sum() / max(1, len(good)),
            "push": self.known_weight * (1.0 / (faulty + NEAREST)).sum() / max(1, len(faulty)),
            "norm": self.norm_penalty * torch.stack(norms).mean(),
        }
        update("one_class", losses["pull"] + losses["push"] + losses["norm"])
        return losses

    def score(self, x: Tensor) -> Tensor:
        """Return (b,) distance of the last pulse to the centre."""
        return self.networks["one_class"](x)[:, -1].norm(dim=1)

    def loss(self, x: Tensor) -> Tensor:
        """Return the squared distance to the centre (b,)."""
        return self.score(x) ** 2

    def spread(self, x: Tensor) -> Tensor:
        """Return the spread of the codes relative to the distance of the centre from 0."""
        network = self.networks["one_class"]
        return network(x)[:, -1].std(dim=0).mean() / network.centre.abs().mean()


@dataclass
class PulseSequence:
    """`anomaly` of a pulse: its distance to the centre of good ones, given the pulses before it.

    `sequence` pulses are read, of the same `meta["cavity"]` and with numbers `meta["pid"]` without a pause. `network`:
    xfel_cavities has the sizes that were published, lstm smaller ones; `known_weight` of known anomalies (0: labels are
    not used), `norm_penalty` on the weights; `training`: see TrainSettings. What is read is how much each number
    deviates from the mean pulse, in sigmas; where the first channels are probe_i and probe_q, all are divided by the
    pulse's own field before. State: the last pulses of each cavity.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(("waveform",), True, "gradient", "minutes", labels="optional")
    windows: ClassVar[str] = "raw"
    network: str = "lstm"
    sequence: int = 5
    known_weight: float = 1.0
    norm_penalty: float = 1e-3
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def make_task(self, shape: tuple[int, ...]) -> SequenceDistance:
        """The network for pulses of that shape, untrained."""
        if self.network not in NETWORKS:
            raise SettingsError(f"network must be one of {', '.join(NETWORKS)}, got {self.network!r}")
        width, latent = NETWORKS[self.network]
        encoder = SequenceEncoder(int(np.prod(shape)), latent, width)
        return SequenceDistance(encoder, latent, self.known_weight, self.norm_penalty)

    def fit(self, source: Source) -> Self:
        """Train on sequences of a stream. Raises SchemaError for other kinds, or no good pulse; SettingsError."""
        kind, settings = source.schema.kind, DEFAULTS.replaced(self.training)
        if kind != "waveform" or None in source.schema.shape:
            raise SchemaError(f"the scorer pulse_sequence reads waveforms of one length, not a {kind} of any")
        if self.sequence < 1:
            raise SettingsError(f"sequence must be at least 1 pulse, got {self.sequence!r}")
        self.schema_, self.recent_ = source.schema, Recent()
        shape = sample_shape(self.schema_)
        labels, pulses = self._training_sequences(source, int(np.prod(shape)))
        if not (labels == 0).any():
            raise SchemaError("every pulse of the source is known to be faulty: nothing to learn from")
        self.inputs_ = Inputs.fit(pulses[labels == 0].reshape(-1, pulses.shape[2]))
        with seeded(self.seed):
            self.task_ = self.make_task(shape)
        samples = self.inputs_.of(pulses.reshape(-1, pulses.shape[2])).reshape(pulses.shape)
        self.history_ = train(self.task_, TrainingSet(samples, labels), settings, self.seed, "pulse_sequence")
        return self

    def score(self, batch: Batch) -> Scores:
        """Return (n, 1) distances; NaN for a pulse that misses more than half of its values."""
        return with_enough_data(batch, self._of_each(batch, self.task_.score))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Integrated gradients of the distance, of every number of the pulse itself."""
        gradient = input_gradient(self.task_.score)
        return self._of_each(batch, lambda x: gradient(x)[:, -1]).reshape(batch.values.shape)

    def update(self, batch: Batch) -> None:
        """Remember the last pulses of each cavity."""
        self.recent_ = sequences_of(batch, _flat(batch), self.sequence, self.recent_).recent

    def state(self) -> dict[str, Array]:
        """Return the last pulses of each cavity as arrays."""
        pid = {f"pid/{name}": pulses.pid for name, pulses in self.recent_.items()}
        return pid | {f"values/{name}": pulses.values for name, pulses in self.recent_.items()}

    def resume(self, state: dict[str, Array]) -> None:
        """Rebuild it from what `state` returned."""
        names = [key.removeprefix("pid/") for key in state if key.startswith("pid/")]
        self.recent_ = {name: PulseHistory(state[f"pid/{name}"], state[f"values/{name}"]) for name in names}

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        save_learned(self, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer = load_learned(cls, folder)
        scorer.recent_ = Recent()
        return scorer

    def _of_each(self, batch: Batch, function: Callable[[Tensor], Tensor]) -> Floats:
        """Return a function of sequences (b, sequence, numbers) for each pulse (n, ...), in float64."""
        self.schema_.require(batch.schema, "the scorer pulse_sequence")
        found = sequences_of(batch, _flat(batch), self.sequence, self.recent_)
        pool, device = self.inputs_.of(found.pool), session().torch_device
        self.task_.networks.to(device).eval()
        size, parts = max(1, CHUNK_NUMBERS // (self.sequence * pool.shape[1])), []
        for first in range(0, max(len(batch), 1), size):
            x = torch.from_numpy(pool[found.rows[first : first + size]]).to(device)
            parts.append(in_chunks(function, x).cpu().double().numpy())
        self.task_.networks.to("cpu")
        return np.concatenate(parts)

    def _training_sequences(self, source: Source, numbers: int) -> tuple[Array, Floats]:
        """Labels (m,) of the last pulses and sequences (m, sequence, numbers) float32, drawn from the whole stream."""
        size = max(100, NUMBERS // (self.sequence * numbers))
        packed = reservoir(self._packed(source), size, self.seed)
        return packed[:, 0].astype(np.int64), packed[:, 1:].astype(np.float32).reshape(-1, self.sequence, numbers)

    def _packed(self, source: Source) -> Iterator[Floats]:
        """Label of its last pulse and numbers of each sequence in one row."""
        recent = Recent()
        for batch in source:
            truth = np.zeros(len(batch), np.int64) if batch.truth is None else np.asarray(batch.truth, np.int64)
            flat = _flat(batch)
            found = sequences_of(batch, flat, self.sequence, recent)
            recent = found.recent
            usable = np.isnan(flat).mean(axis=1) <= 0.5
            usable &= (truth == 0) | (self.known_weight > 0)
            rows = found.pool[found.rows[usable]].reshape(int(usable.sum()), self.sequence * found.pool.shape[1])
            yield np.concatenate([truth[usable, None], rows], axis=1)


def _flat(batch: Batch) -> Floats:
    """Return (n, numbers) float32, NaN where there is none; pulses of a cavity relative to their own field."""
    of_cavity = batch.schema.names[:2] == PROBE and len(batch.schema.names) % 2 == 0
    values = relative_to_field(batch.values) if of_cavity else batch.values
    flat = values.reshape(len(batch), int(np.prod(values.shape[1:]))).astype(np.float32)
    return np.where(np.isfinite(flat), flat, np.float32(np.nan))
