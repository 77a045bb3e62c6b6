"""Clocks: time stamps of devices, which may be zero, far off, skewed or jump; what is done about it is said."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np

from lynkeus.sources.streams.update import Update

NS = 1_000_000_000
FIRST_NS = 631_152_000 * NS  # 1990, before which EPICS knows no time
FUTURE_S = 86_400.0  # a stamp further ahead of this machine's clock is no time
TOGETHER_S = 5.0  # jumps within this are of one clock
ONE_CLOCK_S = 0.25  # jumps together that differ by less are the same: less is how long values were on their way
MOVED_S = 10.0  # by more a clock may not have moved while nobody watched
JUMP_S = 2.0  # a clock that moves by more, less what has passed, has jumped
SETTLES_S = 5.0  # what was held up arrives late: a clock that stays behind for so long has jumped


class Clocks:
    """Turns stamps of `n` channels into times that go on; `tell` is given a line for all that is not as it should be.

    A device without a clock has the receiver's time, a clock that is behind or ahead of most others is moved to
    them, and one that jumped goes on as before: shifts are said, once for each change.
    """

    def __init__(self, names: tuple[str, ...], tell: Callable[[str], None]) -> None:
        self.names, self.tell = names, tell
        self.shift_ns = [0] * len(names)
        self.last_ns = [0] * len(names)  # raw stamp
        self.arrived_ns = [0] * len(names)
        self._usual_ns = [0] * len(names)  # stamp less arrival, when it was last in time
        self._behind: dict[int, tuple[int, int]] = {}  # how far a channel is, and since when no nearer
        self._newest_ns = 0  # of all stamps that are times
        self._ahead_ns = 0  # by which the clocks of the devices are ahead of ours
        self.zero: set[int] = set()
        self.far: set[int] = set()
        self._together: tuple[int, int, int] = (
            0,
            0,
            0,
        )  # when and by how much a clock jumped last, and how many with it
        self.resumed: tuple[int, int] | None = None  # see `go_on_from`
        self._resumed_by: int | None = None
        self.believed = False  # times of a recording are what they are, however fast it is played back
        self._wall_ns = time.time_ns() - time.monotonic_ns()

    def go_on_from(self, time_ns: int, at_ns: int) -> None:
        """Say that a watch was at `time_ns` of the devices when this machine's clock was at `at_ns`: a clock that is
        before that now, or much further than has passed since, jumped while nobody watched."""
        self.resumed = (time_ns, at_ns)

    def now_ns(self, arrived_ns: int) -> int:
        """Return the receiver's time, of its steady clock."""
        return arrived_ns + self._wall_ns

    def time_of(self, update: Update, usual_ns: int) -> int:
        """Return when a value was taken; `usual_ns`: step between two samples."""
        k, stamp = update.channel, update.stamp_ns
        received = self.now_ns(update.arrived_ns)
        if stamp < FIRST_NS or stamp > received + FUTURE_S * NS:
            return self._without_time(update, received)
        self._newest_ns = max(self._newest_ns, stamp)
        if not self.last_ns[k] and self.resumed is not None and not self.believed:
            self._resume(k, stamp, received)
        if not self.last_ns[k]:
            self._usual_ns[k] = stamp - update.arrived_ns
        elif not self.believed and stamp != self.last_ns[k]:  # one that is sent again says nothing
            self._follow(k, stamp, update.arrived_ns, usual_ns)
        self.last_ns[k], self.arrived_ns[k] = stamp, update.arrived_ns
        return stamp + self.shift_ns[k]

    def _without_time(self, update: Update, received_ns: int) -> int:
        """Return a time for a value that has none: of what is played back that of the others, which may be long ago."""
        k, others = update.channel, self.believed and self._newest_ns > 0
        used = "the time of the others" if others else "the receiver's clock"
        if update.stamp_ns < FIRST_NS:
            self._once(self.zero, k, f"has no time stamps (zero); {used} is used")
        else:
            at = f"{datetime.fromtimestamp(min(update.stamp_ns // NS, 2**33), UTC):%Y-%m-%d}"
            self._once(self.far, k, f"has a time stamp of {at}, which is no time; {used} is used")
        return self._newest_ns if others else received_ns + self._ahead_ns

    def _follow(self, k: int, stamp_ns: int, arrived_ns: int, usual_ns: int) -> None:
        """Find a clock that jumped: back, or ahead of what has passed. One that goes on behind what has passed may be
        what was held up on its way, all of it or a part: that is a jump only where it stays behind."""
        offset_ns, step_ns, passed_ns = (
            stamp_ns - arrived_ns,
            stamp_ns - self.last_ns[k],
            arrived_ns - self.arrived_ns[k],
        )
        behind_ns, soon_ns = self._usual_ns[k] - offset_ns, max(5 * usual_ns, NS)
        if step_ns < 0:
            if abs(step_ns - passed_ns) > JUMP_S * NS:
                self._usual_ns[k] += step_ns - passed_ns
                self._jump(k, step_ns - passed_ns, arrived_ns)
        elif abs(behind_ns) <= JUMP_S * NS or (max(step_ns, passed_ns) <= soon_ns and k not in self._behind):
            self._behind.pop(k, None)  # at its usual pace, which need not be that of our clock
            self._usual_ns[k] = offset_ns
        elif behind_ns < 0 or self._stays_behind(k, behind_ns, arrived_ns, passed_ns > soon_ns):
            self._behind.pop(k, None)
            self._usual_ns[k] = offset_ns
            self._jump(k, -behind_ns, arrived_ns)

    def _stays_behind(self, k: int, behind_ns: int, arrived_ns: int, after_gap: bool) -> bool:
        """Whether a channel has been no nearer to what is usual for a while, in which it came at its usual pace."""
        least_ns, since_ns = self._behind.get(k, (behind_ns, arrived_ns))
        if after_gap or behind_ns < least_ns - NS // 2:
            least_ns, since_ns = behind_ns, arrived_ns
        self._behind[k] = (least_ns, since_ns)
        return arrived_ns - since_ns > SETTLES_S * NS

    def _resume(self, k: int, stamp_ns: int, received_ns: int) -> None:
        """Move the times of a clock that jumped while nobody watched, so that they go on."""
        assert self.resumed is not None
        was_ns, at_ns = self.resumed
        ahead, passed = stamp_ns + self.shift_ns[k] - was_ns, received_ns - at_ns
        # Where it is our own clock that was set back, nothing is known of theirs.
        if ahead > 0 and (passed < 0 or ahead <= passed + MOVED_S * NS):
            return
        by_ns = ahead - max(passed, 0)
        if self._resumed_by is None or abs(by_ns - self._resumed_by) > JUMP_S * NS:
            moved = f"its times are moved by {-by_ns / NS:+.3g} s, so that they go on"
            self.tell(f"the clock of {self.names[k]} jumped by {by_ns / NS:+.3g} s while nobody watched; {moved}")
            self._resumed_by = by_ns
        self.shift_ns[k] -= self._resumed_by

    def _once(self, seen: set[int], k: int, says: str) -> None:
        if k not in seen:
            seen.add(k)
            self.tell(f"{self.names[k]} {says}")

    def _jump(self, k: int, by_ns: int, now_ns: int) -> None:
        at_ns, other_ns, many = self._together
        alike = abs(now_ns - at_ns) < TOGETHER_S * NS and abs(by_ns - other_ns) < JUMP_S * NS
        if alike and abs(by_ns - other_ns) < ONE_CLOCK_S * NS:
            by_ns = other_ns  # how late it arrived would part it from the others
        self.shift_ns[k] -= by_ns
        back = abs(self.shift_ns[k]) <= JUMP_S * NS
        if back:
            self.shift_ns[k] = 0
        self._together = (now_ns, by_ns, many + 1 if alike else 1)
        if alike:
            if many == 1:  # thousands of channels may have one clock
                self.tell("the clocks of other channels jumped with it, and are treated alike")
            return
        moved = f"its times are moved by {self.shift_ns[k] / NS:+.3g} s, so that they go on"
        what = f"the clock of {self.names[k]} jumped by {by_ns / NS:+.3g} s"
        self.tell(f"{what}, back to where it was" if back else f"{what}; {moved}")

    def align(self, offsets_ns: dict[int, float], tolerance_ns: float) -> None:
        """Move clocks that are further from the middle one than `tolerance_ns`; `offsets_ns`: stamp less arrival."""
        if len(offsets_ns) < 2 or self.believed:
            return
        middle = float(np.median(list(offsets_ns.values())))
        for k, offset in offsets_ns.items():
            off = offset - middle
            if abs(off) > tolerance_ns:
                self.shift_ns[k] = -round(off)
                says = "ahead of" if off > 0 else "behind"
                self.tell(f"the clock of {self.names[k]} is {abs(off) / NS:.3g} s {says} most others; it is moved")
        self._ahead_ns = round(middle) - self._wall_ns
        ahead_s = self._ahead_ns / NS
        if abs(ahead_s) > JUMP_S and self.resumed is None:  # else it was said at the first start
            says = "ahead of" if ahead_s > 0 else "behind"
            self.tell(f"the clocks of the devices are {abs(ahead_s):.3g} s {says} this machine's; theirs are used")
