"""Which columns of a table of events say something, and on what scale; what is booked of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any, Self, TypeVar

import numpy as np

from lynkeus.core import Array, Book, Floats, Plot, SchemaError

Events = Mapping[str, Array]
Item = TypeVar("Item", bound=Hashable)
BINS, BINS_OF_PAIR = 60, 30
MOST_PAIRED = 4  # columns of which all pairs are booked
MOST_GROUPS = 40
WIDE_RANGE = 30.0  # ratio of the 99 % to the 1 % quantile from which a positive column is logarithmic
MOST_WHOLE = 60  # different whole numbers that have a bin each
MOST = 0.9  # of the good runs have what is judged; the others are left out
TAIL = 0.0005  # of the events beyond either end of an axis, before it is widened


@dataclass(frozen=True)
class Scale:
    """Which columns are on a logarithmic scale (positive, of a wide range), and which hold whole numbers."""

    log: tuple[bool, ...]
    whole: tuple[bool, ...]

    @classmethod
    def fit(cls, values: Floats) -> Self:
        """Learn from pooled events (n, c)."""
        pooled = [_finite(column) for column in values.T]
        return cls(tuple(map(_is_wide, pooled)), tuple(map(_is_whole, pooled)))

    def of(self, values: Floats) -> Floats:
        """Return events (n, c) with the decimal logarithm where the scale is logarithmic; NaN where there is none."""
        scaled = np.array(values, float)
        for column in np.flatnonzero(self.log):
            positive = values[:, column] > 0
            scaled[:, column] = np.log10(values[:, column], out=np.full(len(values), np.nan), where=positive)
        return scaled


@dataclass(frozen=True)
class EventColumns:
    """`names` of the columns of numbers that are judged, on their `scale`; `group`: column of text whose values are the
    `groups` (pulse classes), '' where there is none; `left_out`: column to reason; `tree`: the one of a ROOT file, '':
    the largest."""

    names: tuple[str, ...]
    scale: Scale
    group: str = ""
    groups: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    tree: str = ""

    @classmethod
    def fit(cls, runs: Sequence[Events], group: str = "") -> Self:
        """Learn from events of some good runs: of columns that most of them have, as numbers or as text.

        Raises SchemaError where no column is left, or `group` is none.
        """
        every = dict(in_most([_kinds(run).items() for run in runs]))
        left_out = {name: "is not in most runs, or not as numbers" for run in runs for name in run if name not in every}
        whole = [run for run in runs if every.items() <= _kinds(run).items()]
        if group and group not in every:
            raise SchemaError(f"the column of groups {group!r} is not in the runs; they have {', '.join(every)}")
        text = [name for name, is_text in every.items() if is_text]
        chosen, groups = _groups(whole, [group] if group else text)
        kept = []
        for name in every:
            why = "is text" if name in text else _useless([np.asarray(run[name]) for run in whole])
            if name == chosen:
                continue
            if why:
                left_out[name] = why
            else:
                kept.append(name)
        if not kept:
            there = ", ".join(every) or ", ".join(sorted(runs[0])) + ", and they differ from run to run"
            raise SchemaError(f"no column that the runs share holds numbers that vary; columns are {there}")
        pooled = np.stack([np.concatenate([np.asarray(run[name], float) for run in whole]) for name in kept], axis=1)
        return cls(tuple(kept), Scale.fit(pooled), chosen, groups, left_out)

    def problem(self, events: Events) -> str:
        """Return why these columns cannot be taken from a table; '' where they can."""
        lacking = [name for name in (*self.names, self.group) if name and name not in events]
        if lacking:
            return (
                f"lacks the column {', '.join(map(repr, lacking[:5]))}, which the good runs have; it has "
                f"{', '.join(list(events)[:20]) or 'none'}"
            )
        text = [name for name in self.names if is_text(events[name])]
        return f"the column {text[0]!r} holds text, not numbers; mend the file" if text else ""

    def values(self, events: Events) -> Floats:
        """Return the values (n, c) in float64; infinite ones are missing."""
        if not self.names:
            return np.empty((0, 0))
        values = np.stack([np.asarray(events[name], float) for name in self.names], axis=1)
        values[np.isinf(values)] = np.nan
        return values

    def group_of(self, events: Events) -> Array:
        """Return the group (n,) of each event as text; '' where there are no groups."""
        if not self.group:
            return np.full(len(next(iter(events.values()), ())), "")
        return np.asarray(events[self.group]).astype(str)

    def book(self, values: Floats, group: Array) -> Book:
        """Plots of pooled good events: every column of every group, and pairs of the first columns."""
        plots: list[Plot] = []
        log, whole = self.scale.log, self.scale.whole
        for name in self.groups or ("",):
            own = values[group == name] if self.groups else values
            axes = [_axis(own[:, k], log[k], whole[k]) for k in range(len(self.names))]
            fine = [k for k, axis in enumerate(axes) if axis]
            title = f"{name} " if name else ""
            for k in fine:
                plots.append(Plot(title + self.names[k], (self.names[k],), (axes[k],), name, (log[k],)))
            paired = [k for k in fine if not whole[k]][:MOST_PAIRED]
            for i, j in combinations(paired, 2):
                x, y = (_axis(own[:, k], log[k], False, BINS_OF_PAIR) for k in (i, j))
                both = (self.names[i], self.names[j])
                plots.append(Plot(f"{title}{both[0]} : {both[1]}", both, (x, y), name, (log[i], log[j])))
        return Book(tuple(plots))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Inverse of `to_dict`, also after a round trip through JSON."""
        scale = Scale(tuple(fields["scale"]["log"]), tuple(fields["scale"]["whole"]))
        groups, tree = tuple(fields["groups"]), fields.get("tree", "")
        return cls(tuple(fields["names"]), scale, fields["group"], groups, fields["left_out"], tree)


NO_COLUMNS = EventColumns((), Scale((), ()))  # of runs of histograms


def is_text(column: Array) -> bool:
    """Return whether a column holds text."""
    return column.dtype.kind in "USO"


def in_most(runs: Sequence[Iterable[Item]], share: float = MOST) -> list[Item]:
    """Return what is in more than this share of the runs, in the order of the first that has it."""
    counted = Counter(item for run in runs for item in run)
    return [item for item, times in counted.items() if times > share * len(runs)]


def _kinds(events: Events) -> dict[str, bool]:
    """Return for the name of each column whether it is text."""
    return {name: is_text(column) for name, column in events.items()}


def _groups(runs: Sequence[Events], candidates: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The first column of few different texts, and these."""
    for name in candidates:
        values = {str(text) for run in runs for text in np.unique(np.asarray(run[name]).astype(str))}
        if 1 < len(values) <= MOST_GROUPS:
            return name, tuple(sorted(values))
    return "", ()


def _useless(runs: list[Array]) -> str:
    """Return why a column says nothing of populations; '' where it does."""
    pooled = _finite(np.concatenate([np.asarray(run, float) for run in runs]))
    if not len(pooled):
        return "has no values"
    if pooled.min() == pooled.max():
        return "never changes"
    long = [run for run in runs if len(run) > 2]
    if long and all((run == run[0]).all() for run in long):
        return "is constant within each run"
    if long and all((np.diff(np.asarray(run, float)) >= 0).all() for run in long):
        return "rises from event to event, as a time or the number of a section does"
    return ""


def _finite(values: Floats) -> Floats:
    return values[np.isfinite(values)]


def _is_wide(values: Floats) -> bool:
    low, middle, high = np.quantile(values, [0.01, 0.5, 0.99])
    mostly_positive = (values > 0).mean() > 0.999
    return bool(mostly_positive and low > 0 and (high / low > WIDE_RANGE or high / middle > 0.5 * WIDE_RANGE))


def _is_whole(values: Floats) -> bool:
    different = np.unique(values[:100_000])
    return bool(len(different) <= MOST_WHOLE and (different == np.rint(different)).all())


def _axis(values: Floats, log: bool, whole: bool, bins: int = BINS) -> tuple[float, ...]:
    """Bin edges, evenly spaced on the scale of the axis; () for a column without a range here."""
    known = _finite(values)
    known = known[known > 0] if log else known
    if len(known) < 2 or known.min() == known.max():
        return ()
    if whole:
        low, high = np.floor(known.min()), np.ceil(known.max())
        if high - low < MOST_WHOLE:
            return tuple(float(edge) for edge in np.arange(low - 0.5, high + 1.0))
    known = np.log10(known) if log else known
    low, high = np.quantile(known, [TAIL, 1 - TAIL])
    wider = 0.05 * (high - low) or 0.5
    edges = np.linspace(low - wider, high + wider, bins + 1)
    return tuple(float(edge) for edge in (10.0**edges if log else edges))
