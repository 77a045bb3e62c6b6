"""A real NATS server of its own process, with JetStream, a login or TLS where they are asked for."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BINARY = shutil.which("nats-server") or str(Path(sys.executable).with_name("nats-server"))


class NatsServer:
    """`start` again after `kill` takes the same port, and the same folder of JetStream."""

    def __init__(self, folder: Path, *options: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.url = f"nats://127.0.0.1:{self.port}"
        self.command = [BINARY, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(folder), *options]

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0) as there:
                if there.getsockname() != there.getpeername():  # of a port that nobody has it may be its own
                    return
            assert self.process.poll() is None, "nats-server has ended"
            time.sleep(0.05)
        raise AssertionError("nats-server does not listen")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30.0)


@contextmanager
def nats_server(folder: Path, *options: str) -> Iterator[NatsServer]:
    server = NatsServer(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()
