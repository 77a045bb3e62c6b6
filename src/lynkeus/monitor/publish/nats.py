"""Scores and alarms as messages of NATS: PREFIX.OUTPUT, PREFIX.alarms, PREFIX.heartbeat, all JSON."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from lynkeus.core import SettingsError
from lynkeus.monitor.publish.reading import SEVERITIES, reading_of
from lynkeus.monitor.publish.sink import Publishing
from lynkeus.monitor.rows import plain
from lynkeus.sources.streams.nats.link import NatsAddress, NatsLink

if TYPE_CHECKING:
    from lynkeus.monitor.watch import Watched

MOST_WAITING = 10_000  # messages that wait while the server is away; the oldest is dropped, and that is said


class NatsPublisher:
    """Publishes on a server; `begin` raises SettingsError where it refuses us. While it is away messages wait."""

    def __init__(self, url: str) -> None:
        self.address, subject, options = NatsAddress.of_url(url)
        if not subject or any(letter in subject for letter in " *>,"):
            raise SettingsError(
                f"--publish {url}: must be nats://HOST/PREFIX, with a prefix of subjects without * and >"
            )
        if options:
            raise SettingsError(f"--publish {url}: {sorted(options)[0]}: no such option")
        self.prefix = subject
        self._open: dict[str, int] = {}

    def begin(self, about: Publishing) -> str:
        """Connect; return what to say of it."""
        self.about = about
        self.link = NatsLink(self.address, about.tell, f"--publish {self.address.shown}")
        self.link.begin()
        return f"{self.prefix}.> is published at {self.address.shown}"

    def __call__(self, run: Watched) -> None:
        """Publish the last window, what opened and what ended."""
        for k, output in enumerate(self.about.fitted.scorer.outputs):
            reading = reading_of(self.about.fitted, run, self.about.rule, k)
            if reading is not None:
                said = reading._asdict() | {"severity": SEVERITIES[reading.severity]}
                self._say(output, said | {"monitor": self.about.name, "output": output})
        now = {output: state.alarm.start_ns for output, state in run.open.items()}
        for output, start_ns in {**self._open, **now}.items():
            if self._open.get(output) != now.get(output):
                state = "open" if output in now else "closed"
                where = run.open[output].alarm.where if output in now else ""
                fields = {"monitor": self.about.name, "output": output, "state": state, "where": where}
                self._say("alarms", fields | {"start_ns": start_ns, "time_ns": run.end_ns})
        self._open = now
        self._say("heartbeat", {"monitor": self.about.name, "time_ns": time.time_ns(), "open": len(run.open)})

    def _say(self, subject: str, fields: dict[str, Any]) -> None:
        self.link.publish(f"{self.prefix}.{subject}", json.dumps(plain(fields), allow_nan=False).encode(), MOST_WAITING)

    def close(self) -> None:
        """Send what waits, and disconnect."""
        self.link.close()
