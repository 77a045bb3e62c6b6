"""Messages of a real Kafka broker: live across an outage, from the beginning without loss or doubles, and refusals."""

import json
import logging
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.sources.streams.kafka_server import BUNDLED, KafkaServer, free_port, kafka_server
from tests.sources.streams.tls_proxy import tls_proxy

from lynkeus.core import Schema, SettingsError, SourceError
from lynkeus.core.batch import concatenate
from lynkeus.sources import open_source

kafka = pytest.importorskip("confluent_kafka")
pytestmark = [pytest.mark.slow(7), pytest.mark.skipif(not BUNDLED.is_file(), reason="no Kafka broker is installed")]
BEGUN_NS, STEP_NS = 1_700_000_000_000_000_000, 50_000_000
NAMES = ("A", "B")
QUIET = logging.getLogger("tests.kafka")
QUIET.setLevel(logging.CRITICAL + 1)


def publish(server: KafkaServer, shots: range, rate_hz: float = 0.0, other: bytes = b"") -> None:
    producer = kafka.Producer({"bootstrap.servers": server.address, "linger.ms": 0}, logger=QUIET)
    for shot in shots:
        values = dict(zip(NAMES, np.random.default_rng(shot).normal(size=2).tolist(), strict=True))
        producer.produce("beam", json.dumps({"time": BEGUN_NS + shot * STEP_NS, **values}).encode())
        if other:
            producer.produce("beam", other)
        producer.poll(0)
        time.sleep(1 / rate_hz if rate_hz else 0.0)
    assert producer.flush(20.0) == 0


def taken(source: Any, until: int) -> np.ndarray:
    """Rows until that of a shot has come."""
    rows, last = [], np.random.default_rng(until).normal()
    source.for_s = 30.0
    for batch in source:
        rows.append(batch)
        if (batch.values[:, 0] == last).any():
            break
    source.close()
    values: np.ndarray = concatenate(rows).values
    return values[~np.isnan(values).all(axis=1)]


def test_a_topic_is_read_from_its_beginning_and_gone_on_with(tmp_path: Path) -> None:
    with kafka_server(tmp_path) as server:
        server.run("topic", "create", "beam", "--partitions", "1")
        publish(server, range(300))
        url = f"{server.url}/beam?start=all&connect_s=0.5"
        source: Any = open_source(url)
        assert source.schema.names == NAMES
        assert source.schema.sample_rate_hz == 20.0
        sent = np.stack([np.random.default_rng(shot).normal(size=2) for shot in range(300)])
        np.testing.assert_array_equal(taken(source, 299), sent)
        publish(server, range(300, 340))
        again: Any = open_source(url, expected=source.schema)
        again.begin_after(BEGUN_NS + 299 * STEP_NS)
        np.testing.assert_array_equal(taken(again, 339)[-40:, 0],
                                      [np.random.default_rng(shot).normal() for shot in range(300, 340)])  # fmt: skip
        server.run("topic", "create", "empty", "--partitions", "1")
        with pytest.raises(SettingsError, match=r"has no topic none \(there are: beam, empty\)"):
            _ = open_source(f"{server.url}/none").schema
        with pytest.raises(SourceError, match=r"no message with a value came in 0\.1 s; check the topics"):
            _ = open_source(f"{server.url}/empty?connect_s=0.1").schema


def test_a_broker_that_is_lost_and_back_and_messages_that_make_no_sense(tmp_path: Path) -> None:
    with kafka_server(tmp_path) as server:
        server.run("topic", "create", "beam", "--partitions", "1")
        source: Any = open_source(
            f"{server.url}/beam?connect_s=0.5&lost_s=0.5", expected=Schema("table", NAMES, (), (2,), 20.0)
        )

        def send() -> None:
            publish(server, range(20), 40.0, b'{"time": "soon", "A": 1}')
            server.kill()
            time.sleep(0.5)
            server.start()
            server.run("topic", "create", "beam", "--partitions", "1")
            until = time.monotonic() + 20.0
            while not any(line.endswith(": connected") for line in source.said) and time.monotonic() < until:
                time.sleep(0.05)
            publish(server, range(400, 420), 40.0)

        sender = threading.Timer(0.8, send)
        sender.daemon = True
        sender.start()
        values = taken(source, 419)
        sender.join(30.0)
        assert not sender.is_alive()
    sent = {round(float(np.random.default_rng(shot).normal()), 9) for shot in (*range(20), *range(400, 420))}
    found = [round(float(one), 9) for one in values[:, 0] if np.isfinite(one)]
    assert len(found) == len(set(found)) >= 30
    assert set(found) <= sent
    said = "\n".join(source.messages)
    for what in ("it cannot be reached; tried again", "connected", "time 'soon' is no time"):
        assert what in said
    assert 10 < source.transport.counts["not as the layout says"] <= 20  # what was not read before the kill is lost
    assert said.count("is no time") == 1


@pytest.mark.filterwarnings("ignore")  # of connections of the proxy that were broken off
def test_who_is_refused_is_told_so_in_one_line(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "2", "-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost", "-addext",
            "subjectAltName=IP:127.0.0.1"]  # fmt: skip
    subprocess.run(made, check=True, capture_output=True, timeout=60.0)
    with kafka_server(tmp_path, "--authentication") as server:
        for user in ("", "u:wrong@"):
            with pytest.raises(SettingsError, match=r"refuses this user|does it want kafka\+tls"):
                _ = open_source(f"{server.url.replace('//', '//' + user)}/beam?connect_s=0.1").schema
    port = free_port()
    with kafka_server(tmp_path, advertised=port) as server, tls_proxy(port, server.port, certificate, key):
        secure = server.url.replace("kafka://", "kafka+tls://")
        with pytest.raises(SettingsError, match=r"no trusted connection .* give kafka\+tls"):
            _ = open_source(f"{secure}/beam?connect_s=0.1").schema
        with pytest.raises(SettingsError, match="has no topic beam"):
            _ = open_source(f"{secure}/beam?connect_s=0.1&ca_file={certificate}").schema
    with pytest.raises(SettingsError, match=r"credentials_file .* cannot be read"):
        open_source(f"kafka://127.0.0.1/beam?credentials_file={tmp_path}/none")
