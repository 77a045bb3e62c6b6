"""What orbit found in a window, in words: half a sentence on the monitor that is wrong, or on how the orbit moved."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core import Floats, Scores
from lynkeus.scorers.orbit.baseline import OrbitBaseline
from lynkeus.scorers.orbit.judge import QUIET_NATS
from lynkeus.scorers.orbit.tails import Tails
from lynkeus.scorers.orbit.windows import WindowStatistics

MOVED_SIGMA = 4.0  # from which a channel is counted among those that moved
MOSTLY = 0.5  # share of the channels that repeat their value in a frozen readout


class WindowTests(NamedTuple):
    """What `score`, `explain` and `find` share for one batch."""

    statistics: WindowStatistics
    deviation: Floats  # (n, c) mean minus baseline, conditional sigmas
    nats: Floats  # (n, c) evidence that the channel is wrong
    place: npt.NDArray[np.intp]  # (n,) the channel that `monitor` speaks of
    frozen: Floats  # (n,) share of the channels that repeat their value all through the window
    mirrored: Floats  # (n,) nats for a mirrored orbit
    scores: Scores  # (n, 2)
    after: OrbitBaseline


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
        said = self.tails.strongest_test(found.deviation[row : row + 1], statistics.rows(np.array([row])), channel)
        if said == "mean":
            off = float(found.deviation[row, channel] * self.sigma[channel])
            return f"{name} is off by {off:+.3g} {self.unit} from what all the others say of it"
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
            return "the orbit looks like a mirror image of what it was"
        if not many:
            return "the whole orbit moved along its usual modes, all monitors agree"
        return f"{many} channels moved, most of all {self.names[int(moved.argmax())]}"
