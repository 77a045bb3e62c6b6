"""ByCollections: what taggers share that read the leading particles, tracks and vertices of a jet in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from lynkeus.core import Array, Batch, Packed, Source
from lynkeus.scorers.taggers.collections import Scales, collections, present
from lynkeus.scorers.taggers.inputs import particles_of
from lynkeus.scorers.taggers.network import DEFAULTS, NetworkTagger
from lynkeus.scorers.taggers.tagger import names_of
from lynkeus.training import TrainSettings

SCALES = "scales_"


@dataclass
class ByCollections(NetworkTagger):
    """A tagger that reads those of the groups `wanted` that the jets have; learned besides: `scales_`.

    Settings: see ParticleNet.
    """

    defaults: ClassVar[TrainSettings] = DEFAULTS.replaced({"learning_rate": 1e-3})
    wanted: ClassVar[tuple[str, ...]] = ()
    classes: Any = ()
    reweight: str = "classes"
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.classes = names_of(self.classes)
        self.first_form_ = False

    def in_first_form(self, arrays: Mapping[str, Array]) -> bool:
        """Return whether saved weights are of the network as it was before it was brought to the published one."""
        return False

    def look(self, source: Source) -> None:
        """Learn centre and spread of all features."""
        self.scales_ = Scales.fit(source, tuple(present(source.schema.names, self.wanted)))

    def inputs_of(self, batch: Batch) -> Packed:
        """Return the groups that the network reads, in spreads from their medians."""
        return self.scales_.of(collections(batch, self.scales_.names))

    def count(self, batch: Batch, inputs: Packed) -> Array:
        """Return (n,) how many particles each jet has, read or not: that it has no track says something of it."""
        return particles_of(batch.packed.groups)

    def to_arrays(self) -> dict[str, Array]:
        """Return weights and scales."""
        found = super().to_arrays()
        for what in ("centre", "spread"):
            each = zip(self.scales_.names, getattr(self.scales_, what), strict=True)
            found |= {f"{SCALES}{name}.{what}": array for name, array in each}
        return found

    def take_arrays(self, arrays: Mapping[str, Array], folder: Path) -> None:
        """Take weights and scales. Raises ModelError naming what is damaged."""
        names = tuple(present(self.schema_.names, self.wanted))
        centre, spread = (tuple(arrays[f"{SCALES}{name}.{what}"] for name in names) for what in ("centre", "spread"))
        self.scales_ = Scales(names, centre, spread)
        self.first_form_ = self.in_first_form(arrays)
        super().take_arrays(arrays, folder)
