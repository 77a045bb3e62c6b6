"""What a stream is like, from the first seconds of it: which channels are there, how wide, how often, how skewed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lynkeus.sources.streams.clocks import FIRST_NS
from lynkeus.sources.streams.pva import as_numbers
from lynkeus.sources.streams.settings import Channel
from lynkeus.sources.streams.update import INVALID, Inbox, Update

NS = 1_000_000_000
ENOUGH = 8  # updates of most channels
SLOW = 0.5  # of the usual number of updates: a channel that has fewer is held


@dataclass
class Seen:
    """`widths` of channels (0: a number, None: not seen), median `steps_ns` between updates (None: fewer than three),
    `counts` of updates, `offsets_ns`: stamp less arrival, the numbers of pulses, `parts` of those that name them."""

    updates: list[Update]
    widths: list[int | None]
    counts: list[int]
    steps_ns: list[float | None]
    offsets_ns: dict[int, float] = field(default_factory=dict)
    tag_step: int = 0
    parts: dict[int, tuple[str, ...]] = field(default_factory=dict)

    @property
    def period_ns(self) -> int | None:
        """Return the usual step of those that move; None where none does."""
        steps = [step for step in self.steps_ns if step]
        return round(float(np.median(steps))) if steps else None

    def slow(self, channels: Sequence[Channel]) -> list[bool]:
        """Return which channels are held: those that say so, or that come too seldom."""
        usual = max(self.counts, default=0)
        typical = np.median([count for count in self.counts if count > 1] or [usual])
        return [
            one.hold if one.hold is not None else 0 < count < SLOW * typical
            for one, count in zip(channels, self.counts, strict=True)
        ]


def warm_up(inbox: Inbox, n: int, most_s: float) -> Seen:
    """Listen until there is enough to know the channels by, at most `most_s`."""
    updates: list[Update] = []
    counts = [0] * n
    until = time.monotonic() + most_s
    while (left := until - time.monotonic()) > 0:
        for update in inbox.take(min(left, 0.1)):
            updates.append(update)
            counts[update.channel] += update.value is not None
        if min(counts, default=0) and float(np.median(counts)) >= ENOUGH:
            break
    return seen(updates, n)


def seen(updates: list[Update], n: int) -> Seen:
    """Return what updates say of `n` channels."""
    widths: list[int | None] = [None] * n
    stamps: list[list[int]] = [[] for _ in range(n)]
    offsets: list[list[int]] = [[] for _ in range(n)]
    tags: list[list[int]] = [[] for _ in range(n)]
    counts = [0] * n
    parts: dict[int, tuple[str, ...]] = {}
    for update in updates:
        if update.value is None:
            continue
        k, numbers = update.channel, as_numbers(update.value)
        counts[k] += 1
        if numbers is not None and not (update.severity == INVALID and np.size(numbers) == 0):
            widths[k] = 0 if isinstance(numbers, float) else len(numbers)
            if update.parts:
                parts[k] = update.parts
        plausible = update.stamp_ns > FIRST_NS
        # What is sent on connecting may be old, or never have been processed.
        if counts[k] > 1:
            stamps[k].append(update.stamp_ns if plausible else update.arrived_ns)
            if plausible:
                offsets[k].append(update.stamp_ns - update.arrived_ns)
            tags[k].append(update.tag)
    steps = [float(np.median(np.diff(column))) if len(column) > 2 else None for column in stamps]
    medians = {k: float(np.median(column)) for k, column in enumerate(offsets) if column}
    moving = [step if step and step > 0 else None for step in steps]
    return Seen(updates, widths, counts, moving, medians, _step(tags), parts)


def _step(tags: list[list[int]]) -> int:
    """Return the usual step between the numbers of pulses, 0 where they are no numbers that rise for all that move."""
    moving = [column for column in tags if len(column) > 2]
    if not moving or any(min(column) <= 0 or (np.diff(column) <= 0).any() for column in moving):
        return 0
    return round(float(np.median(np.concatenate([np.diff(column) for column in moving]))))
