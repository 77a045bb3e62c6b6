"""Kernels for notebooks: each begins as a fork of one process that has imported what the notebooks import.

An interpreter that imports PyTorch, Matplotlib and this package takes four seconds, as long as many a notebook. Nothing
else is shared: what a kernel does stays in its own process.

    python notebook_kernels.py serve SOCKET NOTEBOOK ...     imports, then waits
    python notebook_kernels.py begin SOCKET CONNECTION_FILE  what Jupyter starts: a kernel, until it has ended
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path

USED = "seconds"  # a file beside the socket: processor seconds of each kernel that has ended, by its connection file
WANTED = ("ipykernel.kernelapp", "matplotlib.pyplot")


def begin(address: str, connection: str) -> int:
    """Ask for a kernel that speaks through this process's files; return how it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Jupyter sends one before it asks a kernel to end
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as speaks:
        speaks.connect(address)
        asked = json.dumps({"connection": connection, "cwd": os.getcwd(), "env": dict(os.environ)}).encode()
        socket.send_fds(speaks, [len(asked).to_bytes(4, "big")], [0, 1, 2])
        speaks.sendall(asked)
        said = speaks.recv(1)  # once it has ended
    return said[0] if said else 1


def serve(address: str, notebooks: list[str]) -> None:
    """Import what the notebooks import; then fork a kernel for each that asks."""
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # as kernels have it
    for name in (*WANTED, *_imported(notebooks)):
        with contextlib.suppress(ImportError):  # the notebook says what it lacks
            __import__(name)
    _note(address, "imports", *os.times()[:2])
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listens:
        listens.bind(address)
        listens.listen()
        while True:
            speaks, _ = listens.accept()
            size, files, _, _ = socket.recv_fds(speaks, 4, 3)
            asked = b""
            while len(asked) < int.from_bytes(size, "big"):
                asked += speaks.recv(1 << 16)
            child = os.fork()
            if child == 0:
                listens.close()
                speaks.close()
                _be_kernel(json.loads(asked), files)
            for number in files:
                os.close(number)
            threading.Thread(
                target=_until_it_ends, args=(address, child, speaks, json.loads(asked)), daemon=True
            ).start()


def _imported(notebooks: list[str]) -> list[str]:
    """Names of the modules that the cells import, in their order."""
    import ast

    found: dict[str, None] = {}
    for path in notebooks:
        for cell in json.loads(Path(path).read_text("utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                for node in ast.walk(ast.parse("".join(cell["source"]))):
                    names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
                    names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
                    found |= dict.fromkeys(names)
    return list(found)


def _be_kernel(asked: dict[str, object], files: list[int]) -> None:
    """Become the kernel that was asked for; never returns."""
    ended = 1
    try:
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(str(asked["cwd"]))
        os.environ.update(asked["env"])  # type: ignore[call-overload]
        from ipykernel.kernelapp import launch_new_instance

        launch_new_instance(argv=["-f", str(asked["connection"])])
        ended = 0
    except SystemExit as said:
        ended = int(said.code or 0)
    finally:
        os._exit(ended)


def _until_it_ends(address: str, child: int, speaks: socket.socket, asked: dict[str, object]) -> None:
    """Note what a kernel used, and say that it ended; kill it where nobody waits for it any more."""
    gone = threading.Thread(target=_kill_when_left, args=(speaks, child), daemon=True)
    gone.start()
    _, status, used = os.wait4(child, 0)
    _note(address, str(asked["connection"]), used.ru_utime, used.ru_stime)
    with contextlib.suppress(OSError):
        speaks.sendall(bytes([min(abs(os.waitstatus_to_exitcode(status)), 255)]))
        speaks.shutdown(socket.SHUT_RDWR)


def _kill_when_left(speaks: socket.socket, child: int) -> None:
    with contextlib.suppress(OSError):
        speaks.recv(1)  # it says nothing more: this is its end
        os.kill(child, signal.SIGKILL)  # none where the kernel has ended


def _note(address: str, whose: str, *seconds: float) -> None:
    with Path(address).with_name(USED).open("a", encoding="utf-8") as file:
        file.write(json.dumps([whose, sum(seconds)]) + "\n")


def seconds_of(address: Path, whose: str) -> float:
    """Processor seconds of a kernel that has ended, with those of what it found imported."""
    noted = dict(map(json.loads, address.with_name(USED).read_text("utf-8").splitlines()))
    return float(noted[whose] + noted["imports"])


if __name__ == "__main__":
    if sys.argv[1] == "begin":
        sys.exit(begin(*sys.argv[2:]))
    serve(sys.argv[2], sys.argv[3:])
