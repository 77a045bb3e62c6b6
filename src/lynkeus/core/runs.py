"""What is booked, asked and answered about a run: plots, changes of populations, and the record that the pages show.

A run is a set of events (a Batch of kind cloud, one sample per run) or a set of histograms (a Batch of kind histogram,
one sample per run: the bins of all its plots in a row).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np

from lynkeus.core.alarm import Verdict
from lynkeus.core.batch import Batch, Floats, Schema
from lynkeus.core.errors import SchemaError

KINDS_OF_CHANGE = ("none", "shifted", "gone", "new")
Region = Mapping[str, tuple[float, float]]  # of each variable that matters: from, to


@dataclass(frozen=True)
class Plot:
    """A histogram as booked: `edges` of the axis of each of its `variables`; `group`: the pulse class it belongs to.

    Every axis has an underflow bin before its first edge and an overflow bin after its last one. `log`: whether an axis
    is drawn so. Raises SchemaError for edges that do not rise.
    """

    name: str
    variables: tuple[str, ...]
    edges: tuple[tuple[float, ...], ...]
    group: str = ""
    log: tuple[bool, ...] = ()
    unit: str = ""

    def __post_init__(self) -> None:
        for variable, edges in zip(self.variables, self.edges, strict=True):
            if len(edges) < 2 or not (np.diff(edges) > 0).all():
                raise SchemaError(f"plot {self.name!r}: the bin edges of {variable!r} must rise, and be two or more")

    @property
    def shape(self) -> tuple[int, ...]:
        """Bins per axis, underflow and overflow among them."""
        return tuple(len(edges) + 1 for edges in self.edges)

    @property
    def bins(self) -> int:
        """Bins in all."""
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class Book:
    """The plots of every run, in the order in which their bins follow each other in a row.

    Raises SchemaError where two plots have one name.
    """

    plots: tuple[Plot, ...]

    def __post_init__(self) -> None:
        names = [plot.name for plot in self.plots]
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise SchemaError(f"two plots have the same name: {', '.join(map(repr, twice[:5]))}")

    @property
    def schema(self) -> Schema:
        """Of batches of such runs: `names` of the plots, `edges` of each axis of each."""
        names = tuple(plot.name for plot in self.plots)
        units = tuple(plot.unit for plot in self.plots)
        return Schema("histogram", names, units, (sum(plot.bins for plot in self.plots),), edges=self.edges)

    @property
    def edges(self) -> tuple[tuple[tuple[float, ...], ...], ...]:
        """Of each axis of each plot."""
        return tuple(plot.edges for plot in self.plots)

    def slices(self) -> list[slice]:
        """Where the bins of each plot are in a row."""
        ends = np.cumsum([0, *(plot.bins for plot in self.plots)])
        return [slice(int(a), int(b)) for a, b in pairwise(ends)]

    def to_list(self) -> list[dict[str, Any]]:
        """As plain JSON types."""
        return [asdict(plot) for plot in self.plots]

    @classmethod
    def from_list(cls, plots: Sequence[Mapping[str, Any]]) -> Self:
        """Inverse of `to_list`, also after a round trip through JSON."""
        return cls(tuple(_plot(fields) for fields in plots))


def _plot(fields: Mapping[str, Any]) -> Plot:
    edges = tuple(tuple(axis) for axis in fields["edges"])
    return Plot(**{**fields, "variables": tuple(fields["variables"]), "edges": edges, "log": tuple(fields["log"])})


class Change(NamedTuple):
    """What happened to a population: `kind` "none" (stable), "shifted", "gone" or "new"; `sigma`: how sure.

    `size`: shifted: by how much, as a ratio where `unit` is "x", else in `unit`; gone: the share that is missing; new:
    events. `where` in words; `region`: from, to in each variable that matters, to outline it in the plots of
    its `group`.
    """

    kind: str
    population: str
    variable: str = ""
    where: str = ""
    size: float = 0.0
    unit: str = ""
    sigma: float = 0.0
    region: Region = MappingProxyType({})
    group: str = ""


class Judged(NamedTuple):
    """A run as a Judging scorer sees it. `p_value`: how often a good run of its size looks this bad in any plot, any
    bin (NaN: not enough data); `changes`: every population, the most conspicuous first; `reason` in a sentence."""

    score: float
    p_value: float
    changes: tuple[Change, ...]
    reason: str

    @property
    def chief(self) -> Change:
        """The change that matters most; of kind none where there is no population."""
        return self.changes[0] if self.changes else Change("none", "")


@runtime_checkable
class Judging(Protocol):
    """A Scorer of runs that says which population changed, how, and how rare that is."""

    def judge(self, batch: Batch) -> list[Judged]: ...


@dataclass(frozen=True)
class PlotRecord:
    """One plot of one run: (bins,) `counts`, what is `expected` of a good run of its size, the band `low` to `high`
    of good runs (16 to 84 %), `pulls` in sigmas; `sigma`: how conspicuous the plot is as a whole."""

    plot: Plot
    counts: Floats
    expected: Floats
    low: Floats
    high: Floats
    pulls: Floats
    sigma: float
    flagged: bool = False
    region: Region = field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    """One run as it was judged: the row of the table of verdicts, and its plots for the page.

    `verdict` GOOD, WARN, BAD or NOT ENOUGH DATA; `change` the chief one, `changes` of every population.
    """

    run: str
    verdict: Verdict
    p_value: float
    score: float
    changes: tuple[Change, ...]
    reason: str
    events: float
    model: str = ""
    start_ns: int | None = None
    messages: tuple[str, ...] = ()
    plots: tuple[PlotRecord, ...] = field(default=(), repr=False)

    @property
    def change(self) -> Change:
        """The chief change; of kind none in a run that is good."""
        flagged = self.verdict in (Verdict.WARN, Verdict.BAD)
        return self.changes[0] if flagged and self.changes else Change("none", "")

    def without_plots(self) -> RunRecord:
        """For lists of many runs."""
        return replace(self, plots=())

    def to_dict(self) -> dict[str, Any]:
        """All but the plots, as plain JSON types (NaN as None)."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "plots"}
        changes = [change._asdict() | {"region": dict(change.region)} for change in self.changes]
        numbers = {name: _number(fields[name]) for name in ("p_value", "score", "events")}
        return fields | numbers | {"verdict": self.verdict.value, "changes": changes, "messages": list(self.messages)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any], plots: tuple[PlotRecord, ...] = ()) -> Self:
        """Inverse of `to_dict`."""
        numbers = {
            name: float("nan") if fields[name] is None else fields[name] for name in ("p_value", "score", "events")
        }
        changes = tuple(_change(change) for change in fields["changes"])
        given = {"verdict": Verdict(fields["verdict"]), "changes": changes, "messages": tuple(fields["messages"])}
        return cls(**{**fields, **numbers, **given, "plots": plots})


def _change(fields: Mapping[str, Any]) -> Change:
    return Change(**{**fields, "region": {name: (low, high) for name, (low, high) in fields["region"].items()}})


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
