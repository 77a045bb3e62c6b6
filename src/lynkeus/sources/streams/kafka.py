"""Kafka as a transport: topics with messages in JSON, live, or whole topics and then no faster than they are read.

No group keeps where we are: who watches knows it, and says so by `begin_after`.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
import uuid
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lynkeus.core.errors import SettingsError
from lynkeus.core.extras import needing
from lynkeus.sources.formats.tables import listed
from lynkeus.sources.streams.named import Named
from lynkeus.sources.streams.nats.link import WRITTEN, scheme_of
from lynkeus.sources.streams.settings import StreamSettings
from lynkeus.sources.streams.update import Update

PORT = 9092
CONNECT_S = 5.0
POLL_S = 0.05
AT_ONCE = 500  # messages that are taken at once
MOST_WAITING = 20_000  # updates; more stay with the broker until these were read
MARGIN_MS = 3_600_000  # topics are read again from so long before where a watch was: clocks differ
AGAIN_S = (0.5, 10.0)
LOOK_S = 30.0  # between two looks for new partitions
OF_READER: dict[str, Any] = {
    "enable.auto.commit": False, "auto.offset.reset": "earliest", "allow.auto.create.topics": False,
    "queued.max.messages.kbytes": 16_384, "fetch.wait.max.ms": 100,
}  # fmt: skip
QUIET = logging.getLogger("lynkeus.kafka")  # what goes wrong is told in our words
QUIET.setLevel(logging.CRITICAL + 1)


class KafkaClient:
    """See Transport. Channels are named in messages, so `discover` listens for names. Messages are those from now on;
    with `start` "all" those of the whole topics, or those after what `begin_after` says."""

    stale_first = False  # a message is never an old value that is sent on connecting
    asked = "topics"

    def __init__(self, settings: StreamSettings) -> None:
        with needing("kafka://", "live"):
            import confluent_kafka  # noqa: F401
        self.settings = settings
        self.shown, given = client_options(settings)
        self.options = OF_READER | {"group.id": f"lynkeus-{uuid.uuid4().hex[:8]}"} | given
        self.replays = settings.start == "all"
        self.waiting: Callable[[], int] = lambda: 0
        self.tell: Callable[[str], None] = lambda line: None
        self.named = Named()
        self.counts = self.named.counts
        self._next: dict[tuple[str, int], int] = {}  # offset of the next message of a partition
        self._after_ns: int | None = None
        self._stop, self._first = threading.Event(), threading.Event()
        self._refused = self._why = self._said = ""
        self._thread: threading.Thread | None = None

    def begin_after(self, time_ns: int) -> None:
        """Read the topics from a while before this time, where they are read from their beginning."""
        self._after_ns = time_ns

    def discover(self, seconds: float) -> list[str]:
        """Return the names of the channels that messages speak of within some seconds."""
        self._begin()
        self._stop.wait(seconds)
        return self.named.names

    @property
    def trouble(self) -> str:
        """Return why nothing can be read; nothing while it can."""
        return self._said

    def begin(self, addresses: tuple[str, ...], put: Callable[[Update], None]) -> None:
        """Give updates of these channels from now on, and those that came before."""
        self.named.give_to(addresses, put)
        self._begin()

    def _begin(self) -> None:
        """Connect, or try for some seconds. Raises SettingsError where the broker refuses us, or has no such topic."""
        if self._thread is not None:
            return
        self.named.tell = self.tell
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        self._first.wait(CONNECT_S + 1.0)
        if self._refused:
            self.close()
            raise SettingsError(f"{self.settings.where}: {self._refused}")

    def again(self, channels: Sequence[int]) -> None:
        """Nothing to do: the library looks for its brokers itself."""

    def close(self) -> None:
        """Disconnect."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5.0)

    def _work(self) -> None:
        from confluent_kafka import Consumer, KafkaError, KafkaException

        try:
            consumer = Consumer({**self.options, "error_cb": self._hear}, logger=QUIET)
        except (KafkaException, ValueError, TypeError) as error:
            self._refuse(f"the client refuses its settings ({_words(error)})")
            return
        wait_s = AGAIN_S[0]
        try:
            while not self._stop.is_set() and not self._refused:
                try:
                    if self._assign(consumer):
                        wait_s = AGAIN_S[0]
                        self._listen(consumer)
                        continue
                except KafkaException as error:
                    self._drain(consumer, 0.2)  # where the library says why
                    if error.args[0].code() == KafkaError._TRANSPORT and self._listens():
                        self._refuse(f"{self.shown} closes the connection; does it want kafka+tls://HOST, or a user, "
                                     "kafka://USER:PASSWORD@HOST?")  # fmt: skip
                    self._lose(self._why or _words(error))
                self._stop.wait(wait_s * random.uniform(0.8, 1.2))
                wait_s = min(2 * wait_s, AGAIN_S[1])
        finally:
            consumer.close()

    def _assign(self, consumer: Any) -> bool:
        """Find the partitions of the topics, and say from where each is read; False where there are none yet."""
        from confluent_kafka import TopicPartition

        topics = consumer.list_topics(timeout=CONNECT_S / 2).topics
        own = sorted(name for name in topics if not name.startswith("_"))
        wanted = self.settings.subjects or ("*",)
        there = {name: topics[name].partitions for name in own if any(fnmatchcase(name, one) for one in wanted)}
        if not there:
            self._refuse(f"{self.shown} has no topic {','.join(wanted)} (there are: {listed(own) or 'none'})")
            self._lose("the topic is not there")
            return False
        parts = [TopicPartition(name, number) for name, numbers in there.items() for number in numbers]
        since: dict[tuple[str, int], int] = {}
        if self.replays and self._after_ns is not None and not self._next:
            at_ms = max(self._after_ns // 1_000_000 - MARGIN_MS, 0)
            asked = [TopicPartition(one.topic, one.partition, at_ms) for one in parts]
            found = consumer.offsets_for_times(asked, timeout=CONNECT_S)
            since = {(one.topic, one.partition): one.offset for one in found}
        for one in parts:
            key = (one.topic, one.partition)
            # Asked, and not left to the library: where it cannot find out the end it begins at the beginning.
            low, high = consumer.get_watermark_offsets(one, timeout=CONNECT_S / 2)
            if self._next.get(key, 0) > high:  # made anew: its offsets begin again
                self._next[key] = low
            one.offset = self._next.get(key, since.get(key, low if self.replays else high))
        consumer.assign(parts)
        self._drain(consumer)  # errors of before
        if self._said:
            self.tell(f"{self.settings.where}: connected")
        self._said = self._why = ""
        self._first.set()
        return True

    def _listen(self, consumer: Any) -> None:
        """Take messages until a broker is lost, or it is time to look for new partitions; with what waits for the
        reader as much as it can take, more stays with the broker."""
        parts = len(consumer.assignment())
        looks = 0.0
        while not self._stop.is_set():
            if self.waiting() + self.named.early > MOST_WAITING:
                self._stop.wait(POLL_S)
                continue
            messages = consumer.consume(AT_ONCE, POLL_S)
            for message in messages:
                self._take(message)
            if self._why:
                self._lose(self._why)
                self._why = ""
                return
            looks += POLL_S
            if looks > LOOK_S and not messages:
                looks = 0.0
                found = consumer.list_topics(timeout=CONNECT_S / 2).topics
                wanted = self.settings.subjects or ("*",)
                mine = [one for one in found if not one.startswith("_") and any(fnmatchcase(one, w) for w in wanted)]
                if sum(len(found[one].partitions) for one in mine) != parts:
                    return

    def _listens(self) -> bool:
        """Whether anything listens where the broker should."""
        host, _, port = self.options["bootstrap.servers"].partition(",")[0].rpartition(":")
        try:
            socket.create_connection((host, int(port)), 1.0).close()
        except (OSError, ValueError):
            return False
        return True

    def _drain(self, consumer: Any, wait_s: float = 0.0) -> None:
        for message in consumer.consume(AT_ONCE, wait_s):
            self._take(message)

    def _take(self, message: Any) -> None:
        if (error := message.error()) is not None:
            self._hear(error)
            return
        key, offset = (message.topic(), message.partition()), message.offset()
        if key in self._next and offset > self._next[key]:
            self.counts["no longer in the topic"] += offset - self._next[key]
        self._next[key] = offset + 1
        kind, sent_ms = message.timestamp()
        subject = (message.key() or b"").decode(errors="replace") or message.topic()
        self.named.take(subject, message.value() or b"", sent_ms * 1_000_000 if kind and sent_ms > 0 else 0)

    def _hear(self, error: Any) -> None:
        """Keep why a broker is lost; what the library mends by itself says nothing."""
        from confluent_kafka import KafkaError

        text = str(error.str())
        if error.code() in (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED):
            self._refuse(f"{self.shown} refuses this user ({text}); give kafka://USER:PASSWORD@HOST, or "
                         "credentials_file=FILE with sasl.mechanism and what it needs")  # fmt: skip
        elif error.code() == KafkaError._SSL:
            self._refuse(f"no trusted connection to {self.shown} ({text}); give kafka+tls://HOST, and ca_file=FILE of "
                         "who signed its certificate")  # fmt: skip
        elif error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED):
            self._refuse(f"{self.shown} does not let this user read ({text})")
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            self._why = "the topic is not there"
        elif error.code() in (KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION, KafkaError._SSL):
            self._why = "it cannot be reached"

    def _refuse(self, why: str) -> None:
        if not self._first.is_set():
            self._refused = why
            self._first.set()

    def _lose(self, why: str) -> None:
        if self._refused:
            return
        if why != self._said:
            self.tell(f"{self.settings.where}: {why}; tried again until it can be read")
        self._said = why
        self.named.lost()


def _words(error: Exception) -> str:
    from confluent_kafka import KafkaError

    if error.args and hasattr(error.args[0], "code"):
        code = error.args[0].code()
        if code in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN):
            return "it cannot be reached"
    return str(error.args[0].str() if error.args and hasattr(error.args[0], "str") else error)


def client_options(settings: StreamSettings) -> tuple[str, dict[str, Any]]:
    """Return the address without secrets, and how a client of the library connects to it. Raises SettingsError."""
    server = settings.server if "://" in settings.server else f"kafka://{settings.server}"
    try:
        parts = urlsplit(server)
        host, port = parts.hostname, parts.port or PORT
    except ValueError as error:
        raise SettingsError(f"{scheme_of(server)} is no address; {WRITTEN}") from error
    tls = parts.scheme == "kafka+tls" or bool(settings.ca_file)
    given: dict[str, Any] = {
        "bootstrap.servers": f"{host}:{port}", "client.id": "lynkeus",
        "reconnect.backoff.ms": 200, "reconnect.backoff.max.ms": 4000,
        "security.protocol": ("SASL_" if parts.username else "") + ("SSL" if tls else "PLAINTEXT"),
    }  # fmt: skip
    if parts.username:
        user, password = unquote(parts.username), unquote(parts.password or "")
        given |= {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": user, "sasl.password": password}
    if settings.ca_file:
        given["ssl.ca.location"] = str(Path(settings.ca_file).expanduser())
    if settings.credentials_file:
        given |= _of_file(Path(settings.credentials_file).expanduser(), settings.where)
    return f"{parts.scheme}://{host}:{port}", given


def _of_file(path: Path, where: str) -> dict[str, str]:
    """Settings of a client as Kafka's own programs read them: name=value lines."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise SettingsError(f"{where}: credentials_file {path} cannot be read ({error})") from error
    pairs = [line.partition("=") for line in map(str.strip, lines) if line and line[0] not in "#!"]
    if any(not sign for _, sign, _ in pairs):
        raise SettingsError(f"{where}: credentials_file {path}: each line must be name=value")
    return {name.strip(): value.strip() for name, _, value in pairs}
