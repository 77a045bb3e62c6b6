"""Live sources by address: EPICS Channel Access, NATS and JetStream, Kafka."""

from __future__ import annotations

from lynkeus.core.batch import Schema
from lynkeus.sources.streams.channel_access import CaClient
from lynkeus.sources.streams.kafka import KafkaClient
from lynkeus.sources.streams.nats.client import NatsClient
from lynkeus.sources.streams.settings import StreamSettings
from lynkeus.sources.streams.source import StreamSource


class CaSource(StreamSource):
    """Live EPICS process variables by Channel Access: epics+ca://LIST.toml or epics+ca://NAME,NAME?server=HOST:PORT."""

    def __init__(self, url: str, expected: Schema | None = None) -> None:
        settings = StreamSettings.of_url(url)
        super().__init__(settings, CaClient(settings), expected)


class NatsSource(StreamSource):
    """Messages of a NATS server: nats://HOST:PORT/SUBJECT, or nats://LIST.toml; ?stream=NAME of JetStream."""

    def __init__(self, url: str, expected: Schema | None = None) -> None:
        settings = StreamSettings.of_url(url)
        super().__init__(settings, NatsClient(settings), expected)


class KafkaSource(StreamSource):
    """Messages of Kafka: kafka://HOST:PORT/TOPIC, or kafka://LIST.toml; ?start=all reads whole topics."""

    def __init__(self, url: str, expected: Schema | None = None) -> None:
        settings = StreamSettings.of_url(url)
        super().__init__(settings, KafkaClient(settings), expected)
