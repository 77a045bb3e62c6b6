"""Search classifier: which process an event of a search is of, from a table of its quantities; parametric in masses.

Classes as regions: Tholen et al.; parametric networks: Baldi et al. 2016 (arXiv:1601.07913); trained for discovery:
Elwood & Kruecker 2018 (arXiv:1806.00322).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from lynkeus.core import About, Array, Batch, Floats, Group, Packed, Schema, SchemaError, SettingsError, Source
from lynkeus.scorers.taggers.network import NetworkTagger, Tags, one_of
from lynkeus.scorers.taggers.searching.choose import HeldOut, Wanted, choose, said_of
from lynkeus.scorers.taggers.searching.dense import ACTIVATIONS, COLUMNS, Dense, Fast, Raw, with_scales
from lynkeus.scorers.taggers.searching.evolution import Evolution, events_in_sigmas, require_evolution
from lynkeus.scorers.taggers.searching.leaks import Leaks
from lynkeus.scorers.taggers.searching.points import MOST as MOST_POINTS
from lynkeus.scorers.taggers.searching.points import Points
from lynkeus.scorers.taggers.searching.search import (
    DISCOVERY_BATCH,
    LOSSES,
    STARTS,
    Search,
    discovery_of,
    expected_events,
    warnings_of,
)
from lynkeus.scorers.taggers.searching.signal import require_signal, signal_by_name, signal_by_points
from lynkeus.scorers.taggers.tagger import names_of
from lynkeus.scorers.taggers.weighting import NONE
from lynkeus.training import PackedSet, TrainSettings, halves, train
from lynkeus.training.discovery import Discovery, one_event
from lynkeus.transforms.moments import Moments

EXPORTED = 200  # events by which a file is checked


@dataclass
class SearchClassifier(NetworkTagger):
    """`parameters`: columns of the mass point; events of other classes than `signal` learn with those of signal events
    drawn at random, so that the network knows nothing of the process from them. `signal`: "" the class that is called
    so, or that has mass points. `loss`: cross_entropy, or one of a search for `signal` (asimov, inverse_asimov,
    s_over_root_s_b, and profiled: a nuisance parameter for each background) with backgrounds uncertain by a part
    `systematic`, in `bins` of the output, after a `start` by cross_entropy or s_over_root_s_b; weights are expected
    events then; kept only where held-out events show it to be better than cross-entropy with the best cut.
    `activation`: tanh, silu, softplus (smooth, for Taylor coefficients) or relu; `depth` layers of `width`.
    `evolution`: events at which Taylor coefficients are noted after each epoch. The rest: see ParticleNet.
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
    start: str = "cross_entropy"
    activation: str = "tanh"
    width: int = 64
    depth: int = 2
    reweight: str = "classes"
    evolution: int = 0
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.classes, self.parameters = names_of(self.classes), names_of(self.parameters)
        one_of(self.activation, ACTIVATIONS, "activation")
        one_of(self.loss, LOSSES, "loss")
        one_of(self.start, dict.fromkeys(STARTS), "start")
        require_evolution(self.evolution)
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
        moments, points, some, kept = Moments(), list[Floats](), list[Floats](), 0
        signal = self.outputs.index(self.signal) if self.signal else -1
        self._leaks = Leaks(len(self.outputs), len(self.schema_.names))
        for batch in source:
            values = batch.values.astype(float)
            moments.add(values, batch.weight)
            self._leaks.add(values, np.asarray(batch.truth))
            if self.parameters:
                points.append(values[np.asarray(batch.truth) == signal][:, self._columns])
            if kept < self.evolution:
                some.append(values[: self.evolution - kept])
                kept += len(some[-1])
        mean, spread = moments.mean, moments.sigma
        self.centre_, self.sigma_ = mean, np.where(spread > 1e-12 * np.abs(mean), spread, 1.0)
        self._points = np.concatenate(points) if points else np.zeros((0, 0))
        if self.parameters:
            self._points = self._points[np.isfinite(self._points).all(axis=1)]
            if not len(self._points):
                raise SettingsError(
                    f"parameters: no event of {self.signal} has numbers in {', '.join(self.parameters)}"
                )
        order = 1 if self.activation == "relu" else 2
        seen = events_in_sigmas(some, mean, self.sigma_) if some else None
        self._evolution = None if seen is None else Evolution(seen, self.outputs, order)
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

    def make_task(self) -> Tags:
        """See `NetworkTagger`."""
        return self._noting(super().make_task())

    def _noting(self, task: Any) -> Any:
        task.note = getattr(self, "_evolution", None)
        return task

    def learn(self, source: Source) -> None:
        """Train by cross-entropy, then, where that is asked for, for discovery."""
        said = self._choose_signal(source)
        super().learn(source)
        self.messages += said + self._leaks.says(self.schema_.names, self.outputs, self.parameters)
        self._teaching = False
        if LOSSES[self.loss]:
            self._search(source)
        self._evolution = None

    def _choose_signal(self, source: Source) -> list[str]:
        if self.signal or not (self.parameters or LOSSES[self.loss]):
            return []
        found = signal_by_name(self.outputs)
        if not found and self.parameters:
            found = signal_by_points(source, self._columns)
        self.signal = require_signal(found, self.outputs)
        return [f"the signal is taken to be {found}; another one: --set signal=NAME"]

    def _search(self, source: Source) -> None:
        """Train for discovery, weights as they are."""
        signal, asked = self.outputs.index(self.signal), self.reweight
        expected = expected_events(source, self.outputs, self.signal)
        self._teaching, self.reweight = True, NONE
        store, taught, _ = self._read(source)
        self._teaching, self.reweight = False, asked
        settings = self.defaults.replaced({"batch_size": DISCOVERY_BATCH, **self.training})
        batch = settings.batch_of(len(taught.labels))
        self.messages += warnings_of(batch, taught.labels == signal, taught.weight, expected)
        network = self.task_.networks["tagger"]
        before = copy.deepcopy(network)
        if self.start != STARTS[0]:
            network = self.make_task().networks["tagger"]  # from scratch
        background = float(expected.sum() - expected[signal])
        heavy = np.ones(len(taught.labels)) if taught.weight is None else taught.weight
        least = one_event(background, torch.from_numpy(heavy[taught.labels != signal]))
        points = self._mass_points(taught, heavy, signal, float(expected[signal]))
        stages = [loss for loss in (self.start, self.loss) if LOSSES[loss]]
        try:
            for loss in stages:
                discovery = discovery_of(loss, expected, signal, self.systematic, self.bins, least)
                task = self._noting(Search(network, discovery, signal, background, points))
                self.history_ = train(task, taught, settings, self.seed, f"{self.name}, {loss}")
                network = task.networks["tagger"]
            rows = halves(len(taught.labels), settings, self.seed)[0]
            x = torch.from_numpy(np.array(taught.values[rows].groups[COLUMNS].values))
            seen = HeldOut(x, taught.labels[rows] == signal, heavy[rows])
        finally:
            store.close()
        own = Wanted(signal, float(expected[signal]), background, self.systematic, least, points)
        found = choose(before, network, seen, own)
        self.messages.append(said_of(found, self.loss))
        self.task_ = Tags(network if found.kept else before)
        self.facts = {
            **self.facts, "expected": {"signal": own.expected, "background": background}, "choice": found._asdict(),
        }  # fmt: skip

    def _mass_points(self, taught: PackedSet, heavy: Floats, signal: int, expected: float) -> Points | None:
        if not self.parameters:
            return None
        x = taught.values.groups[COLUMNS].values
        found = Points.of(self._columns, x, taught.labels == signal, heavy, expected)
        if found is None and len(np.unique(self._points, axis=0)) > MOST_POINTS:
            self.messages.append(
                f"the signal has more than {MOST_POINTS} mass points: the loss takes all of them for one signal; give "
                "fewer, or loss=cross_entropy"
            )
        return found

    def calibrated_class(self) -> int | None:
        """Return the signal where it was learned for discovery among several backgrounds: with a slope, or a bias of
        each background, the regions of its output would no longer be those that were learned."""
        kept = self.facts.get("choice", {}).get("kept")
        return self.outputs.index(self.signal) if kept and len(self.outputs) > 2 else None

    def logits(self, batch: Batch) -> Floats:
        """Return (n, classes) logits in double precision."""
        return Fast(self._network, self.centre_, self.sigma_)(batch.values)

    @property
    def _network(self) -> Dense:
        network = self.task_.networks["tagger"]
        assert isinstance(network, Dense)
        return network

    def as_module(self) -> nn.Module:
        """Return the scorer from raw columns (n, columns) of double precision to probabilities: affine maps and smooth
        functions only, which `explain` derives exactly."""
        own = self.probabilities_
        return with_scales(self._network, self.centre_, self.sigma_, own.slope, own.bias)

    def complete(self, values: Array) -> Floats:
        """Return raw columns (n, columns) in which a missing mass point is the mean one, as it is scored."""
        found = np.array(values, float)
        for column in self._columns:
            found[~np.isfinite(found[:, column]), column] = self.centre_[column]
        return found

    def coefficients(self, batch: Batch, order: int) -> Floats:
        """Return the Taylor coefficients (n, outputs, all) of the probabilities at complete events, up to an order.

        Raises SettingsError for an order that the network does not have.
        """
        from lynkeus.explain.taylor.coefficients import coefficients

        events = torch.from_numpy(np.asarray(batch.values, np.float64))
        found: Floats = coefficients(self.as_module(), events, order).all.numpy()
        return found

    def export(self, path: Path, model: Mapping[str, Any]) -> float:
        """Write as ONNX what goes from raw columns to probabilities; the largest difference of probabilities of events
        as spread as those of the fit. Raises SettingsError without the packages."""
        from lynkeus.scorers.onnx.export import export_onnx

        drawn = np.random.default_rng(0).normal(self.centre_, self.sigma_, (EXPORTED, len(self.sigma_)))
        own = _Exported(self.schema_, self)
        return export_onnx(own, path, Batch(self.schema_, drawn.astype(np.float32)))

    def to_arrays(self) -> dict[str, Array]:
        """Return the weights, and what the columns are divided by."""
        return {**super().to_arrays(), "centre": self.centre_, "sigma": self.sigma_}

    def take_arrays(self, arrays: Mapping[str, Array], folder: Any) -> None:
        """Take what `to_arrays` returned."""
        super().take_arrays(arrays, folder)
        self.centre_, self.sigma_ = (np.asarray(arrays[name], float) for name in ("centre", "sigma"))


@dataclass
class _Exported:
    """The scorer as `export_onnx` reads it."""

    schema_: Schema
    scorer: SearchClassifier

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.scorer.outputs

    def score(self, batch: Batch) -> Floats:
        return self.scorer.score(batch)

    def as_module(self) -> nn.Module:
        return Raw(self.scorer.as_module(), self.scorer.centre_)
