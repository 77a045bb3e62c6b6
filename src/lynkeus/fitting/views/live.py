"""Live: only the channels that carry a signal, and a message where one of the others wakes up, or one has no values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

from lynkeus.core.batch import Array, Batch
from lynkeus.core.protocols import Source
from lynkeus.fitting.views.flatlines import Flatline, flat_in
from lynkeus.fitting.views.live_channels import LiveChannels
from lynkeus.sources.formats.tables import listed
from lynkeus.sources.wrappers.wrapper import Wrapper, files_of

MOST_TOLD = 8  # channels that a line is said of


class Live(Wrapper):
    """The live channels of a table; `woken` counts, per channel set aside, the batches in which it moved. `silent`:
    those that had no value in what was read so far; `flat`: those that gave nothing new for long, and when, for a model
    of windows of `window` rows."""

    def __init__(self, source: Source, channels: LiveChannels, window: int = 0) -> None:
        super().__init__(source, channels.schema(source.schema))
        self.channels, self.window = channels, window
        self.woken: dict[str, int] = {}
        self.first_ns = self.last_ns = 0
        self.flat = channels.flatlines(window)

    @property
    def rows(self) -> int:
        """Rows that were read so far."""
        return self.flat.rows

    @property
    def silent(self) -> tuple[str, ...]:
        """Names of the live channels without a single value in what was read, where anything was."""
        return tuple(np.array(self.schema.names, dtype=str)[self.flat.never].tolist())

    @property
    def flatlines(self) -> tuple[Flatline, ...]:
        """Return where channels gave nothing new for long, those that never gave anything among them."""
        found = (*self.flat.found, *self.flat.open.values())
        short = [k for k in np.flatnonzero(self.flat.never).tolist() if k not in self.flat.open]
        return (*found, *(Flatline(k, 0, self.rows, np.nan, self.first_ns, self.last_ns) for k in short))

    @property
    def messages(self) -> list[str]:
        """What all have to say, which channels have no values, and which are stuck."""
        said = super().messages
        if self.silent and self.flat.never.all():
            return [*said, "no channel has a value in these data"]
        if self.silent:
            files = files_of(self)
            where = f"this file ({files[0]})" if len(files) == 1 else "these data"
            have = "has" if len(self.silent) == 1 else "have"
            said.append(f"{listed(self.silent)} {have} no values in {where}")
        return [*said, *self._stuck()]

    def _stuck(self) -> list[str]:
        """Say of each channel that had values where it gave nothing new for longest."""
        longest = dict(self.flat.longest_found)
        for channel, one in self.flat.open.items():
            known = longest.get(channel)
            if not self.flat.never[channel] and (known is None or one.rows > known.rows):
                longest[channel] = one
        lines = [self._line(one) for _, one in sorted(longest.items())]
        rest = len(lines) - MOST_TOLD
        return [*lines[:MOST_TOLD], f"{rest} more channels like that"] if rest > 0 else lines

    def _line(self, one: Flatline) -> str:
        name, usual = self.schema.names[one.channel], self.channels.steady[self.channels.live][one.channel]
        again = f"has the same value ({one.value:g})"
        what = again if np.isfinite(one.value) else "has no values"
        all_along = " all along" if not one.first and one.end == self.rows else ""
        since = f" from {_utc(one.first_ns)} on" if one.first_ns and not all_along else ""
        return f"{name} {what}{all_along} for {one.rows} rows{since} (in the reference {usual:.0f} at most)"

    def __iter__(self) -> Iterator[Batch]:
        self.woken, self.own_messages = {}, []
        self.flat = self.channels.flatlines(self.window)
        for batch in self.source:
            for name in self.channels.awake(batch):
                if name not in self.woken:
                    self.own_messages.append(
                        f"{name} was set aside ({self.channels.asleep[name]}) and has come alive; fit again to watch it"
                    )
                self.woken[name] = self.woken.get(name, 0) + 1
            chosen = self.channels.select(batch)
            if batch.time_ns is not None and len(batch):
                self.first_ns = self.first_ns if self.rows else int(batch.time_ns[0])
                self.last_ns = int(batch.time_ns[-1])
            self.flat.add(chosen)
            yield chosen


def _utc(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


class Silences:
    """Which channels are dead or stuck as each sample of a source that is read begins."""

    def __init__(self, prepared: object) -> None:
        self.live = live_of(prepared)
        self.begun: list[Array] = []
        self.rows = 0

    def add(self, batch: Batch) -> None:
        """Note when the next samples begin."""
        if self.live is None:
            return
        rows = np.arange(self.rows, self.rows + len(batch))
        rows = batch.meta.get("position", rows) if self.live.window else rows
        self.begun.append(rows if batch.time_ns is None else batch.time_ns)
        self.rows += len(batch)

    def column(self) -> dict[str, list[str]]:
        """Return the column `silent` of all samples; nothing where no channel ever is dead or stuck."""
        flatlines = () if self.live is None else self.live.flatlines
        if self.live is None or not flatlines or not self.begun:
            return {}
        timed = self.live.first_ns > 0
        told = flat_in(flatlines, self.live.schema.names, np.concatenate(self.begun), timed)
        return {"silent": told} if any(told) else {}


def live_of(source: object) -> Live | None:
    """Return the live channels inside a prepared source, if it has any."""
    while not isinstance(source, Live):
        if not hasattr(source, "source"):
            return None
        source = source.source
    return source
