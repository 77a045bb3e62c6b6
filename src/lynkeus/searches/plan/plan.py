"""Plan: samples, processes, regions, systematics and mass points of a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lynkeus.searches.plan.files import File
from lynkeus.transforms.expressions import Expression

WEIGHTS, COLUMNS, FILES, SIZE = "weights", "columns", "files", "size"
WAYS = ("up", "down")
REFUSE, LEAVE_OUT = "refuse", "leave out"
PROBABILITY = "p_"  # before the name of a class: its probability, in cuts


@dataclass(frozen=True)
class Samples:
    """Where events are: `simulation`, `data`, `training`, or a `model` that is learned already (training is then
    compared with what is searched); how files are read (`layout`, `labels`, `weights`: "" the column
    `weight` where there is one); `select` for all of them."""

    simulation: tuple[File, ...]
    data: File
    training: tuple[File, ...] = ()
    model: str = ""
    layout: str = ""
    labels: str = "process"
    weights: str = ""
    select: Expression | None = None


@dataclass(frozen=True)
class Region:
    """Events whose most probable class is `of_class` ("": any) and that pass the `cut`; `signal`: where the signal is
    looked for, in at most `bins` bins of its probability."""

    name: str
    of_class: str = ""
    cut: Expression | None = None
    signal: bool = False
    bins: int = 1


@dataclass(frozen=True)
class Systematic:
    """`kind`: weights (columns `weight_NAME_up`), columns (`COLUMN_NAME_up`), files (other simulations, by way), or
    size (a share of the yields); of all `processes`, or of some."""

    name: str
    kind: str
    size: float = 0.0
    files: Mapping[str, File] = field(default_factory=dict)
    processes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Point:
    """A mass point: its name, and the values of the parameters of the classifier."""

    name: str
    values: tuple[float, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A search: `signal` process; backgrounds `normalised` to data, and `fixed` ones with the share that they are
    uncertain by; `classifier`: options of search_classifier. `uncovered`: what to do with data in no region; `toys`
    for limits (0: asymptotic formulae); `given`: the whole file, as the record keeps it."""

    name: str
    samples: Samples
    signal: str
    normalised: tuple[str, ...]
    fixed: Mapping[str, float]
    regions: tuple[Region, ...]
    systematics: tuple[Systematic, ...]
    points: tuple[Point, ...]
    parameters: tuple[str, ...]
    inputs: tuple[str, ...]
    classifier: Mapping[str, Any]
    seed: int
    toys: int
    uncovered: str
    given: Mapping[str, Any]

    @property
    def processes(self) -> tuple[str, ...]:
        """Return the signal, then the backgrounds."""
        return (self.signal, *self.normalised, *self.fixed)

    @property
    def backgrounds(self) -> tuple[str, ...]:
        """Return those that are normalised to data, then the fixed ones."""
        return (*self.normalised, *self.fixed)

    @property
    def controls(self) -> tuple[Region, ...]:
        """Return the regions whose data are looked at."""
        return tuple(region for region in self.regions if not region.signal)

    @property
    def signal_regions(self) -> tuple[Region, ...]:
        """Return the regions that stay blind."""
        return tuple(region for region in self.regions if region.signal)
