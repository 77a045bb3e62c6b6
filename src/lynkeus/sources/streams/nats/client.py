"""NATS as a transport: subjects with messages in JSON, or a stream of JetStream, replayed no faster than it is read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from lynkeus.core.errors import SettingsError
from lynkeus.sources.streams.named import Named
from lynkeus.sources.streams.nats.link import NatsAddress, NatsLink
from lynkeus.sources.streams.settings import StreamSettings
from lynkeus.sources.streams.update import Update

FETCH = 256  # messages that are asked for at once
MOST_WAITING = 20_000  # updates; more are left in JetStream until these were read
MARGIN_S = 3600.0  # a stream is read again from so long before where a watch was: clocks differ
SLOW = "messages that were not read in time"
NS = 1_000_000_000


class NatsClient:
    """See Transport. Channels are named in messages, so `discover` listens for names. With `settings.stream` messages
    are those of JetStream: from where `begin_after` says, else from its beginning (`start` "new": from now on)."""

    stale_first = False  # unlike a process variable, a message is never an old value that is sent on connecting

    def __init__(self, settings: StreamSettings) -> None:
        self.settings = settings
        self.address, _, options = NatsAddress.of_url(_full(settings))
        if options:
            raise SettingsError(f"{settings.where}: {sorted(options)[0]}: no such option of a server")
        self.replays = bool(settings.stream)
        self.waiting: Callable[[], int] = lambda: 0
        self.tell: Callable[[str], None] = lambda line: None
        self.named = Named()
        self.counts = self.named.counts
        self._sequence = 0
        self._after_ns: int | None = None
        self._link: NatsLink | None = None

    def begin_after(self, time_ns: int) -> None:
        """Read a stream from a while before this time."""
        self._after_ns = time_ns

    def discover(self, seconds: float) -> list[str]:
        """Return the names of the channels that messages speak of within some seconds."""
        self._begin()
        time.sleep(seconds)
        return self.named.names

    def begin(self, addresses: tuple[str, ...], put: Callable[[Update], None]) -> None:
        """Give updates of these channels from now on, and those that came before."""
        self.named.give_to(addresses, put)
        self._begin()

    def _begin(self) -> None:
        if self._link is None:
            self.named.tell = self.tell
            self._link = NatsLink(self.address, self._say, self.settings.where, self._listen)
            self._link.prepare = self._look
            self._link.begin()

    @property
    def trouble(self) -> str:
        """Return why there is no connection; nothing while there is one."""
        return "" if self._link is None or self._link.connected else f"{self.address.shown} cannot be reached"

    def _say(self, line: str) -> None:
        self.tell(line)
        if self._link is not None and not self._link.connected:
            self.named.lost()

    def again(self, channels: Sequence[int]) -> None:
        """Nothing to do: the link looks for its server itself."""

    def close(self) -> None:
        """Disconnect."""
        if self._link is not None:
            self._link.close()
            if self._link.slow:
                self.counts[SLOW] = self._link.slow
            self._link = None

    async def _look(self, client: Any) -> None:
        """Raise SettingsError where there is no such stream."""
        if self.settings.stream:
            from nats.js.errors import NotFoundError, ServiceUnavailableError

            try:
                await client.jetstream().stream_info(self.settings.stream)
            except NotFoundError as error:
                raise SettingsError(f"{self.address.shown} has no stream {self.settings.stream!r}") from error
            except (ServiceUnavailableError, TimeoutError) as error:
                raise SettingsError(f"{self.address.shown} has no JetStream; leave stream out") from error

    async def _listen(self, client: Any) -> None:
        if self.settings.stream:
            await self._replay(client)
            return
        for subject in self.settings.subjects or (">",):
            await client.subscribe(subject, cb=self._heard)

    async def _heard(self, message: Any) -> None:
        if self._link is not None and self._link.slow:
            self.counts[SLOW] = self._link.slow
        self.named.take(message.subject, message.data)

    async def _replay(self, client: Any) -> None:
        from nats.errors import TimeoutError as NothingCame
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

        about: dict[str, Any] = {"deliver_policy": DeliverPolicy.ALL}
        if self._sequence:
            about = {"deliver_policy": DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": self._sequence + 1}
        elif self._after_ns is not None:
            since = datetime.fromtimestamp(max(self._after_ns / NS - MARGIN_S, 0.0), UTC)
            about = {
                "deliver_policy": DeliverPolicy.BY_START_TIME,
                "opt_start_time": since.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        elif self.settings.start == "new":
            about = {"deliver_policy": DeliverPolicy.NEW}
        subjects = self.settings.subjects
        wanted: dict[str, Any] = {"filter_subjects": list(subjects)} if len(subjects) > 1 else {}
        config = ConsumerConfig(ack_policy=AckPolicy.NONE, inactive_threshold=60.0, **about, **wanted)
        subscription = await client.jetstream().pull_subscribe(
            subjects[0] if len(subjects) == 1 else "", stream=self.settings.stream, config=config
        )
        while True:
            while self.waiting() + self.named.early > MOST_WAITING:  # they stay where they are safe
                await asyncio.sleep(0.01)
            with suppress(NothingCame):
                for message in await subscription.fetch(FETCH, timeout=1.0):
                    number = message.metadata.sequence.stream
                    if number <= self._sequence:
                        continue
                    if self._sequence and not subjects:
                        self.counts["no longer in the stream"] += number - self._sequence - 1
                    self._sequence = number
                    sent = message.metadata.timestamp
                    self.named.take(message.subject, message.data, round(sent.timestamp() * 1e6) * 1000 if sent else 0)


def _full(settings: StreamSettings) -> str:
    """Return the address of the server, with a scheme and with what the settings say of certificates."""
    server = settings.server if "://" in settings.server else f"nats://{settings.server}"
    files = {"ca_file": settings.ca_file, "credentials_file": settings.credentials_file}
    query = "&".join(f"{name}={text}" for name, text in files.items() if text)
    return f"{server}{'?' + query if query else ''}"
