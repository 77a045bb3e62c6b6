"""DeepCSV and DeepJet: taggers of the flavour of jets, b and c quarks against light ones and gluons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from torch import nn

from lynkeus.core import About, Batch, Packed
from lynkeus.networks.taggers.deep.collections import Collection
from lynkeus.networks.taggers.deep.csv import DeepCSV, DeepCSVSizes
from lynkeus.networks.taggers.deep.jet import DeepJet, published
from lynkeus.scorers.taggers.network import DEFAULTS, NetworkTagger
from lynkeus.scorers.taggers.tagger import names_of
from lynkeus.training import TrainSettings
from lynkeus.transforms.jets.flavour import GROUPS, flavour_groups

LENGTH = {name: len(features) for name, features in GROUPS.items()}
TRACKS, VERTICES = 6, 1  # that DeepCSV reads


class FlavourTagger(NetworkTagger):
    """What both share: settings, and the groups of `flavour_groups`, which come in order."""

    classes: Any

    def __post_init__(self) -> None:
        self.classes = names_of(self.classes)

    def inputs_of(self, batch: Batch) -> Packed:
        """See `flavour_groups`."""
        return flavour_groups(batch)


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
        read = Collection("charged", LENGTH["charged"], TRACKS), Collection("vertices", LENGTH["vertices"], VERTICES)
        return DeepCSV(classes, DeepCSVSizes(LENGTH["global"], read))


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
        return DeepJet(classes, published(LENGTH["global"], LENGTH["charged"], LENGTH["neutral"], LENGTH["vertices"]))
