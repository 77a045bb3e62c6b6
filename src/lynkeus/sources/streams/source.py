"""StreamSource: live channels as rows of a table, until somebody stops it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from lynkeus.core.batch import Batch, Schema
from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.sources.formats.tables import listed
from lynkeus.sources.streams.events import Event, Rule
from lynkeus.sources.streams.frames import Frame
from lynkeus.sources.streams.listener import Columns, Listener
from lynkeus.sources.streams.settings import USER_TAG, Channel, StreamSettings
from lynkeus.sources.streams.states import State
from lynkeus.sources.streams.update import DISCONNECTED, Inbox, Transport
from lynkeus.sources.streams.warm_up import Seen, warm_up

NS = 1_000_000_000
THERE = (State.ALIVE, State.HELD)
SPAN = 0.9  # of a period: stamps of one sample lie within it
REMEDY = "check the names, and the server: server = 'HOST:PORT', or EPICS_PVA_ADDR_LIST or EPICS_CA_ADDR_LIST"
LEAST_WAIT_S = 0.5  # on a busy machine updates of one sample may be that far apart


class StreamSource:
    """Rows of live channels; iterating listens until `close`, an interruption, or `for_s` seconds of samples.

    Rows come as they are complete. A channel that is not connected, INVALID or of another length is NaN. `expected`:
    the schema that a model reads, by which channels are chosen and samples are paced without listening first. `tell` is
    given a line as soon as something happens; `turning` is called again and again, also while nothing comes, the last
    time at `turned_s` of the steady clock; `messages` count what was dropped, late or repeated. Raises SourceError
    where no channel answers, or none moves.
    """

    is_live = True
    tag_words = "updates are joined by the number of the pulse (userTag)"

    def __init__(self, settings: StreamSettings, transport: Transport, expected: Schema | None = None) -> None:
        self.settings, self.transport = settings, transport
        self.expected = expected
        self.tell: Callable[[str], None] = lambda line: None
        self.for_s: float | None = None
        self.turning: Callable[[], None] = lambda: None
        self.turned_s = time.monotonic()
        self.told = False
        self.said: list[str] = []
        self.inbox = Inbox(settings.queue)
        self.listener: Listener | None = None
        self.channels: tuple[Channel, ...] = settings.channels
        transport.waiting = self.inbox.__len__  # type: ignore[attr-defined]
        transport.tell = self._say  # type: ignore[attr-defined]
        self._seen: Seen | None = None
        self._after: tuple[int, int] | None = None
        self._began = False
        self._schema: Schema | None = None
        self._columns: Columns | None = None

    def _say(self, line: str) -> None:
        if len(self.said) < 1000:  # of a stream that runs for months
            self.said.append(line)
        self.tell(line)

    @property
    def messages(self) -> list[str]:
        """Return what happened, where it was not told at once, and counts of what was lost."""
        return [*([] if self.told else self.said), *self.counted()]

    def _counts(self) -> dict[str, int]:
        counts = {"dropped since the queue was full": self.inbox.dropped, **getattr(self.transport, "counts", {})}
        if self.listener is not None:
            counts |= dict(self.listener.events.counts) | dict(self.listener.counts)
        return counts

    def begin_after(self, time_ns: int, at_ns: int = 0) -> None:
        """Go on after a time, where the source can: what a broker has kept is read again from a while before. `at_ns`:
        this machine's time when that was committed (0: not known), by which clocks that jumped since are found."""
        self._after = (time_ns, at_ns) if at_ns else None
        if hasattr(self.transport, "begin_after"):
            self.transport.begin_after(time_ns)

    def counted(self) -> list[str]:
        """Return one line of all counts that are not 0."""
        counts = self._counts()
        return (
            [f"updates: {', '.join(f'{n} {what}' for what, n in counts.items() if n)}"] if any(counts.values()) else []
        )

    @property
    def schema(self) -> Schema:
        """Return the channels and the rate; without `expected` it listens for some seconds to know them."""
        if self._schema is None:
            if not self.channels:
                self.channels = self._discovered()
            self._schema, self._columns = self._expected() if self.expected is not None else self._learned()
        return self._schema

    def _discovered(self) -> tuple[Channel, ...]:
        """Channels that nobody listed: those of the model, else those that messages speak of."""
        if self.expected is not None:
            names = list(dict.fromkeys(re.sub(r"\[\d+\]$", "", name) for name in self.expected.names))
        else:
            there = self.transport.discover(self.settings.connect_s)  # type: ignore[attr-defined]
            wanted = self.settings.select
            names = sorted(one for one in there if not wanted or any(fnmatchcase(one, only) for only in wanted))
            if there and not names:
                self.transport.close()
                raise none_selected(self.settings, there)
            if not names:
                trouble = getattr(self.transport, "trouble", "")
                self.transport.close()
                if trouble:
                    raise SourceError(f"{self.settings.where}: {trouble}; check the address, and that the server runs")
                asked = getattr(self.transport, "asked", "subjects")
                raise SourceError(
                    f"{self.settings.where}: no message with a value came in {self.settings.connect_s:g} s; check the "
                    f"{asked}, and that somebody publishes"
                )
        return tuple(Channel(name, name) for name in names)

    def _expected(self) -> tuple[Schema, Columns]:
        """Channels as a model knows them."""
        assert self.expected is not None
        names = self.expected.names
        own = {one.name for one in self.channels}
        wanted = {
            name: [k for k, one in enumerate(names) if one == name or (one not in own and _within(one, name))]
            for name in own
        }
        left_out = [name for name, found in wanted.items() if not found]
        self.channels = tuple(one for one in self.channels if wanted[one.name])
        if not self.channels:
            raise SourceError(f"{self.settings.where}: the model knows none of its channels ({listed(list(names))})")
        if left_out:
            self._say(f"{listed(left_out)}: the model does not know them; not listened to")
        there = {k for found in wanted.values() for k in found}
        missing = [name for k, name in enumerate(names) if k not in there]
        if missing:
            self._say(f"{listed(missing)}: of the model, but not in {self.settings.where}; masked")
        places = [slice(wanted[one.name][0], wanted[one.name][-1] + 1) for one in self.channels]
        scalar = [names[place.start] == one.name for one, place in zip(self.channels, places, strict=True)]
        return self.expected, Columns(places, len(names), scalar)

    def _learned(self) -> tuple[Schema, Columns]:
        """Channels as they answer."""
        if self._seen is None:
            self._begin()
            self._seen = warm_up(self.inbox, len(self.channels), self.settings.connect_s)
        seen = self._seen
        names: list[str] = []
        units: list[str] = []
        places = []
        for number, (one, width) in enumerate(zip(self.channels, seen.widths, strict=True)):
            parts = seen.parts.get(number) or [f"[{k}]" for k in range(width or 0)]
            own = [f"{one.name}{part}" for part in parts] if width else [one.name]
            places.append(slice(len(names), len(names) + len(own)))
            names.extend(own)
            units.extend([one.unit] * len(own))
        cameras = sorted({one.channel for one in seen.updates if isinstance(one.value, Frame)})
        if cameras:
            self.close()
            name = self.channels[cameras[0]].name
            raise SourceError(f"{self.settings.where}: {name} sends frames of a camera; listen to it alone")
        if not any(seen.counts):
            self.close()
            few = listed([one.name for one in self.channels], 3)
            says = [one.says for one in seen.updates if one.says and one.says != DISCONNECTED]
            few += f": {says[-1]}" if says else ""
            raise SourceError(
                f"{self.settings.where}: none of {len(self.channels)} channels answered in "
                f"{self.settings.connect_s:g} s ({few}); {getattr(self.transport, 'remedy', REMEDY)}"
            )
        if self.settings.rate_hz:
            rate = float(self.settings.rate_hz)
        elif seen.period_ns is None:
            self.close()
            raise SourceError(f"{self.settings.where}: no channel moved in {self.settings.connect_s:g} s; say rate_hz")
        else:
            rate = rounded_rate(NS / seen.period_ns)
            self._say(f"{rate:g} samples a second, by the time stamps of the channels")
        some = tuple(units) if any(units) else ()
        schema = Schema("table", tuple(names), some, (len(names),), rate)
        return schema, Columns(places, len(names), [not width for width in seen.widths])

    def _begin(self) -> None:
        if not self._began:
            self._began = True
            self.transport.begin(tuple(one.address for one in self.channels), self.inbox.put)

    def __iter__(self) -> Iterator[Batch]:
        schema = self.schema
        if schema.sample_rate_hz is None:
            raise SettingsError(f"{self.settings.where}: the model does not know its rate; fit it from this stream")
        try:
            self._begin()
            seen = self._seen or warm_up(self.inbox, len(self.channels), min(self.settings.connect_s, 2.0))
            self._seen = None
            listener = self._listener(schema, seen)
            until = None if self.for_s is None else time.monotonic() + self.for_s
            known: set[int] = set()
            first_ns: int | None = None
            for update in seen.updates:
                # Every subscription begins by saying that it is not connected.
                if update.value is not None or update.channel in known or update.says != DISCONNECTED:
                    known.add(update.channel)
                    listener.take(update)
            for events in listener.samples_of(self.inbox, self.transport):
                self.turned_s = time.monotonic()
                self.turning()
                over = until is not None and time.monotonic() > until
                if events and until is not None and listener.replays:
                    # Of a recording so much time of its own, however fast it is played back.
                    first_ns = events[0].first_ns if first_ns is None else first_ns
                    within = [one for one in events if one.first_ns - first_ns < (self.for_s or 0.0) * NS]
                    events, over = within, over or len(within) < len(events)
                if events:
                    yield from self._batches(schema, events)
                if over:
                    return
        finally:
            self.close()

    def _listener(self, schema: Schema, seen: Seen) -> Listener:
        period_ns = round(NS / (schema.sample_rate_hz or 1.0))
        given = self.settings
        by_tag = given.pulse_id == USER_TAG or (not given.pulse_id and seen.tag_step > 0)
        if by_tag:
            self._say(self.tag_words)
        tolerance_ns = round(given.tolerance_s * NS) or round(SPAN * period_ns)
        wait_ns = round(given.wait_s * NS) or max(2 * period_ns, round(LEAST_WAIT_S * NS))
        rule = Rule(period_ns, tolerance_ns, wait_ns, by_tag, max(seen.tag_step, 1))
        assert self._columns is not None
        listener = Listener(tuple(one.name for one in self.channels), self._columns, rule, self._say)
        listener.states.lost_ns = max(round(given.lost_s * NS), 5 * period_ns)
        listener.stale_first = getattr(self.transport, "stale_first", True)
        listener.replays = listener.clocks.believed = getattr(self.transport, "replays", False)
        if self._after is not None:
            listener.clocks.go_on_from(*self._after)
        listener.clocks.align(seen.offsets_ns, max(tolerance_ns, NS // 4))
        listener.begin(seen.slow(self.channels), seen.counts)
        self.listener = listener
        return listener

    @property
    def lost(self) -> bool:
        """Return whether nothing comes from any channel."""
        return self.listener is not None and self.listener.lost

    def condition(self) -> dict[str, Any]:
        """Return how the source is: `state` (connecting, connected, late, partly, lost), how many of its `channels` are
        `there`, which are `masked` (at most 20), and `counts` of what was lost on the way."""
        counts = self._counts()
        if self.listener is None:
            return {"state": "connecting", "channels": len(self.channels), "there": 0, "masked": [], "counts": counts}
        listener = self.listener
        masked = [one.name for one, state in zip(self.channels, listener.states.of, strict=True) if state not in THERE]
        late = time.monotonic_ns() - listener.given_ns > max(NS, 5 * listener.rule.period_ns) + listener.rule.wait_ns
        there = len(self.channels) - len(masked)
        nobody = "lost" if listener.lost or (listener.samples and not there) else "" if there else "connecting"
        state = nobody or ("partly" if masked else "late" if late else "connected")
        return {"state": state, "channels": len(self.channels), "there": there, "masked": masked[:20], "counts": counts}

    def _batches(self, schema: Schema, events: list[Event]) -> Iterator[Batch]:
        times = np.array([event.first_ns for event in events], np.int64)
        said = np.ones(len(events), bool)  # by the states of the channels, and by what is counted
        yield Batch(schema, np.stack([event.values for event in events]), times, meta={"missing_is_said": said})

    def close(self) -> None:
        """Stop listening."""
        if self._began:
            self._began = False
            self.transport.close()


def none_selected(settings: StreamSettings, names: Sequence[str]) -> SettingsError:
    """Return what is to be said where no name of a channel matches."""
    found = f"matches none of {len(names)} channels, such as {listed(sorted(names), 3)}"
    return SettingsError(f"{settings.where}: select={','.join(settings.select)} {found}")


def _within(column: str, name: str) -> bool:
    """Whether a column is an element of a vector, or a column of a table, by that name."""
    if column.startswith(f"{name}/"):
        return True
    return column.startswith(f"{name}[") and column.endswith("]") and column[len(name) + 1 : -1].isdecimal()


def rounded_rate(rate_hz: float) -> float:
    """Return a rate as people say it, where it is within 3 % of such a number."""
    step = 10.0 ** np.floor(np.log10(rate_hz))
    near = float(np.round(rate_hz / step) * step)
    return near if abs(near - rate_hz) < 0.03 * rate_hz else float(f"{rate_hz:.4g}")
