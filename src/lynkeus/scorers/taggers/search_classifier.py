"""Search classifier: which process an event of a search is of, from a table of its quantities; parametric in masses.

Classes as regions: Tholen et al.; parametric networks: Baldi et al. 2016 (arXiv:1601.07913); trained for discovery:
Elwood & Kruecker 2018 (arXiv:1806.00322).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from lynkeus.core import About, Array, Batch, Floats, Group, Packed, Schema, SchemaError, SettingsError, Source
from lynkeus.scorers.taggers.network import NetworkTagger, Tags, one_of
from lynkeus.scorers.taggers.tagger import names_of
from lynkeus.training import Losses, TrainSettings, Update, train
from lynkeus.training.discovery import Discovery, fewest_background
from lynkeus.transforms.moments import Moments

COLUMNS = "columns"  # the only group: one row an event
ACTIVATIONS = {"tanh": nn.Tanh, "silu": nn.SiLU, "softplus": nn.Softplus, "relu": nn.ReLU}
LOSSES = {"cross_entropy": "", "asimov": "significance", "inverse_asimov": "inverse", "s_over_root_s_b": "simple"}
DISCOVERY_BATCH = 4096  # events of a step whose loss is a significance: it is a ratio of sums over them
FEW = 10.0  # background events in a region of 1 %, of a batch
CHUNK = 100_000


class Dense(nn.Module):
    """Events (n, columns) as the only group of a cloud to logits (n, classes); `layers` is the network itself."""

    def __init__(self, sizes: tuple[int, ...], activation: str) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for read, made in pairwise(sizes[:-1]):
            parts += [nn.Linear(read, made), ACTIVATIONS[activation]()]
        self.layers = nn.Sequential(*parts, nn.Linear(sizes[-2], sizes[-1]))

    def forward(self, clouds: Mapping[str, tuple[Tensor, Tensor]]) -> Tensor:
        out: Tensor = self.layers(clouds[COLUMNS][0])
        return out


class Search(Tags):
    """The task: discovery of class `signal`; judged by the significance of all held-out events together."""

    def __init__(self, network: nn.Module, discovery: Discovery, signal: int) -> None:
        super().__init__(network)
        self.discovery, self.signal = discovery, signal

    def step(self, x: Any, y: Tensor, update: Update, weight: Tensor | None = None) -> Losses:
        """Step the network on the significance of a batch and return minus it."""
        loss = self.judge(self.networks["tagger"](x), y, weight)
        update("tagger", loss)
        return {"discovery": loss.detach()}

    def judge(self, logits: Tensor, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """Scalar loss of events together."""
        output = torch.softmax(logits.double(), dim=1)[:, self.signal]
        return self.discovery(output, y == self.signal, weight)


@dataclass
class SearchClassifier(NetworkTagger):
    """`parameters`: columns of the mass point; events of other classes than `signal` learn with those of signal events
    drawn at random, so that the network knows nothing of the process from them. `loss`: cross_entropy, or one of a
    search for `signal` (asimov, inverse_asimov, s_over_root_s_b) with a background uncertain by a part `systematic`, in
    `bins` of the output, after cross-entropy to begin with; weights are then expected events. `activation`: tanh, silu,
    softplus (smooth, for Taylor coefficients) or relu; `depth` layers of `width`. The rest: see ParticleNet.
    """

    name: ClassVar[str] = "search_classifier"
    about: ClassVar[About] = About(
        ("table",), True, "Taylor coefficients", "minutes", labels="classes", constants=True, weights=True, tags=True
    )
    defaults: ClassVar[TrainSettings] = TrainSettings(
        epochs=40, batch_size=1024, learning_rate=3e-3, patience=6, held_out=0.15
    )
    classes: Any = ()
    parameters: Any = ()
    signal: str = ""
    loss: str = "cross_entropy"
    systematic: float = 0.5
    bins: int = 1
    activation: str = "tanh"
    width: int = 64
    depth: int = 2
    reweight: str = "classes"
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.classes, self.parameters = names_of(self.classes), names_of(self.parameters)
        one_of(self.activation, ACTIVATIONS, "activation")
        one_of(self.loss, LOSSES, "loss")
        if (self.parameters or LOSSES[self.loss]) and not self.signal:
            raise SettingsError("which class is the signal? give --set signal=NAME")
        Discovery(1.0, 1.0, self.systematic, bins=self.bins)  # refuses what is out of range

    def require(self, schema: Schema) -> None:
        """Raise SchemaError for other samples than rows, SettingsError for names that there are not."""
        if schema.kind != "table":
            raise SchemaError(f"the scorer {self.name} needs a table of events, got a {schema.kind}")
        for what, names, known in (
            ("parameters", self.parameters, schema.names),
            ("signal", (self.signal,), schema.classes),
        ):
            lacking = [name for name in names if name and name not in known]
            if lacking:
                raise SettingsError(f"{what}: {lacking[0]!r} is not one of {', '.join(known)}")

    def make_network(self, names: tuple[str, ...], classes: int) -> nn.Module:
        """See `NetworkTagger`."""
        return Dense((len(names), *[self.width] * self.depth, classes), self.activation)

    def look(self, source: Source) -> None:
        """Measure mean and spread of each column, by weights, and the mass points of the signal."""
        moments, points = Moments(), list[Floats]()
        signal = self.outputs.index(self.signal) if self.signal else -1
        for batch in source:
            moments.add(batch.values.astype(float), batch.weight)
            if self.parameters:
                points.append(batch.values[np.asarray(batch.truth) == signal][:, self._columns].astype(float))
        mean, spread = moments.mean, moments.sigma
        self.centre_, self.sigma_ = mean, np.where(spread > 1e-12 * np.abs(mean), spread, 1.0)
        self._points = np.concatenate(points) if points else np.zeros((0, 0))
        self._draw = np.random.default_rng(self.seed)
        self._teaching = True

    @property
    def _columns(self) -> list[int]:
        return [self.schema_.names.index(name) for name in self.parameters]

    def inputs_of(self, batch: Batch) -> Packed:
        """Return the columns in sigmas, missing ones as the mean; of a background that teaches with mass points of the
        signal."""
        x = np.asarray(batch.values, np.float64)
        if getattr(self, "_teaching", False) and self.parameters:
            x = x.copy()
            others = np.flatnonzero(np.asarray(batch.truth) != self.outputs.index(self.signal))
            x[others[:, None], self._columns] = self._points[self._draw.integers(len(self._points), size=len(others))]
        scaled = np.nan_to_num((x - self.centre_) / self.sigma_, nan=0.0, posinf=0.0, neginf=0.0)
        return Packed({COLUMNS: Group(scaled.astype(np.float32), np.arange(len(x) + 1))})

    def learn(self, source: Source) -> None:
        """Train by cross-entropy, then, where that is asked for, for discovery."""
        if LOSSES[self.loss]:
            self.reweight = "none"  # weights are expected events
        super().learn(source)
        self._teaching = False
        if not LOSSES[self.loss]:
            return
        signal, background = self._expected(source)
        discovery = Discovery(signal, background, self.systematic, LOSSES[self.loss], self.bins)
        self._teaching = True
        _, taught, _ = self._read(source)
        self._teaching = False
        task = Search(self.task_.networks["tagger"], discovery, self.outputs.index(self.signal))
        given = {"batch_size": DISCOVERY_BATCH, **self.training}
        settings = self.defaults.replaced(given)
        few = fewest_background(settings.batch_size, float((taught.labels == task.signal).mean()))
        if few < FEW:
            self.messages.append(
                f"a batch of {settings.batch_size} has {few:.0f} background events in a region of 1 % of them: the "
                "loss follows their fluctuations; give --set training.batch_size=4096 or more"
            )
        self.history_ = train(task, taught, settings, self.seed, f"{self.name}, {self.loss}")
        self.task_ = Tags(task.networks["tagger"])
        self.facts = {**self.facts, "expected": {"signal": signal, "background": background}}

    def _expected(self, source: Source) -> tuple[float, float]:
        """Return how many events of signal and of background are expected, by weights."""
        signal, both = self.outputs.index(self.signal), np.zeros(2)
        for batch in source:
            heavy = np.ones(len(batch)) if batch.weight is None else batch.weight.astype(float)
            own = np.asarray(batch.truth) == signal
            both += heavy[own].sum(), heavy[~own].sum()
        if not (both > 0).all():
            raise SettingsError(f"weights expect {both[0]:g} events of {self.signal} and {both[1]:g} others; give both")
        return float(both[0]), float(both[1])

    def logits(self, batch: Batch) -> Floats:
        """Return (n, classes) logits in double precision."""
        network = self.as_module(probabilities=False)
        x = torch.from_numpy(np.asarray(batch.values, np.float64))
        x = torch.where(torch.isfinite(x), x, torch.from_numpy(self.centre_))
        with torch.no_grad():
            parts = [network(part).numpy() for part in x.split(CHUNK)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.outputs)))

    def as_module(self, probabilities: bool = True) -> nn.Module:
        """Return the scorer from raw columns (n, columns) of double precision to probabilities: affine maps and smooth
        functions only, which `explain` derives exactly."""
        network: Any = self.task_.networks["tagger"]
        layers = nn.Sequential(*network.layers)
        scaled = _affine(1.0 / self.sigma_, -self.centre_ / self.sigma_)
        whole = nn.Sequential(scaled, *_copied(layers))
        if probabilities:
            whole.append(_affine(np.full(len(self.outputs), self.probabilities_.slope), self.probabilities_.bias))
            whole.append(nn.Softmax(dim=1))
        return whole.eval()

    def coefficients(self, batch: Batch, order: int) -> Floats:
        """Return the Taylor coefficients (n, outputs, all) of the probabilities at complete events, up to an order.

        Raises SettingsError for an order that the network does not have.
        """
        from lynkeus.explain.taylor.coefficients import coefficients

        events = torch.from_numpy(np.asarray(batch.values, np.float64))
        found: Floats = coefficients(self.as_module(), events, order).all.numpy()
        return found

    def export(self, path: Path, model: Mapping[str, Any]) -> float:
        """Raise SettingsError: other programs read its probabilities from the table of `lynkeus score`."""
        raise SettingsError(f"{self.name} has no form as ONNX: use the table that lynkeus score writes")

    def to_arrays(self) -> dict[str, Array]:
        """Return the weights, and what the columns are divided by."""
        return {**super().to_arrays(), "centre": self.centre_, "sigma": self.sigma_}

    def take_arrays(self, arrays: Mapping[str, Array], folder: Any) -> None:
        """Take what `to_arrays` returned."""
        super().take_arrays(arrays, folder)
        self.centre_, self.sigma_ = (np.asarray(arrays[name], float) for name in ("centre", "sigma"))


def _affine(factor: Floats, offset: Floats) -> nn.Linear:
    """Return x -> factor x + offset, number by number, in double precision."""
    found = nn.Linear(len(factor), len(factor)).double()
    with torch.no_grad():
        found.weight.copy_(torch.diag(torch.from_numpy(np.asarray(factor, float))))
        found.bias.copy_(torch.from_numpy(np.asarray(offset, float)))
    return found


def _copied(layers: nn.Sequential) -> list[nn.Module]:
    """Return the same in double precision; the network itself stays as it is."""
    found: list[nn.Module] = []
    for part in layers:
        if isinstance(part, nn.Linear):
            own = nn.Linear(part.in_features, part.out_features).double()
            own.load_state_dict({name: tensor.double() for name, tensor in part.state_dict().items()})
            part = own
        found.append(part)
    return found
