"""Alarms at real servers: a webhook that fails at first, Alertmanager's API, a logbook, NATS, process variables."""

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.sources.streams.kafka_server import BUNDLED, kafka_server
from tests.sources.streams.nats_server import BINARY, nats_server

from lynkeus.core import Alarm, AlarmRule, SettingsError
from lynkeus.fitting.fitted import Fitted
from lynkeus.monitor.publish.deliver import Delivered
from lynkeus.monitor.publish.sink import Publishing, Sinks
from lynkeus.monitor.records import Commit, Monitor, Owner, ResumePoint
from lynkeus.monitor.store import Store
from lynkeus.monitor.watch import WatchSettings, watch
from lynkeus.sources import open_source

PATIENCE_S = 60.0


def until(what: Callable[[], object]) -> None:
    begun = time.monotonic()
    while not what():
        assert time.monotonic() - begun < PATIENCE_S, "waited in vain"
        time.sleep(0.05)


class Receiver(BaseHTTPRequestHandler):
    """Keeps what is sent to it; refuses the first `failing` of each path with 503, and all of /bad with 400."""

    got: list[tuple[str, dict[str, str], bytes]]
    failing: dict[str, int]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.failing.get(self.path, 0) > 0:
            self.failing[self.path] -= 1
            self.send_error(503)
            return
        if self.path == "/bad":
            self.send_error(400)
            return
        self.got.append((self.path, dict(self.headers), body))
        self.send_response(302 if self.path.startswith("/elog") else 200)
        self.send_header("Location", "1")
        self.end_headers()

    def log_message(self, *_given: Any) -> None:
        return


@pytest.fixture
def receiver() -> Iterator[Any]:
    made = type("Made", (Receiver,), {"got": [], "failing": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), made) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield type("At", (), {"url": f"127.0.0.1:{server.server_port}", "got": made.got, "failing": made.failing})
        server.shutdown()


@pytest.fixture
def about(orbits: Any, tmp_path: Path) -> Iterator[Publishing]:
    with closing(Store(f"sqlite:///{tmp_path}/s.db")) as store:
        told: list[str] = []
        rule = AlarmRule(20.0, 3.0, 5.0)
        yield Publishing(Fitted.load(orbits.model), rule, store, "beam", "Beam", told.append)


def watched(about: Publishing, orbits: Any, sinks: Sinks) -> None:
    source = open_source(orbits.later, about.fitted.view.layout and "xfel_orbits")
    watch(about.fitted, source, about.store, WatchSettings("beam", "Beam", about.rule), sinks)


def test_every_alarm_arrives_at_every_sink(about: Publishing, orbits: Any, receiver: Any, tmp_path: Path) -> None:
    pytest.importorskip("p4p")
    pytest.importorskip("nats")
    kafka = pytest.importorskip("confluent_kafka")
    if not Path(BINARY).is_file() or not BUNDLED.is_file():
        pytest.skip("nats-server, or a Kafka broker, is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    receiver.failing["/hook"] = 2
    told: list[str] = about.tell.__self__  # type: ignore[attr-defined]
    with nats_server(tmp_path / "js") as server, kafka_server(tmp_path) as broker:
        broker.run("topic", "create", "lyn", "--partitions", "1")
        heard = _heard(server.url)
        sinks = Sinks([
            f"http://{receiver.url}/hook", f"alertmanager+http://{receiver.url}", f"elog+http://u:p%2F1@{receiver.url}/elog/ops",
            f"elog+file://{tmp_path}/elog", f"{server.url}/lyn", f"epics+pva://LYN:S?server=127.0.0.1:{port}",
            f"http://{receiver.url}/bad", f"{broker.url}/lyn",
        ])  # fmt: skip
        with closing(sinks):
            assert len(sinks.begin(about)) == 8
            watched(about, orbits, sinks)
            alarms = about.store.alarms("beam")
            assert alarms
            until(lambda: len([one for one in receiver.got if one[0] == "/hook"]) == 2 * len(alarms))
            until(lambda: len(receiver.got) == 6 * len(alarms))
            until(lambda: len(list((tmp_path / "elog").glob("*.txt"))) == 2 * len(alarms))
            _put_by_an_operator(port, about, alarms[0].alarm.output)
            until(
                lambda: {fields["state"] for subject, fields in heard if subject == "lyn.alarms"} == {"open", "closed"}
            )
        kept = _kept(kafka, broker.address)
    assert {key for key, _ in kept} == {b"monitor", b"beam", b"heartbeat", b"alarms"}
    assert {one["state"] for key, one in kept if key == b"alarms"} == {"open", "closed"}
    keys = [key for key, _ in kept]
    assert keys.count(b"monitor") == keys.count(b"heartbeat") > 3
    bodies = [(json.loads(body), headers) for path, headers, body in receiver.got if path == "/hook"]
    assert (bodies[0][0]["alarm_id"], bodies[0][0]["state"]) == (alarms[-1].id, "open")
    assert len({headers["Idempotency-Key"] for _, headers in bodies}) == 2 * len(alarms)
    assert any("does not take it (503 Service Unavailable)" in line for line in told)
    assert any("reached again" in line for line in told)
    assert any("it is left out" in line for line in told)
    opened, closed = ([json.loads(b)[0] for p, _, b in receiver.got if p == "/api/v2/alerts"][k] for k in (0, -1))
    assert {"labels", "annotations", "startsAt", "endsAt"} == opened.keys()
    assert closed["endsAt"] < opened["endsAt"]
    form = next((headers, body) for path, headers, body in receiver.got if path == "/elog/ops")
    assert base64.b64decode(form[0]["Authorization"].removeprefix("Basic ")) == b"u:p/1"
    assert b'name="Subject"' in form[1]
    kinds = {subject for subject, _ in heard}
    assert {"lyn.monitor", "lyn.beam", "lyn.heartbeat", "lyn.alarms"} <= kinds
    assert {fields["state"] for subject, fields in heard if subject == "lyn.alarms"} == {"open", "closed"}


def _kept(kafka: Any, address: str) -> list[tuple[bytes, dict[str, Any]]]:
    """All that the topic holds."""
    reader = kafka.Consumer({"bootstrap.servers": address, "group.id": "test", "auto.offset.reset": "earliest"})
    reader.assign([kafka.TopicPartition("lyn", 0, 0)])
    found: list[Any] = []

    def all_there() -> bool:
        found.extend(reader.consume(100, 0.5))
        return bool(found) and found[-1].key() == b"heartbeat"  # of the last commit: the next one would be beyond

    until(all_there)
    reader.close()
    return [(one.key(), json.loads(one.value())) for one in found]


def _heard(url: str) -> list[tuple[str, dict[str, Any]]]:
    """What a subscriber of its own hears."""
    import asyncio

    import nats

    found: list[tuple[str, dict[str, Any]]] = []
    ready = threading.Event()

    async def listen() -> None:
        async def took(message: Any) -> None:
            found.append((message.subject, json.loads(message.data)))

        client = await nats.connect(url, allow_reconnect=False)
        await client.subscribe("lyn.>", cb=took)
        await client.flush()
        ready.set()
        while client.is_connected:
            await asyncio.sleep(0.1)
        await client.close()

    threading.Thread(target=lambda: asyncio.run(listen()), daemon=True).start()
    assert ready.wait(PATIENCE_S)
    return found


def _put_by_an_operator(port: int, about: Publishing, output: str) -> None:
    from p4p.client.thread import Context, RemoteError

    where = {"EPICS_PVA_NAME_SERVERS": f"127.0.0.1:{port}", "EPICS_PVA_AUTO_ADDR_LIST": "NO", "EPICS_PVA_ADDR_LIST": ""}
    with Context("pva", conf=where, useenv=False) as context:
        context.put(f"LYN:S:{output.upper()}:ACKNOWLEDGE", "Ada: on my way", timeout=PATIENCE_S)
        context.put(f"LYN:S:{output.upper()}:VERDICT", "not real Ada: steering", timeout=PATIENCE_S)
        with pytest.raises(RemoteError, match="must begin with real"):
            context.put(f"LYN:S:{output.upper()}:VERDICT", "perhaps", timeout=PATIENCE_S)
    last = about.store.alarms("beam", output, limit=1)[0]
    assert (last.seen_by, last.verdict) == ("Ada", "not real")
    (said,) = about.store.verdicts("beam")
    assert (said.who, said.note) == ("Ada", "steering")


def test_what_was_not_delivered_is_delivered_by_the_next_watch(about: Publishing, orbits: Any, receiver: Any) -> None:
    receiver.failing["/later"] = 10**6
    sink = Delivered(f"http://{receiver.url}/later")
    sink.begin(about)
    watched(about, orbits, Sinks([]))
    sink.close()  # as if the watch had been killed
    assert not receiver.got
    receiver.failing["/later"] = 0
    again = Delivered(f"http://{receiver.url}/later")
    again.begin(about)
    number = len(about.store.alarms("beam"))
    until(lambda: len(receiver.got) == 2 * number > 0)
    again.close()
    third = Delivered(f"http://{receiver.url}/later")
    third.begin(about)
    third.close()
    assert len(receiver.got) == 2 * number


def test_one_cause_is_sent_once(about: Publishing, tmp_path: Path) -> None:
    owner, first, later = Owner.here(), Alarm("monitor", 5, 6, 9.0, 0.1, "A"), Alarm("silent", 4, 4, 1.0, 0.5, "A")
    own = Alarm("beam", 7, 7, 9.0, 0.1, "A")  # told before anybody knew what it belongs to
    about.store.claim(Monitor("beam", outputs=("monitor", "beam")), owner)
    sink = Delivered(f"elog+file://{tmp_path}/elog")
    sink.begin(about)
    nothing, whole = {"evidence": [1.0]}, ("monitor", 5)
    parts = ((("silent", 4), whole), (("beam", 7), whole))
    about.store.commit("beam", owner, Commit(ResumePoint(1, 1), opened=((first, nothing), (own, nothing))))
    until(lambda: len(list((tmp_path / "elog").glob("*.txt"))) == 2)
    about.store.commit("beam", owner, Commit(ResumePoint(2, 2), opened=((later, nothing),), parts=parts))
    over = tuple(replace(one, end_ns=9) for one in (own, later, first))
    about.store.commit("beam", owner, Commit(ResumePoint(3, 3), closed=over))
    sink.close()
    said = sorted(path.read_text().partition("\n")[0] for path in (tmp_path / "elog").glob("*.txt"))
    assert [line.partition(",")[0] for line in said if "open since" in line] == ["Beam: beam A", "Beam: monitor A"]
    assert [line.partition(", over")[0] for line in said if "over after" in line] == [
        "Beam: beam A", "Beam: monitor, beam, dead or stuck A",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("smoke://signal", "must be epics"), ("http:///path", "names no host"),
        ("http://u:s3c/ret@h/x", "--publish http://...: is no address; in a password"),
        ("http://[::1/x", "is no address"), ("elog+file:///", "must name a folder"),
        ("nats://host", "must be nats://HOST/PREFIX"), ("nats://host/a.>", "must be nats://HOST/PREFIX"),
        ("epics+pva://", "must be epics"),
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_one_line(url: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Sinks([url])
