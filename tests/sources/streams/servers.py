"""Real servers for tests, in processes of their own that a test may kill."""

import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PVA = Path(__file__).with_name("pva_server.py")
READY_S, GONE_S = 90.0, 30.0  # on a machine that others use as well


class Server:
    """A process that prints its port, and may be killed."""

    process: subprocess.Popen[str]
    port = "0"

    def begin(self, script: str, *given: object, errors: int | None = None) -> None:
        command = [sys.executable, str(PVA.with_name(script)), *map(str, given)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], READY_S)
        line = self.process.stdout.readline().strip() if ready else ""
        if not line:
            self.kill()
            raise AssertionError(f"{script} was not ready within {READY_S:g} s, or ended: {self.process.returncode}")
        self.port = line

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(GONE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


class PvaServer(Server):
    """A PVA server; `start` again after `kill` takes the same port."""

    def __init__(self, channels: int = 6, rate_hz: float = 50.0) -> None:
        self.channels, self.rate_hz = channels, rate_hz

    def start(self, offset_after_s: float = 1e9) -> None:
        self.begin(PVA.name, self.port, self.channels, self.rate_hz, offset_after_s)


@contextmanager
def pva_server(channels: int = 6, rate_hz: float = 50.0) -> Iterator[PvaServer]:
    server = PvaServer(channels, rate_hz)
    server.start()
    try:
        yield server
    finally:
        server.kill()


class CaServer(Server):
    """A Channel Access IOC; `start` again after `kill` takes the same port."""

    def __init__(self, channels: int, rate_hz: float) -> None:
        self.channels, self.rate_hz = channels, rate_hz

    def start(self) -> None:
        self.begin("ca_server.py", self.port, self.channels, self.rate_hz, errors=subprocess.DEVNULL)


class TangoServer(Server):
    """A Tango device server without a database; `start` again after `kill` takes the same port."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.number = int(free.getsockname()[1])
        self.device = f"tango://127.0.0.1:{self.number}/test/nodb/magnet"

    def start(self) -> None:
        self.begin("tango_server.py", self.number, errors=subprocess.DEVNULL)  # reads that it is ready


class CameraServer(Server):
    """A camera by PVAccess; `start` again after `kill` takes the same port."""

    def __init__(self, rate_hz: float = 20.0, kind: str = "uint8") -> None:
        self.rate_hz, self.kind = rate_hz, kind

    def start(self, fault_after_s: float = 1e9) -> None:
        self.begin("camera_server.py", self.port, self.rate_hz, fault_after_s, self.kind)
