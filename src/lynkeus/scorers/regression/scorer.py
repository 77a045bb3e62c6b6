"""Regression: numbers such as a density, estimated from tables, maps or images, each with a spread.

A ridge on the columns, or on the mean of each channel of a map, of its size and of its square, takes what is linear; a
network learns what it leaves. Of maps the network is a mean over places of something local, so that it sees maps of
every size, and parameters that it was not shown, as long as small parts of them look like those it knows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import nn

from lynkeus.core import (
    About,
    Batch,
    Evidence,
    Floats,
    LastBatch,
    ModelError,
    Schema,
    SchemaError,
    Scores,
    SettingsError,
)
from lynkeus.core import Source as Source_
from lynkeus.explain.gradient import input_gradient
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.networks.build import architecture
from lynkeus.networks.maps.local import LocalMean
from lynkeus.networks.maps.padding import rings_of
from lynkeus.scorers.regression.read import Known, read_known
from lynkeus.training import History, KnownSet, TrainSettings, in_chunks, session, train
from lynkeus.training.estimates import Rests
from lynkeus.training.seeded import seeded
from lynkeus.transforms.boosted import Boosted, boosted_regressors
from lynkeus.transforms.inputs import Inputs
from lynkeus.transforms.linear import Ridge, moments_of

METHODS = ("network", "ridge", "boosted")
EDGES = ("auto", "ring", "zero")
DEFAULTS = TrainSettings(epochs=30, batch_size=0, learning_rate=3e-3, patience=8, held_out=0.15)
NETWORK, HISTORY, TREES = "network/", "training.json", "trees"
LEAST_REST = 1e-3  # of the spread of a number: a network does not learn what is less than that
LEAST_SPREAD = 0.1  # of what a network learns: what is exact but for rounding is not stated to be better
SMALLEST = 3
COVERAGE = 0.6827  # the share of held-out samples within one spread


@dataclass
class Regression:
    """Its outputs are the `targets`, its scores estimates of them, in their units; NaN for a sample that misses more
    than half of its values.

    `method`: "network", or by itself "ridge" (the part that is linear) or "boosted" (trees on the same columns);
    `network`: "auto" (of maps a mean over places, of tables dense), or one of the encoders; `edges` of maps: "auto"
    (rings, where opposite edges look like neighbours), "ring" or "zero"; `width` of the network; `across`: what is
    known of samples, such as "mu": spreads are made right on values of it that were not shown.
    """

    about: ClassVar[About] = About(
        ("table", "image"), True, "gradient", "seconds to minutes", labels="numbers", measures=True
    )
    targets: tuple[str, ...] = ()
    method: str = "network"
    network: str = "auto"
    edges: str = "auto"
    width: int = 16
    across: str = ""
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.targets = tuple(self.targets)
        self._memo: LastBatch[Floats] = LastBatch()
        for name, known in (("method", METHODS), ("edges", EDGES)):
            if getattr(self, name) not in known:
                raise SettingsError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")

    @property
    def outputs(self) -> tuple[str, ...]:
        """Return the names of the numbers."""
        return self.targets

    def fit(self, source: Source_) -> Self:
        """Learn from samples whose numbers are in their meta. Raises SchemaError for another kind, or maps that are
        smaller than what the network looks at, SettingsError where a number is the same for all."""
        self._memo.forget()
        self.schema_, known = self._any_size(source.schema), read_known(source, self.targets, self.about.kinds)
        self.messages, self.facts = known.said, dict[str, Any](method=self.method)
        self._require_size(known.values.shape)
        self.inputs_ = Inputs.fit(known.values)
        self.rings_ = self._rings(known)
        x = self.inputs_.of(known.values)
        self.ridge_ = Ridge.fit(moments_of(x), known.numbers)
        rest = known.numbers - self.ridge_.of(moments_of(x))
        self.scale_ = np.maximum(rest.std(axis=0), LEAST_REST * known.numbers.std(axis=0))
        self.factor_ = np.ones(len(self.targets))
        if self.method == "boosted":
            self.trees_ = boosted_regressors(moments_of(x), known.numbers, self.seed)
        if self.method == "network":
            self._learn(KnownSet(x, (rest / self.scale_).astype(np.float32), named=False))
        return self

    def _any_size(self, schema: Schema) -> Schema:
        """Return the schema of maps of every size, where the method looks at places or means only."""
        free = schema.kind == "image" and (self.method != "network" or self.network == "auto")
        return replace(schema, shape=(schema.shape[0], None, None)) if free else schema

    def _learn(self, taught: KnownSet) -> None:
        with seeded(self.seed):
            self.task_ = self._task(taught.values.shape[1:])
        settings = DEFAULTS.replaced(self.training)
        self.history_ = train(self.task_, taught, settings, self.seed, "regression")
        self.facts |= {"parameters": self.history_.parameters}

    def _rings(self, known: Known) -> tuple[bool, bool]:
        if self.edges != "auto" or known.values.ndim != 4:
            return (self.edges == "ring",) * 2
        found = rings_of(known.values)
        said = {(True, True): "both axes of the maps are", (True, False): "rows are", (False, True): "columns are"}
        if found in said:
            self.messages.append(f"{said[found]} taken to go round, as opposite edges look like neighbours")
        return found

    def _require_size(self, shape: tuple[int, ...]) -> None:
        if len(shape) == 4 and min(shape[2:]) < SMALLEST:
            raise SchemaError(
                f"maps of {shape[2]} x {shape[3]} are smaller than the {SMALLEST} x {SMALLEST} places that the network "
                "looks at: give larger ones"
            )

    def _task(self, shape: tuple[int, ...]) -> Rests:
        outputs = 2 * len(self.targets)
        if self.network == "auto" and len(shape) == 3:
            return Rests(LocalMean(shape[0], outputs, self.width, self.rings_))
        parts = architecture(self.network, shape)
        return Rests(parts.encoder(shape, outputs, max(self.width, parts.width), True))

    def calibrate(self, source: Source_) -> None:
        """Make a spread half of the interval that holds 68.3 % of these samples, which were not learned from."""
        pulls = []
        for batch in source:
            truth = np.stack([np.asarray(batch.meta[name], float) for name in self.targets], axis=1)
            pulls.append(np.abs(self.score(batch) - truth) / self.spread(batch))
        self.calibrate_by(np.concatenate(pulls))

    def calibrate_by(self, pull: Floats) -> None:
        """Make a spread half of the interval that holds 68.3 %, by how far estimates of samples that were not learned
        from were off, in spreads (n, targets)."""
        pull = pull[np.isfinite(pull).all(axis=1)]
        place = min(int(np.ceil((len(pull) + 1) * COVERAGE)) - 1, len(pull) - 1)
        self.factor_ = self.factor_ * np.maximum(np.sort(pull, axis=0)[place], 1e-12)
        self._memo.forget()

    def score(self, batch: Batch) -> Scores:
        """Return estimates (n, targets). Raises SchemaError for another schema."""
        return self._both(batch)[:, : len(self.targets)].astype(float)

    def spread(self, batch: Batch) -> Floats:
        """Return half a 68 % interval of each estimate (n, targets)."""
        return np.maximum(self._both(batch)[:, len(self.targets) :] * self.factor_, LEAST_SPREAD * self.scale_)

    def _both(self, batch: Batch) -> Floats:
        self.schema_.require(batch.schema, "the scorer regression")
        self._require_size(batch.values.shape)
        return self._memo.of(batch, self._estimated)

    def _estimated(self, batch: Batch) -> Floats:
        """Return estimates, then spreads before they are made right (n, 2 targets)."""
        values = np.asarray(batch.values)
        if not len(values):
            return np.empty((0, 2 * len(self.targets)))
        x = self.inputs_.of(values)
        mean, sigma = self.ridge_.of(moments_of(x)), np.tile(self.scale_, (len(x), 1))
        if self.method == "boosted":
            mean = np.stack([tree.decide(moments_of(x))[:, 0] for tree in self.trees_], axis=1)
        if self.method == "network":
            network = self.task_.networks.to(session().torch_device).eval()
            own = torch.from_numpy(x).to(session().torch_device)
            more = in_chunks(lambda part: torch.cat(self.task_.parts(part), dim=1), own).cpu().double().numpy()
            network.to("cpu")
            count = len(self.targets)
            mean, sigma = mean + more[:, :count] * self.scale_, np.exp(0.5 * more[:, count:]) * self.scale_
        missing = ~np.isfinite(values)
        gone = missing.reshape(len(values), -1).mean(axis=1) > 0.5
        return np.where(gone[:, None], np.nan, np.concatenate([mean, sigma], axis=1))

    def features(self, batch: Batch) -> Floats:
        """Return columns (n, many) in their spreads, of maps the moments of their channels, for a map of samples by
        their likeness."""
        return (moments_of(self.inputs_.of(np.asarray(batch.values))) - self.ridge_.centre) / self.ridge_.sigma

    def explain(self, batch: Batch, output: str) -> Evidence:
        """Return in the shape of `values` what speaks for a larger number: integrated gradients of network and ridge;
        of trees how much less it is without a channel."""
        self.schema_.require(batch.schema, "the scorer regression")
        column, x = self.outputs.index(output), self.inputs_.of(np.asarray(batch.values))
        if self.method == "boosted":
            return self._without_channels(x, column)
        slope = self.ridge_.slope[:, column] / self.ridge_.sigma
        channels = x.shape[1]
        sizes = max(1, int(np.prod(x.shape[2:])))
        own = (..., *([None] * (x.ndim - 2)))
        found = x * slope[:channels][own] / sizes
        if x.ndim > 2:
            found = found + np.abs(x) * slope[channels : 2 * channels][own] / sizes
            found = found + x.astype(float) ** 2 * slope[2 * channels :][own] / sizes
        if self.method == "network":
            ask = input_gradient(lambda part: self.task_.parts(part)[0][:, column])
            found = found + ask(torch.from_numpy(x)).double().numpy() * self.scale_[column]
        return np.asarray(found, float)

    def _without_channels(self, x: Floats, column: int) -> Evidence:
        found, tree = np.zeros(x.shape), self.trees_[column]
        before = tree.decide(moments_of(x))[:, 0]
        for channel in range(x.shape[1]):
            hidden = x.copy()
            hidden[:, channel] = 0.0
            drop = before - tree.decide(moments_of(hidden))[:, 0]
            found[:, channel] = drop.reshape(-1, *([1] * (x.ndim - 2)))
        return found

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        arrays = arrays_of(self.inputs_, "input_", ("windows",)) | arrays_of(self.ridge_, "ridge_")
        arrays |= {"scale": self.scale_, "factor": self.factor_, "rings": np.array(self.rings_)}
        if self.method == "network":
            arrays |= {f"{NETWORK}{name}": one.numpy() for name, one in self.task_.networks.state_dict().items()}
        for number, tree in enumerate(getattr(self, "trees_", ())):
            arrays |= arrays_of(tree, f"{TREES}.{number}.")
        write_folder(folder, self.schema_, asdict(self), arrays)
        if self.method == "network":
            (folder / HISTORY).write_text(json.dumps(self.history_.to_dict()), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.messages, scorer.facts = [], {}
        scorer.inputs_ = part_of(Inputs, arrays, "input_", windows="raw")
        scorer.ridge_ = part_of(Ridge, arrays, "ridge_")
        scorer.scale_, scorer.factor_ = arrays["scale"], arrays["factor"]
        scorer.rings_ = (bool(arrays["rings"][0]), bool(arrays["rings"][1]))
        if scorer.method == "boosted":
            each = range(len(scorer.targets))
            scorer.trees_ = tuple(part_of(Boosted, arrays, f"{TREES}.{number}.") for number in each)
            for tree in scorer.trees_:
                tree.require(len(scorer.ridge_.centre))
        if scorer.method == "network":
            scorer._take_network(
                {k.removeprefix(NETWORK): a for k, a in arrays.items() if k.startswith(NETWORK)}, folder
            )
        return scorer

    def _take_network(self, weights: Mapping[str, Any], folder: Path) -> None:
        try:
            self.task_ = self._task(tuple(int(length or 0) for length in self.schema_.shape))
            self.task_.networks.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
            self.history_ = History.from_dict(json.loads((folder / HISTORY).read_text(encoding="utf-8")))
        except (RuntimeError, OSError, ValueError, TypeError) as error:
            raise ModelError(f"{folder} does not hold a whole regression ({error}); fit it again") from error
        networks: nn.ModuleDict = self.task_.networks
        networks.eval()
