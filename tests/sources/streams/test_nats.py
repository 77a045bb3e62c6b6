"""Messages of a real NATS server: read as sent, across an outage; JetStream replayed without loss or doubles."""

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.sources.streams.nats_server import BINARY, NatsServer, nats_server

from lynkeus.core import Schema, SettingsError, SourceError
from lynkeus.core.batch import concatenate
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.monitor.store import Store
from lynkeus.monitor.watch import WatchSettings, watch
from lynkeus.sources import open_source
from lynkeus.sources.streams.nats.messages import values_in
from lynkeus.sources.streams.recorded import Recorded

nats = pytest.importorskip("nats")
pytestmark = [pytest.mark.slow(8), pytest.mark.skipif(not Path(BINARY).is_file(), reason="no nats-server is installed")]
BEGUN_NS = 1_700_000_000_000_000_000
STEP_NS = 100_000_000
NAMES = ("A", "B", "C")


def message(shot: int) -> bytes:
    values = np.random.default_rng(shot).normal(size=3)
    fields = {name: float(value) for name, value in zip(NAMES, values, strict=True)}
    return json.dumps({"time": BEGUN_NS + shot * STEP_NS, "values": fields}).encode()


def publish(server: NatsServer, shots: range, stream: str = "", other: bytes = b"", rate_hz: float = 0.0) -> None:
    async def send() -> None:
        client = await nats.connect(server.url)
        js = client.jetstream()
        if stream and not shots.start:
            await js.add_stream(name=stream, subjects=["beam.>"])
        for shot in shots:
            if stream:
                await js.publish("beam.x", message(shot))
            else:
                await client.publish("beam.x", message(shot))
            if other:
                await client.publish("beam.x", other)
            await asyncio.sleep(1 / rate_hz if rate_hz else 0.0)
        await client.close()

    asyncio.run(asyncio.wait_for(send(), 60.0))


def test_a_stream_is_replayed_without_loss_or_doubles_across_kills(tmp_path: Path) -> None:
    with nats_server(tmp_path / "js") as server:
        publish(server, range(600), "BEAM")
        url = f"{server.url}/beam.x?stream=BEAM&connect_s=1"
        recorded = Recorded(open_source(url), 40.0)  # type: ignore[arg-type]
        rows = recorded.rows
        assert recorded.schema.names == NAMES
        assert len(rows) == 400  # seconds of the recording, not of the clock on the wall
        assert rows.time_ns is not None
        np.testing.assert_array_equal(rows.time_ns, BEGUN_NS + np.arange(400) * STEP_NS)
        np.testing.assert_array_equal(rows.values[7], np.random.default_rng(7).normal(size=3))

        fitted = fit(recorded, FitSettings("mahalanobis", window=4))
        store = Store(f"sqlite:///{tmp_path}/s.db")

        def watched(until: int, at: Callable[[int], None] = lambda windows: None) -> None:
            """As if it were killed: what was not committed by then is lost with the process."""
            source: Any = open_source(url, expected=fitted.view.schema)
            source.for_s = 200.0  # more than the stream holds: what does not come is waited for no longer

            def tick(run: Any) -> None:
                windows = len(store.points("monitor", "anomaly", at_most=10_000))
                at(windows)
                if windows >= until:
                    raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                watch(fitted, source, store, WatchSettings(), tick)

        watched(60)
        publish(server, range(600, 1200), "BEAM")

        def outage(windows: int) -> None:
            if windows >= 160 and not killed.is_set():
                killed.set()
                server.kill()
                server.start()
                publish(server, range(1200, 1600), "BEAM")

        killed = threading.Event()
        watched(400, outage)
        assert killed.is_set()
        starts = [one.start_ns for one in store.points("monitor", "anomaly", at_most=10_000)]
        assert starts == [BEGUN_NS + k * 4 * STEP_NS for k in range(400)]
        store.close()


def test_live_messages_an_outage_and_what_is_not_as_the_layout_says(tmp_path: Path) -> None:
    schema = Schema("table", NAMES, (), (3,), 20.0)
    with nats_server(tmp_path / "js") as server:
        source: Any = open_source(f"{server.url}/beam.>?connect_s=0.5&lost_s=0.5", expected=schema)
        source.for_s = 30.0

        def send() -> None:
            publish(server, range(20), "", b'{"time": "soon", "A": 1}', 40.0)
            server.kill()
            time.sleep(0.6)
            server.start()
            until = time.monotonic() + 20.0
            while not source.transport._link.connected and time.monotonic() < until:
                time.sleep(0.05)
            publish(server, range(60, 80), "", b"", 40.0)

        sender = threading.Thread(target=send, daemon=True)
        rows = []
        begun = threading.Timer(0.7, sender.start)
        begun.start()
        for batch in source:
            rows.append(batch)
            if (batch.values[:, 0] == np.random.default_rng(79).normal()).any():
                break
        source.close()
        sender.join(30.0)
        assert not sender.is_alive()
    values = concatenate(rows).values
    sent = {round(float(np.random.default_rng(shot).normal()), 9) for shot in (*range(20), *range(60, 80))}
    found = values[~np.isnan(values).all(axis=1), 0]
    assert len(found) == len(set(found)) >= 30
    assert {round(float(one), 9) for one in found} <= sent
    said = "\n".join(source.messages)
    for what in ("the connection was lost", "is not connected; masked until it is back", "time 'soon' is no time"):
        assert what in said
    assert source.transport.counts["not as the layout says"] == 20
    assert said.count("is no time") == 1


def test_numbers_in_all_forms_of_messages() -> None:
    def of(text: str) -> list[tuple[Any, ...]]:
        return [(one.name, one.stamp_ns, one.tag, one.value) for one in values_in(text.encode(), "sub.ject")]

    at = 1_700_000_000_500_000_000
    assert of('{"time": 1700000000.5, "channel": "A", "value": 2}') == [("A", at, 0, 2.0)]
    assert of('{"time": "2023-11-14T22:13:20.5Z", "A": 1, "B": 2}') == [("A", at, 0, 1.0), ("B", at, 0, 2.0)]
    assert of('[{"time": 1700000000500, "train_id": 7, "values": {"A": 1}}]') == [("A", at, 7, 1.0)]
    assert of("3.5") == [("sub.ject", 0, 0, 3.5)]
    for text, says in (
        ("{", "is no JSON"), ('{"time": -1, "A": 1}', "must be a time"), ('{"A": "x"}', "A must be a number"),
        ('{"time": 1}', "holds no value"), ('{"values": [1]}', "values must be an object"),
        (f'{{"A": 1{"0" * 400}}}', "too large"), (f'{{"time": 1{"0" * 30}, "A": 1}}', "too large"),
        (f'{{"pulse": 1{"0" * 30}, "A": 1}}', "too large"), ('{"\\ud800": 1}', "is no name of a channel"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=says):
            of(text)


def test_who_is_refused_is_told_so_in_one_line(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "2", "-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost", "-addext",
            "subjectAltName=IP:127.0.0.1"]  # fmt: skip
    subprocess.run(made, check=True, capture_output=True, timeout=60.0)
    with nats_server(tmp_path / "a", "--user", "u", "--pass", "p") as server:
        with pytest.raises(SettingsError, match="refuses this user; give nats://USER:PASSWORD@HOST"):
            _ = open_source(f"{server.url}/x?connect_s=0.1").schema
        for scheme in ("tls", "nats+tls"):  # not in plain, where it was not asked for
            with pytest.raises(SettingsError, match="speaks no TLS; write nats://HOST"):
                _ = open_source(f"{scheme}://u:p@127.0.0.1:{server.port}/x?connect_s=0.1").schema
        let_in = server.url.replace("//", "//u:p@")
        with pytest.raises(SettingsError, match="has no stream 'NO'"):
            _ = open_source(f"{let_in}/x?stream=NO&connect_s=0.1").schema
        with pytest.raises(SourceError, match=r"no message with a value came in 0\.1 s"):
            _ = open_source(f"{let_in}/x?connect_s=0.1").schema
    with nats_server(tmp_path / "b", "--tls", "--tlscert", str(certificate), "--tlskey", str(key)) as server:
        secure = server.url.replace("nats://", "tls://")
        with pytest.raises(SettingsError, match=r"is not trusted .* give ca_file=FILE"):
            _ = open_source(f"{secure}/x?connect_s=0.1").schema
        with pytest.raises(SourceError, match="no message with a value came"):
            _ = open_source(f"{secure}/x?connect_s=0.1&ca_file={certificate}").schema


@pytest.mark.parametrize("scheme", ["nats", "kafka"])
def test_a_password_that_makes_no_address_is_not_shown(scheme: str) -> None:
    with pytest.raises(SettingsError, match="is written as %2F") as refused:
        _ = open_source(f"{scheme}://ada:s3cret/x@127.0.0.1:4333/beam").schema
    assert "s3cret" not in str(refused.value)
