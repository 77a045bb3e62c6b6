"""What hits are judged by: boosted trees of features, or a network; each gives log odds of noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.core import Array, Floats, Group, Packed
from lynkeus.networks.hits.features import HitFeatures
from lynkeus.networks.hits.judge import HitJudge
from lynkeus.networks.hits.trees import TreesOfHits
from lynkeus.training import ADAM, History, Losses, PackedSet, TrainSettings, Update, in_chunks, session, train
from lynkeus.training.seeded import seeded
from lynkeus.transforms.boosted import Boosted, boosted_of, fast_decision

TRAINING = TrainSettings(epochs=8, batch_size=256, patience=3, held_out=0.1)
MOST_FOR_NETWORKS, AT_A_TIME = 150_000, 4096
HITS = "hits"
Clouds = dict[str, tuple[Tensor, Tensor]]
TREES, DENSE, CONVOLUTIONAL = "trees", "dense", "convolutional"
METHODS = (TREES, DENSE, CONVOLUTIONAL)


class Learner(Protocol):
    """Learned from hits: `decide` gives log odds (n,) of noise of raw values (n, columns)."""

    features: HitFeatures

    def decide(self, values: Floats) -> Floats: ...

    def as_module(self) -> nn.Module: ...


class Trees:
    """Boosted trees of the features."""

    def __init__(self, features: HitFeatures, trees: Boosted) -> None:
        self.features, self.trees = features, trees
        self._decide = fast_decision(trees)

    def decide(self, values: Floats) -> Floats:
        """Return log odds (n,); of some hits at a time, so that they stay in the cache."""
        parts = (values[first : first + AT_A_TIME] for first in range(0, max(len(values), 1), AT_A_TIME))
        return np.concatenate([self._decide(features_of(self.features, part)) for part in parts])

    def as_module(self) -> nn.Module:
        """Return them as a module of tensors."""
        return TreesOfHits(self.features, self.trees)


class Network:
    """A network of features and cells."""

    def __init__(self, judge: HitJudge, history: History) -> None:
        self.features, self.judge, self.history = judge.features, judge, history

    def decide(self, values: Floats) -> Floats:
        """Return log odds (n,)."""
        device = session().torch_device
        self.judge.to(device).eval()
        x = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(device)
        found: Floats = in_chunks(self.judge, x).cpu().double().numpy()
        self.judge.to("cpu")
        return found

    def as_module(self) -> nn.Module:
        """Return the network."""
        return self.judge


@dataclass(frozen=True)
class LearnSettings:
    """`trees` and `leaves` of each, `width` of networks, `training` of networks, `seed`; `evenly`: whether the loss is
    spread over hits however they look."""

    trees: int = 200
    leaves: int = 24
    width: int = 64
    training: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    evenly: bool = True


def learn(method: str, values: Floats, noise: Array, patch: tuple[list[int], tuple[int, int]],
          settings: LearnSettings) -> Learner:  # fmt: skip
    """Learn from raw values (n, columns) with labels (n,), 1 for noise, by one of METHODS; `patch`: which columns are
    cells, and their shape."""
    features = HitFeatures(values.shape[1], *patch)
    if features.shape[0]:
        features.template.copy_(torch.from_numpy(_template(features, values, noise)))
    if method == TREES:
        return _grow(features, values, noise, settings)
    return _train(features, method == CONVOLUTIONAL, values, noise, settings)


def features_of(features: HitFeatures, values: Floats) -> Floats:
    """Return (n, size) features of raw values, as a layer computes them."""
    x = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
    found: Floats = in_chunks(features, x).numpy()
    return found


def _template(features: HitFeatures, values: Floats, noise: Array) -> Floats:
    some = torch.from_numpy(np.ascontiguousarray(values[noise == 0][:20_000], dtype=np.float32))
    with torch.no_grad():
        found: Floats = features.cells(some)[:, 0].mean(dim=0).numpy()
    return found


def _grow(features: HitFeatures, values: Floats, noise: Array, settings: LearnSettings) -> Trees:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=settings.trees, max_leaf_nodes=settings.leaves, learning_rate=0.08, l2_regularization=1.0,
        min_samples_leaf=max(20, len(values) // 2000), early_stopping=True, validation_fraction=0.1,
        n_iter_no_change=12, random_state=settings.seed,
    )  # fmt: skip
    model.fit(features_of(features, values), noise)
    return Trees(features, boosted_of(model))


def _train(
    features: HitFeatures, convolutional: bool, values: Floats, noise: Array, settings: LearnSettings
) -> Network:
    if len(values) > MOST_FOR_NETWORKS:
        some = np.sort(np.random.default_rng(settings.seed).choice(len(values), MOST_FOR_NETWORKS, replace=False))
        values, noise = values[some], noise[some]
    task: Any = NoiseOrTrack(features, settings, convolutional)
    raw = np.ascontiguousarray(values, dtype=np.float32)
    task.network.learn_scale(torch.from_numpy(raw))
    title = f"hit_filter, {CONVOLUTIONAL if convolutional else DENSE}"
    rows = Packed({HITS: Group(raw, np.arange(len(raw) + 1))})
    history = train(task, PackedSet(rows, noise), TRAINING.replaced(settings.training), settings.seed, title)
    return Network(task.network, history)


class NoiseOrTrack:
    """The task: cross-entropy of hits on tracks, 0, and noise, 1."""

    betas = ADAM

    def __init__(self, features: HitFeatures, settings: LearnSettings, convolutional: bool) -> None:
        with seeded(settings.seed):
            self.networks = nn.ModuleDict({"judge": HitJudge(features, settings.width, convolutional)})

    @property
    def network(self) -> HitJudge:
        """Return the network."""
        found: Any = self.networks["judge"]
        return found

    def start(self, x: Clouds) -> None:
        """Learn nothing before the first epoch."""

    def step(self, x: Clouds, y: Tensor, update: Update) -> Losses:
        """Step the network and return its loss."""
        loss = functional.cross_entropy(self.logits(x), y)
        update("judge", loss)
        return {"cross_entropy": loss}

    def logits(self, x: Clouds) -> Tensor:
        """Return (n, 2) of a track and of noise."""
        odds = self.networks["judge"](x[HITS][0])
        return torch.stack([torch.zeros_like(odds), odds], dim=1)
