"""SizedTagger: what taggers of raw particles share, whose networks come in sizes by name and in any others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, ClassVar

from torch import nn

from lynkeus.core import Batch, Packed, SettingsError
from lynkeus.scorers.taggers.inputs import features_of, network_inputs
from lynkeus.scorers.taggers.network import NetworkTagger, one_of
from lynkeus.scorers.taggers.tagger import names_of


@dataclass
class SizedTagger(NetworkTagger):
    """`size`: by name, of `known_sizes`; `network`: what of its sizes is otherwise, by the names that they have.

    `classes`: which to tell apart, () all; `reweight`: see `training_weight`; `training`: see TrainSettings.
    """

    known_sizes: ClassVar[Mapping[str, Any]] = {}
    made: ClassVar[Any] = None  # what makes the network of features, classes and sizes
    classes: Any = ()
    size: str = "lite"
    reweight: str = "classes"
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.classes = names_of(self.classes)
        one_of(self.size, self.known_sizes, "size")
        assert self.sizes is not None

    @property
    def sizes(self) -> Any:
        """Return the sizes of the network."""
        base = self.known_sizes[self.size]
        known = [one.name for one in fields(base)]
        unknown = sorted(set(self.network) - set(known))
        if unknown:
            raise SettingsError(f"network: no size {', '.join(unknown)}; there are: {', '.join(known)}")
        return replace(base, **{name: _tuples(value) for name, value in self.network.items()})

    def make_network(self, names: tuple[str, ...], classes: int) -> nn.Module:
        """See `NetworkTagger`."""
        network: nn.Module = self.made(len(features_of(names)), classes, self.sizes)
        return network

    def inputs_of(self, batch: Batch) -> Packed:
        """See `network_inputs`."""
        return network_inputs(batch)

    @classmethod
    def of_sizes(cls, sizes: Any) -> SizedTagger:
        """Return one of these sizes, untrained: of those with a name where they are, else with what differs."""
        best: dict[str, Any] | None = None
        name = ""
        for size, known in cls.known_sizes.items():
            differs = {key: value for key, value in asdict(sizes).items() if value != getattr(known, key)}
            if best is None or len(differs) < len(best):
                best, name = differs, size
        return cls(size=name, network=best or {})


def _tuples(value: Any) -> Any:
    """Return nested lists, as JSON has them, as tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
