"""What is booked and answered about a run: its plots, and the record that the pages show.

A run is a set of events (a Batch of kind cloud, one sample per run) or a set of histograms (a Batch of kind histogram,
one sample per run: the bins of all its plots in a row).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any, Self

import numpy as np

from lynkeus.core.alarm import Verdict
from lynkeus.core.batch import Floats, Schema
from lynkeus.core.errors import SchemaError
from lynkeus.core.finding import NOTHING, Finding, Region

KINDS_OF_CHANGE = ("none", "shifted", "gone", "new", "changed")
NEW_LABEL = "labels that no good run has"  # the last one of an axis with labels: its bin is empty in good runs
OPTIONAL = ("labels", "profile")  # fields of a Plot that most do not have
OF_FINDING = ("says", "like")  # fields of a Finding that a record of a run does not hold


@dataclass(frozen=True)
class Plot:
    """A histogram as booked: `edges` of the axis of each of its `variables`; `group`: the pulse class it belongs to.

    Every axis has an underflow bin before its first edge and an overflow bin after its last one. `log`: whether an axis
    is drawn so. `labels`: of the bins of an axis between the flow bins, () for an axis of numbers. `profile`: of the
    plot of a profile the mean of good runs in each bin, and the standard deviation of an entry. Raises SchemaError for
    edges that do not rise.
    """

    name: str
    variables: tuple[str, ...]
    edges: tuple[tuple[float, ...], ...]
    group: str = ""
    log: tuple[bool, ...] = ()
    unit: str = ""
    labels: tuple[tuple[str, ...], ...] = ()
    profile: tuple[tuple[float, ...], ...] = ()

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
        """Return the number of bins of all axes together, flow bins included."""
        return int(np.prod(self.shape))

    def named(self, axis: int) -> tuple[str, ...]:
        """Return the labels of the bins of an axis; () for an axis of numbers."""
        return self.labels[axis] if axis < len(self.labels) else ()

    def with_new(self, new: Sequence[Sequence[str]]) -> Plot:
        """Return the plot with the `new` labels of one run on each axis in place of NEW_LABEL."""
        named = [
            (*own[:-1], f"{', '.join(there[:3])}{' and more' if there[3:] else ''} (new)") if there and own else own
            for own, there in zip(self.labels, new, strict=True)
        ]
        return replace(self, labels=tuple(named))


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
        """Return the schema of batches of such runs: `names` of the plots, `edges` of each axis of each."""
        names = tuple(plot.name for plot in self.plots)
        units = tuple(plot.unit for plot in self.plots)
        return Schema("histogram", names, units, (sum(plot.bins for plot in self.plots),), edges=self.edges)

    @property
    def edges(self) -> tuple[tuple[tuple[float, ...], ...], ...]:
        """Return the edges of each axis of each plot."""
        return tuple(plot.edges for plot in self.plots)

    def slices(self) -> list[slice]:
        """Return where the bins of each plot are in a row."""
        ends = np.cumsum([0, *(plot.bins for plot in self.plots)])
        return [slice(int(a), int(b)) for a, b in pairwise(ends)]

    def to_list(self) -> list[dict[str, Any]]:
        """Return plain JSON types."""
        fields = [asdict(plot) for plot in self.plots]
        return [{name: value for name, value in own.items() if name not in OPTIONAL or value} for own in fields]

    @classmethod
    def from_list(cls, plots: Sequence[Mapping[str, Any]]) -> Self:
        """Inverse of `to_list`, also after a round trip through JSON."""
        return cls(tuple(_plot(fields) for fields in plots))


def _plot(fields: Mapping[str, Any]) -> Plot:
    edges = tuple(tuple(axis) for axis in fields["edges"])
    given = {"variables": tuple(fields["variables"]), "edges": edges, "log": tuple(fields["log"])}
    return Plot(**{**fields, **given, **{name: tuple(map(tuple, fields.get(name, ()))) for name in OPTIONAL}})


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
    changes: tuple[Finding, ...]
    reason: str
    events: float
    model: str = ""
    start_ns: int | None = None
    messages: tuple[str, ...] = ()
    plots: tuple[PlotRecord, ...] = field(default=(), repr=False)

    @property
    def change(self) -> Finding:
        """The chief change; of kind none in a run that is good."""
        flagged = self.verdict in (Verdict.WARN, Verdict.BAD)
        return self.changes[0] if flagged and self.changes else NOTHING

    def to_dict(self) -> dict[str, Any]:
        """All but the plots, as plain JSON types (NaN as None)."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "plots"}
        changes = [_plain(change) for change in self.changes]
        numbers = {name: _number(fields[name]) for name in ("p_value", "score", "events")}
        return fields | numbers | {"verdict": self.verdict.value, "changes": changes, "messages": list(self.messages)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any], plots: tuple[PlotRecord, ...] = ()) -> Self:
        """Rebuild it from what `to_dict` returned."""
        numbers = {
            name: float("nan") if fields[name] is None else fields[name] for name in ("p_value", "score", "events")
        }
        changes = tuple(_change(change) for change in fields["changes"])
        given = {"verdict": Verdict(fields["verdict"]), "changes": changes, "messages": tuple(fields["messages"])}
        return cls(**{**fields, **numbers, **given, "plots": plots})


def _plain(change: Finding) -> dict[str, Any]:
    fields = change._asdict() | {"region": dict(change.region)}
    return {name: value for name, value in fields.items() if name not in OF_FINDING}


def _change(fields: Mapping[str, Any]) -> Finding:
    return Finding(**{**fields, "region": {name: (low, high) for name, (low, high) in fields["region"].items()}})


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
