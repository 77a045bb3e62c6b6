"""Scores and alarms as messages of a Kafka topic, all JSON; the key says of what: OUTPUT, alarms, heartbeat."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from lynkeus.core import SettingsError
from lynkeus.core.extras import needing
from lynkeus.monitor.publish.messages import MOST_WAITING, Messages
from lynkeus.monitor.publish.sink import Publishing
from lynkeus.sources.streams.kafka import CONNECT_S, QUIET, client_options
from lynkeus.sources.streams.settings import StreamSettings

CLOSE_S = 3.0


class KafkaPublisher(Messages):
    """Publishes into a topic; `begin` raises SettingsError where the broker refuses us. While it is away messages wait,
    at most MOST_WAITING; what was not delivered is counted, and said once."""

    def __init__(self, url: str) -> None:
        super().__init__()
        with needing("--publish kafka://", "live"):
            import confluent_kafka  # noqa: F401
        settings = StreamSettings.of_url(url)
        topics = settings.subjects
        if len(topics) != 1 or any(letter in topics[0] for letter in "*?[ "):
            raise SettingsError(f"--publish kafka://...: must be kafka://HOST/TOPIC, with one topic, got {topics}")
        self.topic = topics[0]
        self.shown, given = client_options(settings)
        own = {"client.id": "lynkeus", "linger.ms": 20, "queue.buffering.max.messages": MOST_WAITING}
        self.options = given | own
        self.lost = 0
        self._refused = ""

    def begin(self, about: Publishing) -> str:
        """Connect; return what to say of it."""
        from confluent_kafka import KafkaException, Producer

        self._of(about)
        self.producer = Producer({**self.options, "error_cb": self._hear}, logger=QUIET)
        there = True
        try:
            self.producer.list_topics(self.topic, timeout=CONNECT_S)
        except KafkaException:
            there = False
            self.producer.poll(0)  # where the library says why
        if self._refused:
            raise SettingsError(f"--publish {self.shown}: {self._refused}")
        if not there:
            about.tell(f"--publish {self.shown}: cannot be reached; tried again until it can")
        return f"topic {self.topic} of {self.shown} is published into"

    def _hear(self, error: Any) -> None:
        from confluent_kafka import KafkaError

        if error.code() in (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED):
            self._refused = f"refuses this user ({error.str()}); give kafka://USER:PASSWORD@HOST, or credentials_file"
        elif error.code() == KafkaError._SSL:
            self._refused = f"no trusted connection ({error.str()}); give kafka+tls://HOST, and ca_file=FILE"

    def _send(self, subject: str, content: bytes) -> None:
        try:
            self.producer.produce(self.topic, content, subject, on_delivery=self._delivered)
        except BufferError:  # the queue is full: the broker is away for long
            self._lose("the queue is full")
        self.producer.poll(0)

    def _delivered(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._lose(str(error.str()))

    def _lose(self, why: str) -> None:
        self.lost += 1
        if self.lost == 1:
            self.about.tell(f"--publish {self.shown}: messages are not delivered ({why}); what is lost is counted")

    def close(self) -> None:
        """Send what waits, if that can be done at once."""
        with suppress(AttributeError):  # it was never begun
            self.lost += self.producer.flush(CLOSE_S)
            if self.lost:
                self.about.tell(f"--publish {self.shown}: {self.lost} messages were not delivered")
