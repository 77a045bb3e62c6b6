"""DeepCSV and DeepJet: taggers of the flavour of jets, b and c quarks against light ones and gluons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from torch import nn

from lynkeus.core import About, Batch, Group, Packed
from lynkeus.networks.taggers.deep.collections import Collection
from lynkeus.networks.taggers.deep.csv import DeepCSV, DeepCSVSizes
from lynkeus.networks.taggers.deep.jet import DeepJet, published
from lynkeus.scorers.taggers.network import DEFAULTS, NetworkTagger
from lynkeus.scorers.taggers.tagger import names_of
from lynkeus.training import TrainSettings
from lynkeus.transforms.jets.flavour import GROUPS, flavour_groups
from lynkeus.transforms.jets.four_vectors import columns_of

TRACKS, VERTICES = 6, 1  # that DeepCSV reads


class FlavourTagger(NetworkTagger):
    """What both share: settings, and groups in order: those that a layout makes under the names of GROUPS, as they
    are, else those of `flavour_groups`."""

    classes: Any

    def __post_init__(self) -> None:
        self.classes = names_of(self.classes)

    def inputs_of(self, batch: Batch) -> Packed:
        """See the class."""
        if not _by_layout(batch.schema.names):
            return flavour_groups(batch)
        return Packed({name: _finite(batch.packed.groups[name]) for name in GROUPS})

    def features_of(self, names: tuple[str, ...]) -> dict[str, int]:
        """Return how many features each group has."""
        given = columns_of(names) if _by_layout(names) else GROUPS
        return {name: len(given[name]) for name in GROUPS}


@dataclass
class DeepCsvTagger(FlavourTagger):
    """Numbers of the jet, its six most displaced tracks and its most displaced vertex, through five dense layers.

    `classes`: which to tell apart, () all; `reweight`: see `training_weight`; `training`: see TrainSettings.
    """

    name: ClassVar[str] = "deepcsv"
    about: ClassVar[About] = About(
        ("cloud",), True, "particles left out", "a minute", labels="classes", weights=True, tags=True,
    )  # fmt: skip
    defaults: ClassVar[TrainSettings] = replace(DEFAULTS, learning_rate=2e-3, schedule="cycle", average=0.0)
    classes: Any = ()
    reweight: str = "flat"
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def make_network(self, names: tuple[str, ...], classes: int) -> nn.Module:
        """See `NetworkTagger`."""
        of = self.features_of(names)
        read = Collection("charged", of["charged"], TRACKS), Collection("vertices", of["vertices"], VERTICES)
        return DeepCSV(classes, DeepCSVSizes(of["global"], read))


@dataclass
class DeepJetTagger(FlavourTagger):
    """Up to 25 tracks, 25 neutral particles and 4 vertices, each collection through 1x1 convolutions and an LSTM.

    The rest: see DeepCsvTagger.
    """

    name: ClassVar[str] = "deepjet"
    about: ClassVar[About] = About(
        ("cloud",), True, "particles left out", "minutes", labels="classes", weights=True, tags=True,
    )  # fmt: skip
    defaults: ClassVar[TrainSettings] = replace(DEFAULTS, epochs=12, learning_rate=2e-3, schedule="cycle", average=0.0)
    classes: Any = ()
    reweight: str = "flat"
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def make_network(self, names: tuple[str, ...], classes: int) -> nn.Module:
        """See `NetworkTagger`."""
        of = self.features_of(names)
        return DeepJet(classes, published(of["global"], of["charged"], of["neutral"], of["vertices"]))


def _by_layout(names: tuple[str, ...]) -> bool:
    """Return whether a cloud with these names has all groups of a tagger of flavour as a layout made them."""
    return set(GROUPS) <= set(columns_of(names))


def _finite(group: Group) -> Group:
    return Group(np.nan_to_num(group.values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0), group.offsets)
