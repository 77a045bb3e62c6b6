"""A stream on the command line: fitted, watched, its server killed and back, an offset found, stopped by SIGTERM."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.sources.streams.servers import pva_server

from lynkeus.monitor.records import StoredAlarm
from lynkeus.monitor.store import Store

pytest.importorskip("p4p")
pytestmark = pytest.mark.slow
LYNKEUS = [sys.executable, "-m", "lynkeus"]
PATIENCE_S = 60.0  # on a machine that others use as well


def until(what: Callable[[], object], patience_s: float = PATIENCE_S) -> float:
    """Wait until something holds; return how long it took."""
    begun = time.monotonic()
    while not what():
        assert time.monotonic() - begun < patience_s, "waited in vain"
        time.sleep(0.1)
    return time.monotonic() - begun


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def published_alarm(port: int) -> None:
    """What operators see: the alarm of the offset with its severity and words, and a heart that beats."""
    from p4p.client.thread import Context

    where = {"EPICS_PVA_NAME_SERVERS": f"127.0.0.1:{port}", "EPICS_PVA_AUTO_ADDR_LIST": "NO", "EPICS_PVA_ADDR_LIST": ""}
    with Context("pva", conf=where, useenv=False) as context:
        rate = context.get("LYN:TEST:ANOMALY:ALARMS_PER_HOUR", timeout=PATIENCE_S)
        score = context.get("LYN:TEST:ANOMALY:SCORE", timeout=PATIENCE_S)
        before = float(context.get("LYN:TEST:HEARTBEAT", timeout=PATIENCE_S))
        assert rate.severity == 2  # MAJOR
        assert "T:1" in rate.raw.alarm.message
        assert "once in" in rate.raw.alarm.message
        assert float(score) > 0
        assert 0 <= float(context.get("LYN:TEST:ANOMALY:P_VALUE", timeout=PATIENCE_S)) < 0.1
        assert int(context.get("LYN:TEST:OPEN", timeout=PATIENCE_S)) >= 1
        until(lambda: float(context.get("LYN:TEST:HEARTBEAT", timeout=PATIENCE_S)) > before)


@pytest.mark.slow(16)
def test_from_a_live_fit_to_an_alarm_across_an_outage(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/live.db"
    with pva_server(rate_hz=100.0) as server:
        names = [f"T:{k}" for k in range(server.channels)] + ["T:VECTOR", "T:SET", "T:NONE"]
        (tmp_path / "list.toml").write_text(f'server = "127.0.0.1:{server.port}"\nconnect_s = 2\npvs = {names}\n')
        stream = f"epics+pva://{tmp_path}/list.toml"
        fit = [*LYNKEUS, "fit", stream, "--for", "4.6s", "-s", "mahalanobis", "--window", "4", "-o", "model"]
        fitted = subprocess.run(fit, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=2 * PATIENCE_S)
        assert fitted.returncode == 0, fitted.stderr
        assert "T:NONE: not connected" in fitted.stderr
        assert "T:SET: slower than the samples" in fitted.stderr

        port = free_port()
        publish = f"epics+pva://LYN:TEST?server=127.0.0.1:{port}"
        command = [*LYNKEUS, "watch", "model", stream, "--store", url, "--budget", "300/h", "--publish", publish]
        watch = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        store = Store(url)
        try:
            until(lambda: [pulse for pulse in store.monitors() if pulse.samples > 100])

            def lost() -> list[StoredAlarm]:
                return store.alarms(output="source")

            server.kill()
            until(lost)
            assert lost()[0].is_open
            begun = time.time()
            server.start(offset_after_s=2.5)
            until(lambda: not lost()[0].is_open)
            assert len(lost()) == 1
            offset_ns = (begun + 1.5) * 1e9
            until(
                lambda: [
                    one
                    for one in store.alarms(output="anomaly")
                    if one.alarm.where == "T:1" and one.alarm.peak_ns > offset_ns
                ]
            )
            published_alarm(port)
            watch.send_signal(signal.SIGTERM)
            _, said = watch.communicate(timeout=PATIENCE_S)
            stopped = store.monitors()[0].stopped
        finally:
            watch.kill()  # where it has not ended by itself
            store.close()
    assert watch.returncode == -signal.SIGTERM, said
    assert "source lost" in said
    assert "source is back" in said
    assert "stopped; everything that was committed is kept" in said
    assert "Traceback" not in said
    assert stopped, said


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["epics+pva://A"], "say how long to listen"),
        (["epics+pva://A,A", "--for", "30s"], "A is there twice"),
        (["epics+pva://A", "--for", "soon"], "--for soon: must be a time such as 30s"),
        (["sim://orbit?hours=0.1", "--for", "30s"], "is no stream"),
    ],
)
def test_what_makes_no_sense_is_one_line(tmp_path: Path, lynkeus: Any, options: list[str], says: str) -> None:
    assert says in lynkeus("fit", *options, "-s", "mahalanobis", "-o", tmp_path / "model").line
