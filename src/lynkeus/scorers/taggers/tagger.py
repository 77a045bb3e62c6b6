"""Tagger: what every scorer of classes has: probabilities that are made right on held-out jets, evidence, a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from lynkeus.core import Array, Batch, Floats, Group, Packed, Schema, SchemaError, Scores, SettingsError, Source
from lynkeus.core.background import log_odds
from lynkeus.core.weights import joined_weights
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.transforms.jets.changes import same_particles
from lynkeus.transforms.probabilities import Probabilities, calibrated

CALIBRATION = "probability_"


class Tagger:
    """Its outputs are the classes, its scores their probabilities (n, classes), NaN for a jet without particles.

    A kind of tagger is a dataclass of settings, among them `classes` (() all that the samples have), with `learn`,
    `logits`, `to_arrays` and `take_arrays`. Fitted it has `schema_`, `probabilities_`, and `facts`: what the lineage
    says of its fit; `messages` of the fit.
    """

    name: ClassVar[str]
    classes: Any
    schema_: Schema
    probabilities_: Probabilities
    facts: Mapping[str, Any]
    messages: list[str]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Return the names of the classes."""
        return self.schema_.classes

    def fit(self, source: Source) -> Self:
        """Learn from jets whose class is known, by the numbers of the classes of the schema. Raises SettingsError where
        there are no two classes, SchemaError for samples without particles."""
        self.schema_, self.facts, self.messages = source.schema, {}, []
        self.require(source.schema)
        if len(self.outputs) < 2:
            raise SettingsError(f"{self.name} tells classes apart, and there are {len(self.outputs)}; give two or more")
        self.probabilities_ = Probabilities.as_they_are(len(self.outputs))
        self.learn(source)
        return self

    def require(self, schema: Schema) -> None:
        """Raise SchemaError for samples that it does not read."""
        if schema.kind != "cloud" or schema.shape != (None, None):
            raise SchemaError(f"the scorer {self.name} needs jets, clouds of particles, got a {schema.kind}")

    def calibrate(self, source: Source) -> None:
        """Make the probabilities those of held-out jets; see `Probabilities`."""
        logits: list[Floats] = []
        truth: list[Array] = []
        weights: list[Array | None] = []
        for batch in source:
            logits.append(self.logits(batch))
            truth.append(np.asarray(batch.truth))
            weights.append(batch.weight)
        heavy = joined_weights(weights, [len(one) for one in logits])
        self.probabilities_, said = calibrated(
            np.concatenate(logits), np.concatenate(truth), heavy, self.calibrated_class()
        )
        self.facts = {**self.facts, "calibration": said}

    def calibrated_class(self) -> int | None:
        """Return the only class whose probabilities are made right, None for all: of the others an order is kept."""
        return None

    def score(self, batch: Batch) -> Scores:
        """Return probabilities (n, classes). Raises SchemaError for another schema than that of the fit."""
        self.schema_.require(batch.schema, f"the scorer {self.name}")
        if not len(batch):
            return np.empty((0, len(self.outputs)))
        return self.probabilities_.of(self.logits(batch)).astype(float)

    def explain(self, batch: Batch, output: str) -> Any:
        """Return Packed of the shape of the values: how much less the log odds of a class are without a particle, the
        same for all features of it. It scores a jet as often as it has particles."""
        column = self.outputs.index(output)
        groups = batch.packed.groups
        found = {name: np.zeros_like(group.values, float) for name, group in groups.items()}
        before = log_odds(self.score(batch)[:, column])
        for jet in range(len(batch)):
            for names in same_particles(groups):
                own = slice(*groups[names[0]].offsets[jet : jet + 2])
                after = log_odds(self.score(_each_left_out(batch, jet, names))[:, column])
                for name in names:
                    found[name][own] = np.nan_to_num(before[jet] - after)[:, None]
        return Packed({name: Group(found[name], group.offsets) for name, group in groups.items()})

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        arrays = self.to_arrays() | arrays_of(self.probabilities_, CALIBRATION)
        settings: Any = self
        write_folder(folder, self.schema_, asdict(settings), arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.facts, scorer.messages = {}, []
        scorer.probabilities_ = part_of(Probabilities, arrays, CALIBRATION)
        scorer.take_arrays(arrays, folder)
        return scorer

    def learn(self, source: Source) -> None:
        """Learn from jets whose class is known."""
        raise NotImplementedError

    def logits(self, batch: Batch) -> Floats:
        """Return (n, classes) log probabilities but for a number for each jet; NaN for a jet without particles."""
        raise NotImplementedError

    def to_arrays(self) -> dict[str, Array]:
        """Return what was learned as arrays by name."""
        raise NotImplementedError

    def take_arrays(self, arrays: Mapping[str, Array], folder: Path) -> None:
        """Take what `to_arrays` returned."""
        raise NotImplementedError


def names_of(given: Any) -> tuple[str, ...]:
    """Return names that were given as a list, or with commas between them, as on the command line."""
    return tuple(name.strip() for name in given.split(",") if name.strip()) if isinstance(given, str) else tuple(given)


def _each_left_out(batch: Batch, jet: int, names: list[str]) -> Batch:
    """Return a jet as often as it has particles in some groups, each time without another one of them."""
    one = batch[np.array([jet])]
    count = int(one.packed.groups[names[0]].lengths[0])
    many = one[np.zeros(count, np.int64)]
    rest = ~np.eye(count, dtype=bool)
    groups = dict(many.packed.groups)
    for name in names:
        groups[name] = Group.of_lengths(groups[name].values[rest.ravel()], np.full(count, count - 1))
    return many.with_values(Packed(groups))
