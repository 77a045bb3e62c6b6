"""Scores and alarms as messages of NATS: PREFIX.OUTPUT, PREFIX.alarms, PREFIX.heartbeat, all JSON."""

from __future__ import annotations

from lynkeus.core import SettingsError
from lynkeus.monitor.publish.messages import MOST_WAITING, Messages
from lynkeus.monitor.publish.sink import Publishing
from lynkeus.sources.streams.nats.link import NatsAddress, NatsLink


class NatsPublisher(Messages):
    """Publishes on a server; `begin` raises SettingsError where it refuses us. While it is away messages wait."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.address, subject, options = NatsAddress.of_url(url)
        if not subject or any(letter in subject for letter in " *>,"):
            raise SettingsError(
                f"--publish {url}: must be nats://HOST/PREFIX, with a prefix of subjects without * and >"
            )
        if options:
            raise SettingsError(f"--publish {url}: {sorted(options)[0]}: no such option")
        self.prefix = subject

    def begin(self, about: Publishing) -> str:
        """Connect; return what to say of it."""
        self._of(about)
        self.link = NatsLink(self.address, about.tell, f"--publish {self.address.shown}")
        self.link.begin()
        return f"{self.prefix}.> is published at {self.address.shown}"

    def _send(self, subject: str, content: bytes) -> None:
        self.link.publish(f"{self.prefix}.{subject}", content, MOST_WAITING)

    def close(self) -> None:
        """Send what waits, and disconnect."""
        self.link.close()
