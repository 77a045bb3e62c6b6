"""lynkeus run, as systemd would start it: a child killed, another given up, a new model, a typo, the end."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lynkeus.core import StoreError
from lynkeus.fitting.fitted import Fitted
from lynkeus.monitor.records import Owner
from lynkeus.monitor.service.models import own_folder
from lynkeus.monitor.service.records import claim_service, service_of, supervised
from lynkeus.monitor.store import Store

pytestmark = pytest.mark.slow(6)
PATIENCE_S = 90.0  # on a machine that others use as well
SITE = """
store = "{store}"
replay = 30
[service]
give_up_after = 2
backoff_s = 0.2
reload_s = 0.3
[[monitors]]
name = "a"
source = "{source}"
model = "model"
shadow_windows = 10
memory = "2 GB"
"""
BROKEN = '[[monitors]]\nname = "broken"\nsource = "nothing.h5"\nmodel = "model"\n'


def until(what: Callable[[], object]) -> None:
    begun = time.monotonic()
    while not what():
        assert time.monotonic() - begun < PATIENCE_S, "waited in vain"
        time.sleep(0.05)


@contextmanager
def ending(service: subprocess.Popen[bytes]) -> Iterator[None]:
    """What fails within leaves no service behind."""
    try:
        yield
    except BaseException:
        service.kill()
        service.wait(PATIENCE_S)
        raise


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.slow(16)
def test_a_service_from_its_start_to_its_end(orbits: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/watch.db"
    fitted = Fitted.load(orbits.model)
    fitted.save(tmp_path / "model")
    site = tmp_path / "site.toml"
    text = SITE.format(store=url, source="sim://orbit?hours=2&seed=1")
    site.write_text(text + BROKEN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd, (tmp_path / "log").open("w") as log:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE_S)
        told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        command = [sys.executable, "-m", "lynkeus", "run", str(site)]
        service = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, env=os.environ | told)
        heard: list[str] = []

        def greeted() -> bool:
            heard.append(systemd.recv(4096).decode())
            return "READY=1" in "".join(heard) and "WATCHDOG=1" in "".join(heard)

        with ending(service):
            until(greeted)
        systemd.settimeout(0.0)

        def said(event: str) -> list[str]:
            lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
            return [line["message"] for line in lines if line["event"] == event]

        store = Store(url)

        def windows() -> int:
            return len(store.points("a", "monitor", at_most=100_000))

        try:
            with pytest.raises(StoreError, match="two services on one store"):
                claim_service(store, Owner.here(), "other.toml")
            until(lambda: supervised(store)["broken"].state == "gave up")
            assert "nothing.h5: no such file" in supervised(store)["broken"].says
            until(lambda: windows() > 5)
            os.kill(supervised(store)["a"].pid, signal.SIGKILL)
            until(lambda: supervised(store)["a"].restarts == 1 and supervised(store)["a"].state == "running")
            seen = windows()
            until(lambda: windows() > seen)
            fitted.save(tmp_path / "model")  # whoever writes a new model into the same folder
            until(lambda: said("promoted"))
            site.write_text(text.replace("memory", "memroy"))
            until(lambda: any("did you mean memory?" in line for line in said("reload")))
            site.write_text(text)
            until(lambda: any("was read again: 1 monitors" in line for line in said("reload")))
            pid = supervised(store)["a"].pid
        finally:
            service.send_signal(signal.SIGTERM)
            with ending(service):
                code = service.wait(PATIENCE_S)
    assert code == 0
    assert gone(pid)
    assert supervised(store)["a"].state == "stopped"
    assert service_of(store) == (f"service {site}: stopped ({socket.gethostname()}, {service.pid})", False)
    # killed, and taken over by another model: nothing is lost, and nothing is there twice
    starts = np.array([one.start_ns for one in store.points("a", "monitor", at_most=100_000)])
    assert set(np.diff(starts)) == {1_000_000_000}
    store.close()


def test_a_supervisor_that_is_killed_leaves_nothing_behind(
    orbits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/watch.db"
    (tmp_path / "model").symlink_to(orbits.model)
    (tmp_path / "site.toml").write_text(SITE.format(store=url, source="sim://orbit?hours=2&seed=1"))
    command, own = [sys.executable, "-m", "lynkeus", "run", "site.toml"], os.environ | {"TMPDIR": str(tmp_path)}
    service = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, env=own)
    store = Store(url)
    with ending(service):
        until(lambda: "a" in supervised(store))
    pid = supervised(store)["a"].pid
    service.kill()
    service.wait(PATIENCE_S)
    until(lambda: gone(pid))
    claim_service(store, Owner.here(), "next.toml")  # and the next one may begin at once
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (left,) = tmp_path.glob("lynkeus-run-*")
    with own_folder() as folder, own_folder() as other:
        assert set(tmp_path.glob("lynkeus-run-*")) == {folder, other}
        assert not left.exists()
    store.close()
