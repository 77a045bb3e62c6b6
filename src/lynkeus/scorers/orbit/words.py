"""What orbit found in a window, in words: half a sentence on the monitor that is wrong, or on how the orbit moved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core import Floats, Scores, Standing
from lynkeus.core.standing import State
from lynkeus.scorers.orbit.adopted import ABSENT, MAINTENANCE, ODD, USED, Adopted
from lynkeus.scorers.orbit.baseline import OrbitBaseline
from lynkeus.scorers.orbit.judge import QUIET_NATS
from lynkeus.scorers.orbit.tails import Tails
from lynkeus.scorers.orbit.windows import WindowStatistics

MOVED_SIGMA = 4.0  # from which a channel is counted among those that moved
NUMBERS = ("mean", "spread", "repeats", "raw")
COLUMNS = ("deviation", "own", "nats", "run", "place", "frozen", "mirrored", "scores")
WHY_MASKED = {ODD: "its noise is not what it was", MAINTENANCE: "under maintenance", ABSENT: "it gives no value"}
MOSTLY = 0.5  # share of the channels that repeat their value in a frozen readout


class WindowTests(NamedTuple):
    """What `score`, `explain` and `find` share for one batch."""

    statistics: WindowStatistics
    deviation: Floats  # (n, c) mean minus baseline, conditional sigmas
    own: Floats  # (n, c) the same, from the place where a moved orbit is quiet, if it is
    nats: Floats  # (n, c) evidence that the channel is wrong
    run: npt.NDArray[np.int32]  # (n, c) by how many windows more the spread was wrong than right
    place: npt.NDArray[np.intp]  # (n,) the channel that `monitor` speaks of
    frozen: Floats  # (n,) share of the channels that repeat their value all through the window
    mirrored: Floats  # (n,) nats for a mirrored orbit
    scores: Scores  # (n, 2)
    after: OrbitBaseline


def joined(parts: list[WindowTests]) -> WindowTests:
    """Return what was found in some stretches as if it were one."""
    if len(parts) == 1:
        return parts[0]
    statistics = [part.statistics for part in parts]
    missing = None
    if any(own.missing is not None for own in statistics):
        missing = np.concatenate([np.zeros_like(o.mean) if o.missing is None else o.missing for o in statistics])
    numbers: dict[str, Any] = {name: np.concatenate([getattr(own, name) for own in statistics]) for name in NUMBERS}
    all_of: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
    return parts[-1]._replace(
        statistics=statistics[0]._replace(missing=missing, gaps={}, gone=None, **numbers), **all_of
    )


LENGTHS = ("mm", "um", "\N{MICRO SIGN}m", "\N{GREEK SMALL LETTER MU}m", "nm", "m")  # units of positions


class OrbitWords(NamedTuple):
    """The `names` of the channels, their `unit`, `sigma` (c,) given all others, their `tails`, and how much they move
    when all is `quiet` (c,)."""

    names: tuple[str, ...]
    unit: str
    sigma: Floats
    tails: Tails
    quiet: Floats

    def monitor(self, found: WindowTests, row: int) -> str:
        """Say which test of the channel that `monitor` speaks of is the strongest in one window."""
        channel = int(found.place[row])
        name, statistics = self.names[channel], found.statistics
        said = self.tails.strongest_test(found.own[row : row + 1], statistics.rows(np.array([row])), channel)
        if said == "mean":
            off = float(found.own[row, channel] * self.sigma[channel])
            return f"{name} is off by {self._size(off)} from what all the others say of it"
        spread = float(np.sqrt(statistics.spread[row, channel] / max(statistics.length - 1, 1)))
        words = {
            "wide": f"{spread:.2g} times as noisy as usual",
            "narrow": f"too quiet ({spread:.2g} of its usual noise)",
            "repeat": "stuck: it repeats its value",
            "missing": "giving no values",
        }
        return f"{name} is {words[said]}"

    def beam(self, found: WindowTests, row: int) -> str:
        """Say how the orbit of one window moved, froze or was mirrored."""
        moved = np.abs(found.deviation[row] / self.quiet)
        many = int((moved > MOVED_SIGMA).sum())
        if found.frozen[row] > MOSTLY:
            return f"the readout is frozen: {found.frozen[row]:.0%} of the channels repeat their values"
        if found.mirrored[row] > QUIET_NATS:
            return f"{self._whole} looks like a mirror image of what it was"
        if not many:
            agree = "the whole orbit moved along its usual modes, all monitors agree"
            return agree if self._is_orbit else "all channels moved along their usual modes, and agree"
        return f"{many} channels moved, most of all {self.names[int(moved.argmax())]}"

    def standing(self, adopted: Adopted, jitter: Floats) -> Iterator[Standing]:
        """Say what stands: monitors that are off or masked, and the last move of the orbit; `jitter` (c,): of each."""
        for channel in np.flatnonzero((np.abs(adopted.offset * self.sigma) > jitter / 2) & (adopted.masked == USED)):
            off, name = float(adopted.offset[channel] * self.sigma[channel]), self.names[channel]
            says = f"{name} stands off by {self._size(off)}"
            yield Standing("monitor", name, "standing", int(adopted.offset_ns[channel]), says=says)
        for channel in np.flatnonzero(adopted.masked):
            name, why = self.names[channel], int(adopted.masked[channel])
            says = f"{name} is masked: {WHY_MASKED[why]}"
            state: State = "maintenance" if why == MAINTENANCE else "masked"
            yield Standing("monitor", name, state, int(adopted.masked_ns[channel]), says=says)
        since, until = (int(time) for time in adopted.moved_ns)
        if until or adopted.moved.any():
            many, most = int((np.abs(adopted.moved) > 1.0).sum()), int(np.abs(adopted.moved).argmax())
            size = float(adopted.moved[most] * jitter[most])
            says = f"{self._whole} moved by more than its jitter at {many} channels, most of all {self.names[most]}"
            yield Standing("beam", "", "moved", since, until, f"{says} by {self._size(size)}")

    @property
    def _is_orbit(self) -> bool:
        """Whether the channels are positions of a beam; a table of thermometers has the scorer, and no orbit."""
        return self.unit in LENGTHS

    @property
    def _whole(self) -> str:
        return "the orbit" if self._is_orbit else "the state of the machine"

    def _size(self, size: float) -> str:
        return f"{size:+.3g} {self.unit}".rstrip()
