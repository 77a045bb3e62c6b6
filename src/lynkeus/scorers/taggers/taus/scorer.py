"""TauGraph and DeepTau: taus that decay to hadrons against jets, electrons and muons, and how they decay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from scipy.special import softmax
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.core import About, Array, Batch, Finding, Floats, Group, LastBatch, Packed, SettingsError, Source
from lynkeus.core.weights import joined_weights
from lynkeus.networks.taggers.taus.candidate import Columns
from lynkeus.networks.taggers.taus.graph import TauGraph, TauGraphSizes
from lynkeus.networks.taggers.taus.images import DeepTau
from lynkeus.scorers.taggers.network import NetworkTagger, Tags
from lynkeus.scorers.taggers.tagger import names_of
from lynkeus.scorers.taggers.taus.modes import Modes, codes_of
from lynkeus.scorers.taggers.weighting import training_weight
from lynkeus.training import Losses, TrainSettings, Update, mean_loss, session, train
from lynkeus.training.packed import PackedSet, tensors
from lynkeus.training.seeded import seeded
from lynkeus.transforms.jets.taus import CHARGE, FEATURES, TYPES, tau_groups

COLUMNS = Columns(charge=CHARGE, types=TYPES)
CHUNK = 512  # jets that go through a network at a time


class TauClasses(Tags):
    """The task: cross-entropy of the classes, with each decay mode of taus as one of them."""

    def __init__(self, network: Any, modes: Modes) -> None:
        super().__init__(network)
        self.modes = modes

    def step(self, x: Any, y: Tensor, update: Update, weight: Tensor | None = None) -> Losses:
        """Step on the cross-entropy and return it."""
        loss = mean_loss(functional.cross_entropy(self.logits(x), y, reduction="none"), weight)
        update("tagger", loss)
        return {"cross_entropy": loss}

    def both(self, x: Any) -> tuple[Tensor, Tensor | None]:
        """Return logits of classes and of modes."""
        found: tuple[Tensor, Tensor | None] = self.networks["tagger"](x, True)
        return found

    def logits(self, x: Any) -> Tensor:
        """Return logits in the order of `Modes.fine`."""
        return self.modes.logits(*self.both(x))


class TauTagger(NetworkTagger):
    """What both scorers of taus share; `network_of` makes the network."""

    classes: Any
    tau: str
    decay_mode: str
    modes_: Modes
    task_: Any  # TauClasses

    def __post_init__(self) -> None:
        self.classes = names_of(self.classes)
        self._memo: LastBatch[tuple[Floats, Floats]] = LastBatch()

    def network_of(self, classes: int, modes: int) -> nn.Module:
        """Return the network, untrained."""
        raise NotImplementedError

    def learn(self, source: Source) -> None:
        """Train the network on all jets of a source, which are kept in memory."""
        self._memo.forget()
        settings = self.defaults.replaced(self.training)
        values, truth, codes, weight, kinematics = _read(source, self.decay_mode)
        heavy, said = training_weight(self.reweight, self.outputs, truth, kinematics, weight)
        self.modes_ = Modes.of(self.outputs, self.tau, truth, codes)
        if not self.modes_.codes:
            said.append(
                f"decay modes are not learned: there is no class {self.tau!r}, or no column {self.decay_mode!r} with "
                "two modes of it"
            )
        with seeded(self.seed):
            self.task_ = self.make_task()
        taught = PackedSet(values, self.modes_.fine(truth, codes), heavy)
        self.history_ = train(self.task_, taught, settings, self.seed, self.name)
        self.messages = [*said, self.history_.says(), *self.history_.resumed]
        self.facts = {
            "parameters": self.history_.parameters, "epochs": len(self.history_.epochs),
            "decay_modes": list(self.modes_.names),
        }  # fmt: skip

    def make_task(self) -> TauClasses:
        """Return the task, untrained."""
        return TauClasses(self.network_of(len(self.outputs), len(self.modes_.codes)), self.modes_)

    def inputs_of(self, batch: Batch) -> Packed:
        """See `tau_groups`."""
        return tau_groups(batch)

    def logits(self, batch: Batch) -> Floats:
        """Return (n, classes); NaN for a jet without particles."""
        return self._both(batch)[0]

    def decay_modes(self, batch: Batch) -> Floats:
        """Return (n, modes) probabilities of the decay modes in `modes_.names`, if the jet is a tau."""
        return softmax(self._both(batch)[1], axis=1)

    def further(self, batch: Batch) -> dict[str, Array]:
        """Return the columns `decay_mode` (its name, if the jet is a tau) and `decay_mode_NAME` with probabilities."""
        if not self.modes_.codes:
            return {}
        share, names = self.decay_modes(batch), np.array(self.modes_.names)
        known = np.isfinite(share).all(axis=1)
        best = names[np.where(known, np.nan_to_num(share).argmax(axis=1), 0)]
        found: dict[str, Array] = {"decay_mode": np.where(known, best, "")}
        return found | {f"decay_mode_{name.replace(' ', '')}": share[:, k] for k, name in enumerate(names)}

    def find(self, batch: Batch, output: str) -> list[tuple[Finding, ...]]:
        """Return the decay mode of each jet that is most probably a tau, with its probability; else nothing."""
        if output != self.tau or not self.modes_.codes:
            return [()] * len(batch)
        share, taken = self.decay_modes(batch), np.nan_to_num(self.score(batch)).argmax(axis=1)
        found: list[tuple[Finding, ...]] = []
        for own, best in zip(share, taken, strict=True):
            name = self.modes_.names[int(own.argmax())] if best == self.modes_.tau and np.isfinite(own).all() else ""
            found.append((Finding(kind=name, says=f"{name} with probability {own.max():.2f}"),) if name else ())
        return found

    def _both(self, batch: Batch) -> tuple[Floats, Floats]:
        """Return logits of classes and of modes, computed once for a batch."""
        return self._memo.of(batch, self._compute)

    def _compute(self, batch: Batch) -> tuple[Floats, Floats]:
        packed = tau_groups(batch)
        device = session().torch_device
        self.task_.networks.to(device).eval()
        classes = np.full((len(batch), len(self.outputs)), np.nan)
        modes = np.full((len(batch), len(self.modes_.codes)), np.nan)
        for first in range(0, len(batch), CHUNK):
            rows = slice(first, first + CHUNK)
            with torch.no_grad():
                own, its = self.task_.both(tensors(packed[rows].groups, device))
            classes[rows] = own.double().cpu().numpy()
            if its is not None:
                modes[rows] = its.double().cpu().numpy()
        self.task_.networks.to("cpu")
        empty = packed.groups["vectors"].lengths == 0
        classes[empty], modes[empty] = np.nan, np.nan
        return classes, modes

    def to_arrays(self) -> dict[str, Array]:
        """Return the weights, and the codes of the modes."""
        return super().to_arrays() | {"modes": np.array([self.modes_.tau, *self.modes_.codes], np.int64)}

    def take_arrays(self, arrays: Mapping[str, Array], folder: Path) -> None:
        """Take what `to_arrays` returned. Raises ModelError where it does not fit."""
        tau, *codes = arrays["modes"].tolist()
        self.modes_ = Modes(len(self.outputs), tau, tuple(codes))
        super().take_arrays(arrays, folder)


@dataclass
class TauGraphTagger(TauTagger):
    """A small graph network of the particles of a tau candidate; see `networks/taggers/taus/graph.py`.

    `classes` () all; `tau`: the class with `decay_mode`, a column of codes (5 (prongs - 1) + pi0s); `neighbours` that a
    particle hears, channels of a particle (`width`), `rounds` of messages; `reweight`: see `training_weight`.
    """

    name: ClassVar[str] = "tau_graph"
    about: ClassVar[About] = About(
        ("cloud",), True, "particles left out", "a minute", labels="classes", weights=True, tags=True,
    )  # fmt: skip
    defaults: ClassVar[TrainSettings] = TrainSettings(epochs=20, learning_rate=5e-3, patience=8, schedule="cycle")
    classes: Any = ()
    tau: str = "tau"
    decay_mode: str = "truth_decay_mode"
    neighbours: int = 8
    width: int = 20
    rounds: int = 2
    reweight: str = "flat"
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, most in {"neighbours": 64, "width": 256, "rounds": 8}.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value <= most:
                raise SettingsError(f"{name} must be a whole number from 1 to {most}, got {value!r}")

    def network_of(self, classes: int, modes: int) -> nn.Module:
        """Return the network, untrained."""
        sizes = TauGraphSizes(self.neighbours, self.width, self.rounds)
        return TauGraph(len(FEATURES), classes, modes, sizes, COLUMNS)


@dataclass
class DeepTauTagger(TauTagger):
    """A convolutional network of cells around the tau axis, as DeepTau of CMS; see `networks/taggers/taus/images.py`.

    The rest: see TauGraphTagger.
    """

    name: ClassVar[str] = "deep_tau"
    about: ClassVar[About] = About(
        ("cloud",), True, "particles left out", "minutes", labels="classes", weights=True, tags=True,
    )  # fmt: skip
    defaults: ClassVar[TrainSettings] = TrainSettings(epochs=15, learning_rate=2e-3, patience=6, schedule="cycle")
    classes: Any = ()
    tau: str = "tau"
    decay_mode: str = "truth_decay_mode"
    reweight: str = "flat"
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def network_of(self, classes: int, modes: int) -> nn.Module:
        """Return the network, untrained."""
        return DeepTau(len(FEATURES), classes, modes, columns=COLUMNS)


def _read(source: Source, column: str) -> tuple[Packed, Array, Array | None, Floats | None, Floats]:
    """Return inputs, classes (n,), codes of decay modes (n,) or None, weights, and pT and eta (n, 2)."""
    values, truths, codes, weights, kinematics = [], [], [], [], []
    for batch in source:
        values.append(tau_groups(batch))
        truths.append(np.asarray(batch.truth, np.int64))
        codes.append(codes_of(batch, column))
        weights.append(batch.weight)
        kinematics.append(_kinematics(values[-1].groups["vectors"]))
    there = [one for one in codes if one is not None]
    known = np.concatenate(there) if len(there) == len(codes) else None
    weight = joined_weights(weights, [len(one) for one in truths])
    return Packed.join(values), np.concatenate(truths), known, weight, np.concatenate(kinematics)


def _kinematics(vectors: Group) -> Floats:
    """Return pT in GeV and eta (n, 2) of jets, the sums of their particles."""
    jets = len(vectors.lengths)
    total = np.stack([np.bincount(vectors.sample, vectors.values[:, k], jets) for k in range(3)], axis=1)
    pt = np.hypot(total[:, 0], total[:, 1])
    return np.stack([pt, np.arcsinh(total[:, 2] / np.maximum(pt, 1e-6))], axis=1)
