"""StreamSource: live channels as rows of a table, until somebody stops it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from lynkeus.core.batch import Batch, Schema
from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.sources.formats.tables import listed
from lynkeus.sources.streams.events import Event, Rule
from lynkeus.sources.streams.listener import Columns, Listener
from lynkeus.sources.streams.pva import PvaClient
from lynkeus.sources.streams.settings import USER_TAG, Channel, StreamSettings
from lynkeus.sources.streams.update import DISCONNECTED, Inbox, Transport
from lynkeus.sources.streams.warm_up import Seen, warm_up

NS = 1_000_000_000
SPAN = 0.9  # of a period: stamps of one sample lie within it
LEAST_WAIT_S = 0.5  # on a busy machine updates of one sample may be that far apart


class StreamSource:
    """Rows of live channels; iterating listens until `close`, an interruption, or `for_s` seconds of samples.

    Rows come as they are complete. A channel that is not connected, INVALID or of another length is NaN. `expected`:
    the schema that a model reads, by which channels are chosen and samples are paced without listening first. `tell` is
    given a line as soon as something happens; `messages` count what was dropped, late or repeated. Raises SourceError
    where no channel answers, or none moves.
    """

    is_live = True

    def __init__(self, settings: StreamSettings, transport: Transport, expected: Schema | None = None) -> None:
        self.settings, self.transport = settings, transport
        self.expected = expected
        self.tell: Callable[[str], None] = lambda line: None
        self.for_s: float | None = None
        self.told = False
        self.said: list[str] = []
        self.inbox = Inbox(settings.queue)
        self.listener: Listener | None = None
        self.channels: tuple[Channel, ...] = settings.channels
        self._seen: Seen | None = None
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

    def counted(self) -> list[str]:
        """Return one line of all counts that are not 0."""
        counts = {"dropped since the queue was full": self.inbox.dropped}
        if self.listener is not None:
            counts |= dict(self.listener.events.counts) | dict(self.listener.counts)
        return (
            [f"updates: {', '.join(f'{n} {what}' for what, n in counts.items() if n)}"] if any(counts.values()) else []
        )

    @property
    def schema(self) -> Schema:
        """Return the channels and the rate; without `expected` it listens for some seconds to know them."""
        if self._schema is None:
            self._schema, self._columns = self._expected() if self.expected is not None else self._learned()
        return self._schema

    def _expected(self) -> tuple[Schema, Columns]:
        """Channels as a model knows them."""
        assert self.expected is not None
        names = self.expected.names
        wanted = {name: [k for k, column in enumerate(names) if column == name or _within(column, name)] for name in
                  (one.name for one in self.channels)}  # fmt: skip
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
        self._begin()
        seen = self._seen = warm_up(self.inbox, len(self.channels), self.settings.connect_s)
        names: list[str] = []
        units: list[str] = []
        places = []
        for one, width in zip(self.channels, seen.widths, strict=True):
            own = [f"{one.name}[{k}]" for k in range(width)] if width else [one.name]
            places.append(slice(len(names), len(names) + len(own)))
            names.extend(own)
            units.extend([one.unit] * len(own))
        if not any(seen.counts):
            self.close()
            few = listed([one.name for one in self.channels], 3)
            raise SourceError(
                f"{self.settings.where}: none of {len(self.channels)} channels answered in "
                f"{self.settings.connect_s:g} s ({few}); check the names, and the server: "
                "server = 'HOST:PORT' or EPICS_PVA_ADDR_LIST"
            )
        if self.settings.rate_hz:
            rate = float(self.settings.rate_hz)
        elif seen.period_ns is None:
            self.close()
            raise SourceError(f"{self.settings.where}: no channel moved in {self.settings.connect_s:g} s; say rate_hz")
        else:
            rate = _round(NS / seen.period_ns)
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
            for update in seen.updates:
                # Every subscription begins by saying that it is not connected.
                if update.value is not None or update.channel in known or update.says != DISCONNECTED:
                    known.add(update.channel)
                    listener.take(update)
            for events in listener.samples_of(self.inbox, self.transport):
                if events:
                    yield self._batch(schema, events)
                if until is not None and time.monotonic() > until:
                    return
        finally:
            self.close()

    def _listener(self, schema: Schema, seen: Seen) -> Listener:
        period_ns = round(NS / (schema.sample_rate_hz or 1.0))
        given = self.settings
        by_tag = given.pulse_id == USER_TAG or (not given.pulse_id and seen.tag_step > 0)
        if by_tag:
            self._say("updates are joined by the number of the pulse (userTag)")
        tolerance_ns = round(given.tolerance_s * NS) or round(SPAN * period_ns)
        wait_ns = round(given.wait_s * NS) or max(2 * period_ns, round(LEAST_WAIT_S * NS))
        rule = Rule(period_ns, tolerance_ns, wait_ns, by_tag, max(seen.tag_step, 1))
        assert self._columns is not None
        listener = Listener(tuple(one.name for one in self.channels), self._columns, rule, self._say)
        listener.states.lost_ns = max(round(given.lost_s * NS), 5 * period_ns)
        listener.clocks.align(seen.offsets_ns, max(tolerance_ns, NS // 4))
        listener.begin(seen.slow(self.channels), seen.counts)
        self.listener = listener
        return listener

    @property
    def lost(self) -> bool:
        """Return whether nothing comes from any channel."""
        return self.listener is not None and self.listener.lost

    def _batch(self, schema: Schema, events: list[Event]) -> Batch:
        times = np.array([event.first_ns for event in events], np.int64)
        return Batch(schema, np.stack([event.values for event in events]), times)

    def close(self) -> None:
        """Stop listening."""
        if self._began:
            self._began = False
            self.transport.close()


def _within(column: str, name: str) -> bool:
    """Whether a column is an element of a vector by that name."""
    return column.startswith(f"{name}[") and column.endswith("]") and column[len(name) + 1 : -1].isdecimal()


def _round(rate_hz: float) -> float:
    """Return a rate as people say it, where it is within 3 % of such a number."""
    step = 10.0 ** np.floor(np.log10(rate_hz))
    near = float(np.round(rate_hz / step) * step)
    return near if abs(near - rate_hz) < 0.03 * rate_hz else float(f"{rate_hz:.4g}")


class PvaSource(StreamSource):
    """Live EPICS process variables by PVAccess: epics+pva://LIST.toml or epics+pva://NAME,NAME?server=HOST:PORT."""

    def __init__(self, url: str, expected: Schema | None = None) -> None:
        settings = StreamSettings.of_url(url)
        super().__init__(settings, PvaClient(settings), expected)
