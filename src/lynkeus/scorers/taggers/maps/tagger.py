"""MapTagger: what taggers of maps share: columns or networks, evidence by prediction differences, a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from lynkeus.core import Array, Batch, Evidence, Floats, LastBatch, ModelError, Schema, SchemaError, Source
from lynkeus.explain.prediction_difference import Conditional, prediction_difference
from lynkeus.files.arrays import arrays_of, part_of
from lynkeus.networks.maps.meters import METERS, meter
from lynkeus.scorers.taggers.maps.linear import MOST_SCORES, Linear
from lynkeus.scorers.taggers.maps.task import MapTags
from lynkeus.scorers.taggers.tagger import Tagger
from lynkeus.training import History, KnownSet, TrainSettings, in_chunks, session, train
from lynkeus.training.seeded import seeded

PCA, OBSERVABLES = "pca", "observables"
METHODS = (*METERS, PCA, OBSERVABLES)
NETWORK, HISTORY = "network/", "training.json"
MOST_LOGIT = 6.0
MOST_ODDS = 24.0  # logarithm of the odds of a class


class MapTagger(Tagger):
    """Maps as numbers by `inputs`, which a subclass gives, then by `method` a network, "pca" (and logistic regression)
    or "observables" (likewise)."""

    kinds: ClassVar[tuple[str, ...]] = ("image", "waveform")
    defaults: ClassVar[TrainSettings]
    method: str
    seed: int
    training: Mapping[str, Any]
    task_: MapTags
    linear_: Linear
    conditional_: Conditional
    history_: History
    _memo: LastBatch[Floats]

    def require(self, schema: Schema) -> None:
        """Raise SchemaError for samples that it does not read."""
        if schema.kind not in self.kinds:
            raise SchemaError(f"the scorer {self.name} needs maps (image, or waveform), got a {schema.kind}")

    def look(self, values: Array) -> None:
        """Learn what the inputs need from maps (n, c, row, column)."""
        raise NotImplementedError

    def inputs(self, values: Array) -> Floats:
        """Return maps (n, c, row, column) as a network reads them, float32; NaN in all of one that is empty."""
        raise NotImplementedError

    def observables_of(self, values: Array) -> Floats:
        """Return columns (n, many) of maps as they are read."""
        raise NotImplementedError

    @property
    def rings(self) -> tuple[bool, bool]:
        """Return whether rows and columns go round."""
        raise NotImplementedError

    @property
    def by_scores(self) -> bool:
        """Return whether a linear method looks at principal components of its columns, not at these themselves."""
        return self.method == PCA

    def change(self, x: Tensor) -> Tensor:
        """Return what is shown in a training in place of maps: of the same class."""
        return x

    def learn(self, source: Source) -> None:
        """Read all maps, and fit. Raises SchemaError where no map has anything in it."""
        self._memo.forget()
        parts = [(_maps(batch.values), np.asarray(batch.truth)) for batch in source]
        values, truth = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
        if not np.nan_to_num(values).any():
            raise SchemaError(f"the scorer {self.name}: all maps are empty, there is nothing to learn")
        self.look(values)
        x = self.inputs(values)
        there = np.asarray(np.isfinite(x).all(axis=(1, 2, 3)))
        if not there.any():
            raise SchemaError(f"the scorer {self.name}: all maps are empty, there is nothing to learn")
        empty = len(there) - int(there.sum())
        self.messages += [f"{empty} empty maps are not learned from, and have no score"] if empty else []
        x, truth = x[there], truth[there].astype(np.int64)
        self.conditional_ = Conditional.fit(x)
        if self.method in METERS:
            with seeded(self.seed):
                self.task_ = self._task(x.shape[1:])
            self.task_.look(x)
            settings = self.defaults.replaced(self.training)
            self.history_ = train(self.task_, KnownSet(x, truth), settings, self.seed, self.name)
            self.facts = {"parameters": self.history_.parameters, "epochs": len(self.history_.epochs)}
            return
        values, truth = self.copies(values[there], truth)
        columns = self._columns(values, self.inputs(values))
        self.linear_ = Linear.fit(columns, truth, len(self.outputs), MOST_SCORES if self.by_scores else 0)

    def copies(self, values: Array, truth: Array) -> tuple[Array, Array]:
        """Return the maps and classes that columns are learned from, with others that could have been seen as well."""
        return values, truth

    def _task(self, shape: tuple[int, ...]) -> MapTags:
        front = self.front(shape)
        seen = (getattr(front, "channels", shape[0]), *shape[1:])
        return MapTags(meter(self.method, seen, len(self.outputs), self.rings), self.change, front)

    def front(self, shape: tuple[int, ...]) -> nn.Module:
        """Return what is done to maps (b, *shape) before the network; nothing, usually."""
        return nn.Identity()

    def _columns(self, values: Array, x: Floats) -> Floats:
        return x.reshape(len(x), -1).astype(float) if self.method == PCA else self.observables_of(values)

    def logits(self, batch: Batch) -> Floats:
        """Return (n, classes) logits; NaN for an empty map."""
        values = _maps(batch.values)
        x = self.inputs(values)
        found = np.full((len(x), len(self.outputs)), np.nan)
        there = np.isfinite(x).all(axis=(1, 2, 3))
        if there.any():
            own = x[there]
            found[there] = (
                self._network(own) if self.method in METERS else self.linear_.of(self._columns(values[there], own))
            )
        return bounded(found)

    def calibrate(self, source: Source) -> None:
        """Make the probabilities those of held-out maps, and none more certain than can be told apart as numbers."""
        super().calibrate(source)
        held = self.probabilities_
        self.probabilities_ = type(held)(min(held.slope, MOST_ODDS / (2 * MOST_LOGIT)), held.bias)

    def _network(self, x: Floats) -> Floats:
        device = session().torch_device
        self.task_.networks.to(device).eval()
        found = in_chunks(self.task_.logits, torch.from_numpy(x).to(device)).cpu().double().numpy()
        self.task_.networks.to("cpu")
        return found

    def features(self, batch: Batch) -> Floats:
        """Return columns (n, many) in their spreads that a linear method looks at, of networks all places, for a map of
        samples by their likeness; 0 for an empty one."""
        values = _maps(batch.values)
        x = self.inputs(values)
        if self.method in METERS:
            return np.nan_to_num(x.reshape(len(x), -1).astype(float))
        columns = self._columns(values, x)
        return np.nan_to_num((columns - self.linear_.centre) / self.linear_.sigma)

    def explain(self, batch: Batch, output: str) -> Evidence:
        """Return in the shape of `values` how much less the log odds of a class are where a window of the map is not
        known but drawn from what lies around it (prediction difference analysis). It scores each map some hundred
        times."""
        found = self._memo.of(batch, self._differences)
        return found[:, self.outputs.index(output)].reshape(batch.values.shape)

    def _differences(self, batch: Batch) -> Floats:
        """Return (n, classes, c, row, column), computed once for a batch."""
        x = self.inputs(_maps(batch.values))

        def ask(maps: Floats) -> Floats:
            if self.method in METERS:
                logits = self._network(maps)
            else:
                logits = self.linear_.of(self._columns(self.back(maps), maps))
            return self.probabilities_.of(bounded(logits))

        there = np.isfinite(x).all(axis=(1, 2, 3))
        found = np.zeros((len(x), len(self.outputs), *x.shape[1:]))
        if there.any():
            found[there] = prediction_difference(ask, x[there], self.conditional_, self.seed)
        return found

    def back(self, x: Floats) -> Floats:
        """Return maps from inputs: the inverse of `inputs`, but for what it divides by."""
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder, with what happened in its training."""
        super().save(folder)
        if self.method in METERS:
            (folder / HISTORY).write_text(json.dumps(self.history_.to_dict()), encoding="utf-8")

    def to_arrays(self) -> dict[str, Array]:
        """Return what was learned."""
        own = arrays_of(self.conditional_, "conditional_")
        if self.method not in METERS:
            return own | arrays_of(self.linear_, "linear_")
        return own | {f"{NETWORK}{name}": one.numpy() for name, one in self.task_.networks.state_dict().items()}

    def take_arrays(self, arrays: Mapping[str, Array], folder: Path) -> None:
        """Take what `to_arrays` returned. Raises ModelError naming what is damaged."""
        self.conditional_ = part_of(Conditional, arrays, "conditional_")
        if self.method not in METERS:
            self.linear_ = part_of(Linear, arrays, "linear_")
            return
        own = {name.removeprefix(NETWORK): array for name, array in arrays.items() if name.startswith(NETWORK)}
        shape = tuple(int(length or 0) for length in self.schema_.shape)
        try:
            self.task_ = self._task(shape if len(shape) == 3 else (1, *shape))
            self.task_.networks.load_state_dict({name: torch.from_numpy(array) for name, array in own.items()})
            self.history_ = History.from_dict(json.loads((folder / HISTORY).read_text(encoding="utf-8")))
        except (RuntimeError, OSError, ValueError, TypeError) as error:
            raise ModelError(f"{folder} does not hold a whole {self.name} ({error}); fit it again") from error
        self.task_.networks.eval()


def bounded(logits: Floats) -> Floats:
    """Return logits that stay within MOST_LOGIT and keep their order: classes that are told apart without error would
    else have probabilities of 0 and 1, by which no sample is more certain than another."""
    found: Floats = logits / (1.0 + np.abs(logits) / MOST_LOGIT)
    return found


def _maps(values: Array) -> Array:
    """Return (n, c, row, column), also of arrays (n, row, column)."""
    return values[:, None] if values.ndim == 3 else values
