"""Flatlines: channels that are dead or stuck, as they give nothing new for far longer than ever in the reference.

Scorers fill what is missing, and most judge windows one by one: a channel that stands still where it often is looks
good to them. So it is looked for in the rows themselves, whatever the scorer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Batch, Floats

LEAST = 20  # rows
TIMES = 3  # what repeats by chance for `longest` in n rows, repeats for so many times that once in n^2
FEWEST = 30  # new values of a channel in the reference, that say how long it repeats one
MOST_FOUND = 100_000
CHUNK = 4096  # rows at once
FOLLOWED = ("last", "since", "since_ns", "longest", "count")  # arrays of a state, by channel
OF_WAVEFORM = 16  # points of a waveform that are looked at
PROBE = 10  # every flatline holds two rows that are so far apart


@dataclass(frozen=True)
class Flatline:
    """A `channel` gives no new value from row `first` up to, and without, row `end`: the last `value` again, or none
    (NaN); `first_ns`, `last_ns`: the times of the first and of the last row, 0 where none are known."""

    channel: int
    first: int
    end: int
    value: float
    first_ns: int = 0
    last_ns: int = 0

    @property
    def rows(self) -> int:
        """Return how many rows it lasts."""
        return self.end - self.first


class Followed(NamedTuple):
    """Some channels in the rows of a batch (n, k): whether each value is `new`, in which row the last new one was
    (`since`), and that value, `latest`."""

    new: npt.NDArray[np.bool_]
    since: npt.NDArray[np.int64]
    latest: Floats


@dataclass
class Flatlines:
    """Follows the rows of a stream. `limit` (c,): rows without a new value that are a flatline; infinite: never one;
    `dead`: rows that are one where there was not a single value before. `found`: those that are over, at most
    MOST_FOUND; `longest_found`: of each channel, and `open`: those that go on, by channel. `pauses`: of a stream; rows
    without a single value do not count, as a stream that is lost is not so many dead channels, and rows that come far
    faster than they should, after a halt, count together."""

    limit: Floats
    dead: float = np.inf
    rows: int = 0
    last: Floats = field(init=False)
    since: npt.NDArray[np.int64] = field(init=False)
    since_ns: npt.NDArray[np.int64] = field(init=False)
    longest: npt.NDArray[np.int64] = field(init=False)
    count: npt.NDArray[np.int64] = field(init=False)
    found: list[Flatline] = field(default_factory=list)
    open: dict[int, Flatline] = field(default_factory=dict)
    longest_found: dict[int, Flatline] = field(default_factory=dict)
    pauses: bool = False

    def __post_init__(self) -> None:
        channels = len(self.limit)
        self.last = np.full(channels, np.nan)
        self.since, self.since_ns, self.longest, self.count = (np.zeros(channels, np.int64) for _ in range(4))

    @property
    def never(self) -> npt.NDArray[np.bool_]:
        """Return the channels (c,) without a single value in what was read, where anything was."""
        return np.isnan(self.last) & (self.rows > 0)

    @property
    def moving(self) -> npt.NDArray[np.bool_]:
        """Return the channels (c,) that gave one value after another, and no flatline now."""
        flat = np.zeros(len(self.limit), bool)
        flat[list(self.open)] = True
        return (self.count > 1) & ~flat

    @property
    def steady(self) -> Floats:
        """Return for how many rows at most a channel (c,) gave no new value; infinite where too few say it."""
        return np.where(self.count >= FEWEST, self.longest, np.inf)

    def state(self) -> dict[str, Array]:
        """Return what to go on from as arrays; what is over is forgotten."""
        flat = list(self.open.values())
        whole = np.array([(f.channel, f.first, f.end, f.first_ns, f.last_ns) for f in flat], np.int64).reshape(-1, 5)
        arrays = {name: getattr(self, name) for name in FOLLOWED}
        own = {"rows": np.array([self.rows]), "open": whole, "value": np.array([f.value for f in flat], float)}
        return {f"flat.{name}": array for name, array in (arrays | own).items()}

    def resume(self, arrays: Mapping[str, Array]) -> None:
        """Go on from a state, where there is one of as many channels."""
        known = {name: arrays.get(f"flat.{name}") for name in (*FOLLOWED, "rows", "open", "value")}
        if any(array is None for array in known.values()) or len(arrays["flat.last"]) != len(self.limit):
            return
        for name in FOLLOWED:
            setattr(self, name, arrays[f"flat.{name}"].copy())
        self.rows = int(arrays["flat.rows"][0])
        numbers, values = arrays["flat.open"].tolist(), arrays["flat.value"].tolist()
        self.open = {
            channel: Flatline(channel, first, end, value, first_ns, last_ns)
            for (channel, first, end, first_ns, last_ns), value in zip(numbers, values, strict=True)
        }

    def add(self, batch: Batch) -> None:
        """Look at the next rows, or waveforms."""
        values, time_ns = _one_number(batch), batch.time_ns
        if self.pauses and not (there := np.isfinite(values).any(axis=1)).all():
            values, time_ns = values[there], None if time_ns is None else time_ns[there]
        if self.pauses and time_ns is not None and batch.schema.sample_rate_hz:
            values, time_ns = _at_pace(values, time_ns, round(1e9 / batch.schema.sample_rate_hz))
        if not self.rows and time_ns is not None and len(time_ns):
            self.since_ns[:] = time_ns[0]
        for begin in range(0, len(values), CHUNK):
            part = values[begin : begin + CHUNK]
            times = np.zeros(len(part), np.int64) if time_ns is None else time_ns[begin : begin + CHUNK]
            asked = self._asked(part)
            self._follow(part[:, asked], asked, self.rows, times)
            rest = np.setdiff1d(np.arange(values.shape[1]), asked, assume_unique=True)
            if len(rest):  # they moved all the time: only how they end is needed
                tail = max(len(part) - PROBE, 0)
                self.since[rest], self.since_ns[rest] = self.rows + tail, times[tail]
                self._follow(part[tail:, rest], rest, self.rows + tail, times[tail:])
            self.rows += len(part)

    def _asked(self, values: Floats) -> npt.NDArray[np.intp]:
        """Return the channels that may be flat somewhere: those that are alike in two rows that are PROBE apart."""
        if not np.isfinite(self.dead) or len(values) < 2 * PROBE:
            return np.arange(values.shape[1])
        some = np.concatenate([self.last[None], values[PROBE - 1 :: PROBE]])
        fresh = np.isfinite(some[1:]) & (some[1:] != some[:-1])
        return np.union1d(np.flatnonzero(~fresh.all(axis=0)), np.array(list(self.open), np.intp))

    def _follow(self, values: Floats, channels: npt.NDArray[np.intp], first: int, times: npt.NDArray[np.int64]) -> None:
        """Follow the values (n, k) of some channels, of which the first is in row `first`."""
        if not len(channels):
            return
        seen = _new_values(values, self.last[channels], self.since[channels], first)
        length = np.arange(first, first + len(values))[:, None] - seen.since + 1
        self.longest[channels] = np.maximum(self.longest[channels], length.max(axis=0))
        ever = np.isfinite(self.last[channels]) | np.maximum.accumulate(seen.new, axis=0)
        flat = length >= np.where(ever, self.limit[channels], np.minimum(self.limit[channels], self.dead))
        for column in np.flatnonzero(flat.any(axis=0) | np.isin(channels, list(self.open))).tolist():
            self._note(int(channels[column]), flat[:, column], seen, column, _Rows(first, values, times))
        self.count[channels] += seen.new.sum(axis=0)
        here = seen.since[-1] - first
        self.since_ns[channels] = np.where(here >= 0, times[np.maximum(here, 0)], self.since_ns[channels])
        self.last[channels], self.since[channels] = seen.latest, seen.since[-1]

    def _note(self, channel: int, flat: npt.NDArray[np.bool_], seen: Followed, column: int, rows: _Rows) -> None:
        """Note where a flatline of a channel begins, goes on and ends in the next rows."""
        current = self.open.pop(channel, None)
        edges = np.diff(flat.astype(np.int8), prepend=np.int8(current is not None))
        for row in np.flatnonzero(edges).tolist():
            if current is None:
                since, value = int(seen.since[row, column]), float(rows.values[row, column])
                there = np.isfinite(self.last[channel]) or bool(seen.new[: row + 1, column].any())
                first = since + 1 if there and np.isnan(value) else since  # gone from the row after its last value on
                begun = rows.time_ns[first - rows.first] if first >= rows.first else self.since_ns[channel]
                current = Flatline(channel, first, first, value, int(begun), int(begun))
            else:
                last_ns = int(rows.time_ns[row - 1]) if row else current.last_ns
                self._is_over(replace(current, end=rows.first + row, last_ns=last_ns))
                current = None
        if current is not None:
            self.open[channel] = replace(current, end=rows.first + len(flat), last_ns=int(rows.time_ns[-1]))

    def _is_over(self, one: Flatline) -> None:
        self.found.append(one)
        if len(self.found) > MOST_FOUND:
            del self.found[: MOST_FOUND // 2]
        known = self.longest_found.get(one.channel)
        if known is None or one.rows > known.rows:
            self.longest_found[one.channel] = one


class _Rows(NamedTuple):
    """The values (n, k) of rows, of which the first is row `first` of the stream, and their times (n,)."""

    first: int
    values: Floats
    time_ns: npt.NDArray[np.int64]


def _new_values(values: Floats, last: Floats, since: npt.NDArray[np.int64], first: int) -> Followed:
    """Tell which values (n, k) are new, after the `last` ones (k,), that came in the rows `since` (k,)."""
    rows = np.arange(len(values))[:, None]
    finite = np.isfinite(values)
    filled = values
    if not finite.all():
        at = np.maximum.accumulate(np.where(finite, rows, -1), axis=0)
        filled = np.where(at >= 0, np.take_along_axis(values, np.maximum(at, 0), axis=0), last)
    new = finite & (filled != np.concatenate([last[None], filled[:-1]]))  # nothing is like NaN: the first value is new
    latest = np.maximum.accumulate(np.where(new, rows, -1), axis=0)
    return Followed(new, np.where(latest >= 0, latest + first, since), filled[-1])


def _at_pace(
    values: Floats, time_ns: npt.NDArray[np.int64], period_ns: int
) -> tuple[Floats, npt.NDArray[np.int64]]:  # fmt: skip
    """Return rows (n, c) and their times with those of half a period as one: of each channel the last value in it."""
    first = np.flatnonzero(np.diff(time_ns // max(period_ns // 2, 1), prepend=-1))
    if len(first) == len(values):
        return values, time_ns
    rows = np.arange(len(values))[:, None]
    at = np.maximum.reduceat(np.where(np.isfinite(values), rows, -1), first, axis=0)
    there = at >= first[:, None]
    return np.where(there, np.take_along_axis(values, np.maximum(at, 0), axis=0), np.nan), time_ns[first]


def _one_number(batch: Batch) -> Floats:
    """Return a number for each channel of each sample (n, c), NaN where there is no value; of waveforms one that is the
    same only where all of it is, but for chance."""
    values = np.asarray(batch.values)
    if values.ndim == 2:
        return values
    some = values.reshape(*values.shape[:2], -1)
    some = some[:, :, :: max(1, some.shape[2] // OF_WAVEFORM)].astype(float)
    there = np.isfinite(some).any(axis=2)
    return np.where(there, np.nan_to_num(some, nan=0.0) @ np.sqrt(2.0 + np.arange(some.shape[2])), np.nan)


def flat_in(flatlines: Iterable[Flatline], names: Sequence[str], begin: Array, timed: bool) -> list[str]:
    """Return the names of the channels that are flat as each of some samples begins (n,), in ns where `timed`, else in
    rows: '' where none is."""
    told: list[list[str]] = [[] for _ in range(len(begin))]
    for one in sorted(flatlines, key=lambda one: (one.channel, one.first)):
        first, last = (one.first_ns, one.last_ns) if timed else (one.first, one.end - 1)
        for row in np.flatnonzero((begin >= first) & (begin <= last)).tolist():
            told[row].append(names[one.channel])
    return [", ".join(own) for own in told]
