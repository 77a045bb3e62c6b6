"""Real servers for tests, in processes of their own that a test may kill."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PVA = Path(__file__).with_name("pva_server.py")


class PvaServer:
    """A PVA server; `start` again after `kill` takes the same port."""

    def __init__(self, channels: int = 6, rate_hz: float = 50.0) -> None:
        self.channels, self.rate_hz = channels, rate_hz
        self.port = "0"

    def start(self, offset_after_s: float = 1e9) -> None:
        command = [sys.executable, str(PVA), self.port, str(self.channels), str(self.rate_hz), str(offset_after_s)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def pva_server(channels: int = 6, rate_hz: float = 50.0) -> Iterator[PvaServer]:
    server = PvaServer(channels, rate_hz)
    server.start()
    try:
        yield server
    finally:
        server.kill()


class CaServer:
    """A Channel Access IOC; `start` again after `kill` takes the same port."""

    def __init__(self, channels: int, rate_hz: float) -> None:
        self.channels, self.rate_hz, self.port = channels, rate_hz, "0"

    def start(self) -> None:
        command = [sys.executable, str(PVA.with_name("ca_server.py")), self.port, str(self.channels), str(self.rate_hz)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        self.port = self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
