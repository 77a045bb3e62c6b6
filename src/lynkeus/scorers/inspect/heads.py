"""Two small networks that tell planted blemishes from the good surface, each trained on one half of the images.

One reads the features themselves and says where a blemish is, the other reads how novel a place is and says in which
image. What an image is calibrated by comes from the half that has not seen it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.core import Array
from lynkeus.scorers.inspect.features import smoothed
from lynkeus.scorers.inspect.novelty import Where
from lynkeus.training import ADAM, Losses, TrainingSet, TrainSettings, Update, train
from lynkeus.training.seeded import seeded

VIEWS = ("blemish", "novelty")
HALVES = 2
HIDDEN = 64
COVERED = 0.25  # share of a cell that is blemished, from which on it counts as such
GOOD_CELLS, HARD_CELLS, BLEMISHED_CELLS, OTHER_CELLS = 250, 50, 150, 100  # of an image that are learned from
AROUND = 5  # cells over which novelty is averaged beside
SETTINGS = TrainSettings(batch_size=1024, learning_rate=4e-3, decay=1e-3, patience=20, held_out=0.1)
EPOCHS = {"blemish": 8, "novelty": 20}  # longer, and the first knows the planted blemishes too well


class CellFeatures(NamedTuple):
    """The inputs of both networks for the cells of an image or of a part of it: `features` and their means over 3 x 3
    cells, `smooth` (rows, columns, f), log `distances` (rows, columns, 3), and `where` the cells are."""

    features: Tensor
    smooth: Tensor
    distances: Tensor
    where: Where

    def view(self, name: str) -> Tensor:
        """Return what the network of that name reads (rows, columns, inputs): features with their means, or distances
        with their means over AROUND cells, and in both where each cell is."""
        here = self.where.features()
        if name == "blemish":
            return torch.cat([self.features, self.smooth, here], dim=2)
        return torch.cat([self.distances, smoothed(self.distances, AROUND), here], dim=2)


@dataclass
class Cells:
    """Cells to learn from: `inputs` (n, ...) of each view, `labels` (n,) 1 for blemished ones."""

    inputs: dict[str, list[Array]]
    labels: list[Array]

    @classmethod
    def none(cls) -> Self:
        """Return an empty collection, to which `add` appends."""
        return cls({name: [] for name in VIEWS}, [])

    @classmethod
    def some(cls, seen: CellFeatures, covered: Array | None, random: np.random.Generator) -> Self:
        """Draw training cells from one image: of a good one at random and those farthest from the Gaussian of their
        place, of a planted one blemished and untouched cells.

        `covered` (rows, columns): share of each cell that is blemished; None: the image is good.
        """
        count = seen.distances[..., 0].numel()
        if covered is None:
            hard = seen.distances[..., 1].flatten().argsort(descending=True)[:HARD_CELLS].numpy()
            chosen = np.concatenate([random.permutation(count)[:GOOD_CELLS], hard])
            labels = np.zeros(len(chosen), np.int64)
        else:
            bad, good = np.flatnonzero(covered > COVERED), np.flatnonzero(covered == 0)
            bad, good = random.permutation(bad)[:BLEMISHED_CELLS], random.permutation(good)[:OTHER_CELLS]
            chosen, labels = np.concatenate([bad, good]), np.repeat([1, 0], [len(bad), len(good)])
        views = {name: [seen.view(name).reshape(count, -1)[torch.from_numpy(chosen)].numpy()] for name in VIEWS}
        return cls(views, [labels])

    def add(self, other: Self) -> None:
        """Append the cells of another collection, in place."""
        for name in VIEWS:
            self.inputs[name] += other.inputs[name]
        self.labels += other.labels


class Blemished:
    """The task: is a cell blemished? `networks`: one, which standardises its inputs first."""

    betas = ADAM

    def __init__(self, inputs: int) -> None:
        half = HIDDEN // 2
        self.norm = nn.BatchNorm1d(inputs, affine=False, momentum=None)
        layers = nn.Sequential(
            self.norm, nn.Dropout(0.1), nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Dropout(0.2), nn.Linear(HIDDEN, half),
            nn.ReLU(), nn.Linear(half, 1),
        )  # fmt: skip
        self.networks = nn.ModuleDict({"head": layers})

    def start(self, x: Tensor) -> None:
        """Do nothing: the task needs no look at the samples before training."""

    def step(self, x: Tensor, y: Tensor, update: Update) -> Losses:
        """Step the network on the binary cross-entropy of cells (b, inputs) with labels (b,), and return that loss."""
        loss = functional.binary_cross_entropy_with_logits(self.score(x), y.float())
        update("head", loss)
        return {"cross_entropy": loss}

    def score(self, x: Tensor) -> Tensor:
        """Return the log odds (b,) that each cell is blemished."""
        found: Tensor = self.networks["head"](x).squeeze(-1)
        return found

    def loss(self, x: Tensor) -> Tensor:
        """Return minus the log probability (b,) that each cell is good."""
        return functional.softplus(self.score(x))

    def spread(self, x: Tensor) -> Tensor:
        """Return the standard deviation (scalar) of the log odds over the cells; near 0 the network has collapsed."""
        return self.score(x).std(correction=0)


class Heads:
    """The networks of both views, by half: `tasks[half][view]`."""

    def __init__(self, tasks: Sequence[Mapping[str, Blemished]]) -> None:
        self.tasks = tasks

    @classmethod
    def fit(cls, cells: Sequence[Cells], seed: int, training: Mapping[str, Any]) -> Self:
        """Train the networks of both views on the cells of each half of the images."""
        tasks = []
        for half, part in enumerate(cells):
            found, labels = {}, np.concatenate(part.labels)
            for name in VIEWS:
                inputs = np.concatenate(part.inputs[name]).astype(np.float32)
                with seeded(seed + half):
                    found[name] = Blemished(inputs.shape[1])
                title = f"inspect, {name}, half {half + 1}"
                settings = SETTINGS.replaced({"epochs": EPOCHS[name], **training})
                train(found[name], TrainingSet(inputs, labels), settings, seed + half, title)
            tasks.append(found)
        return cls(tasks)

    def odds(self, seen: CellFeatures, halves: Sequence[int] = range(HALVES)) -> Tensor:
        """Return the log odds (halves, views, rows, columns) that each cell is blemished."""
        shape = seen.distances.shape[:2]
        found = []
        with torch.inference_mode():
            for name in VIEWS:
                flat = seen.view(name).reshape(shape[0] * shape[1], -1)
                found.append(torch.stack([self.tasks[half][name].score(flat) for half in halves]))
        return torch.stack(found, dim=1).reshape(len(halves), len(VIEWS), *shape)

    def views(self, seen: CellFeatures, halves: Sequence[int] = range(HALVES)) -> Tensor:
        """Return the five maps (halves, 5, rows, columns) that are fused: two log odds, and three log distances, which
        are the same for all halves."""
        odds, distances = self.odds(seen, halves), seen.distances.permute(2, 0, 1)
        return torch.cat([odds, distances.expand(len(halves), *distances.shape)], dim=1)

    def to_arrays(self) -> dict[str, Array]:
        """Return the weights of all networks as arrays for a model folder."""
        return {
            f"head/{half}/{view}/{name}": value.numpy()
            for half, tasks in enumerate(self.tasks)
            for view, task in tasks.items()
            for name, value in task.networks.state_dict().items()
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Rebuild the networks, in evaluation mode, from the arrays of `to_arrays`."""
        tasks: list[dict[str, Blemished]] = []
        for half in range(HALVES):
            found = {}
            for view in VIEWS:
                start = f"head/{half}/{view}/"
                state = {
                    name[len(start) :]: torch.from_numpy(a) for name, a in arrays.items() if name.startswith(start)
                }
                found[view] = Blemished(len(state["head.0.running_mean"]))
                found[view].networks.load_state_dict(state)
                found[view].networks.eval()
            tasks.append(found)
        return cls(tasks)
