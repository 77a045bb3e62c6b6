"""The demonstration: the whole way from data to a page, on an hour of simulated orbits with three faults."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from lynkeus.evaluate.commission import CommissionSettings, commission
from lynkeus.evaluate.commission_report import write_report
from lynkeus.evaluate.fitting import FitSettings, fit
from lynkeus.monitor.store import Store
from lynkeus.monitor.watch import WatchSettings, watch
from lynkeus.progress import passes_bar, watch_line
from lynkeus.simulate.orbit import OrbitSource, write_orbits_h5
from lynkeus.sources import open_source, read_layout
from lynkeus.transforms.faults import Fault

NAME, LAYOUT, WINDOW = "orbits", "xfel_orbits", 10
FAULTS = (
    Fault("noisy", start=9_000, length=300, channel=40, size=2.0),
    Fault("stuck", start=18_000, length=600, channel=150),
    Fault("kick", start=27_000, length=200, channel=10, size=4.0),
)
SPEED = 240.0  # the hour takes a quarter of a minute


def run(folder: Path, port: int, wait: bool, screen: Console) -> None:
    """Simulate, fit, commission, serve, watch; then keep the page up until Ctrl-C, if asked to."""
    folder.mkdir(parents=True, exist_ok=True)
    good, watched, store = folder / "good.h5", folder / "watched.h5", folder / "watch.db"
    with passes_bar(screen, "demo") as bar:
        bar.step("simulating two hours of orbits", 0.0)
        write_orbits_h5(OrbitSource(hours=1.0, seed=1), good)
        write_orbits_h5(OrbitSource(hours=1.0, seed=1, faults=FAULTS, start_ns=_end_ns(good)), watched)
        bar.step("learning from the first hour", 0.4)
        kept = read_layout(LAYOUT).to_dict()
        fitted = fit(open_source(good, LAYOUT), FitSettings("orbit", window=WINDOW, layout=kept))
        fitted.save(folder / "model")
        bar.step("commissioning by planted faults", 0.6)
        found = commission(fitted, open_source(good, LAYOUT), CommissionSettings.quick())
        write_report(found, folder / "report.html")
    for item in (store, folder / "watch.db-wal", folder / "watch.db-shm"):
        item.unlink(missing_ok=True)
    address = f"http://127.0.0.1:{port}/"
    command = ["-m", "lynkeus", "serve", "--store", f"sqlite:///{store}", "--port", str(port), "--reports", str(folder)]
    with contextlib.closing(Store(f"sqlite:///{store}")) as opened:
        pages = subprocess.Popen([sys.executable, *command])
        try:
            screen.print(f"\nThe page: [bold]{address}[/bold]   the report: {folder / 'report.html'}\n", highlight=False)
            screen.print(f"watching an hour with three faults, {SPEED:.0f} times faster than real", highlight=False)
            settings = WatchSettings(NAME, "Simulated orbits", speed=SPEED)
            with watch_line(screen) as tick:
                done = watch(fitted, open_source(watched, LAYOUT), opened, settings, tick)
            screen.print(f"{done.windows} windows, {done.alarms} alarms; look at {address}", highlight=False)
            while wait and pages.poll() is None:
                time.sleep(0.5)
        finally:
            pages.terminate()
            pages.wait()
