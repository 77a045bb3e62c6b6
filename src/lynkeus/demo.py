"""The demonstration: the whole way from data to a page, on an hour of simulated orbits with three faults."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from lynkeus.commission.commission import CommissionSettings, commission
from lynkeus.commission.report import write_report
from lynkeus.core import Alarm, SettingsError
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.monitor.one_cause import OF_THE_WATCH
from lynkeus.monitor.records import StoredAlarm
from lynkeus.monitor.store import Store
from lynkeus.monitor.watch import WatchSettings, watch
from lynkeus.progress import passes_bar, say, watch_line
from lynkeus.simulate.beam.orbit import RATE_HZ, START_NS, OrbitSource, write_orbits_h5
from lynkeus.sources import open_source, read_layout
from lynkeus.transforms.faults import Fault

NAME, LAYOUT, WINDOW, HOURS = "orbits", "xfel_orbits", 10, 1.0
FAULTS = (
    Fault("noisy", start=9_000, length=300, channel=40, size=2.0),
    Fault("stuck", start=18_000, length=600, channel=150),
    Fault("kick", start=27_000, length=200, channel=10, size=4.0),
)
LATER_NS = START_NS + round(HOURS * 3600 * RATE_HZ) * round(1e9 / RATE_HZ)
SPEED = 240.0  # the hour takes a quarter of a minute


def run(folder: Path, port: int, wait: bool, screen: Console) -> None:
    """Serve, simulate, fit, commission, watch; then keep the page up until Ctrl-C, if asked to."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("watch.db", "watch.db-wal", "watch.db-shm"):
        (folder / name).unlink(missing_ok=True)
    url = f"sqlite:///{folder / 'watch.db'}"
    with contextlib.closing(Store(url)) as store, _pages(url, folder, port) as (pages, address):
        fitted = _prepare(folder, screen)
        say(screen, ["", f"The page:   {address}", f"The report: {folder / 'report.html'}", ""])
        speed = SPEED if wait else 0.0  # who does not wait looks at no page
        pace = f"{speed:.0f} times faster than real" if speed else "as fast as it goes"
        say(screen, [f"watching an hour with three faults, {pace}"])
        source = open_source(folder / "watched.h5", LAYOUT)
        with watch_line(screen) as tick:
            done = watch(fitted, source, store, WatchSettings(NAME, "Simulated orbits", speed=speed), tick)
        planted = f"{len(FAULTS)} faults were planted, and the budget allows one false alarm an hour and output"
        told = [f"  {_explained(stored)}" for stored in reversed(store.alarms(NAME))]
        say(screen, [f"{done.windows} windows, {done.alarms} alarms ({planted}):", *told, f"look at {address}"])
        while wait and pages.poll() is None:
            time.sleep(0.5)


def _explained(stored: StoredAlarm) -> str:
    """One line: an alarm, and which planted fault it is."""
    alarm = stored.alarm
    of = ", ".join(OF_THE_WATCH.get(one, one) for one in (alarm.output, *stored.also))
    at = datetime.fromtimestamp(alarm.start_ns / 1e9, UTC)
    fault = next((one for one in FAULTS if _begins(one, alarm)), None)
    what = f"the planted fault '{fault.kind}'" if fault else "nothing was planted there: a false alarm"
    return f"{at:%H:%M:%S} {alarm.where} ({of}): {what}"


def _begins(fault: Fault, alarm: Alarm) -> bool:
    """Return whether an alarm began during a fault, or in the second before, as windows do."""
    began, ended = (LATER_NS + row * round(1e9 / RATE_HZ) for row in (fault.start, fault.stop))
    return began - round(1e9) <= alarm.start_ns < ended


def _prepare(folder: Path, screen: Console) -> Fitted:
    """Two hours of orbits, a model of the first one, and how good it is."""
    good, watched = folder / "good.h5", folder / "watched.h5"
    with passes_bar(screen, "demo") as bar:
        bar.step("simulating two hours of orbits", 0.0)
        write_orbits_h5(OrbitSource(HOURS, seed=1), good)
        write_orbits_h5(OrbitSource(HOURS, seed=2, faults=FAULTS, start_ns=LATER_NS), watched)
        bar.step("learning from the first hour", 0.3)
        kept = read_layout(LAYOUT).to_dict()
        fitted = fit(open_source(good, LAYOUT), FitSettings("orbit", window=WINDOW, layout=kept))
        fitted.save(folder / "model")
        bar.step("commissioning by planted faults", 0.5)
        write_report(commission(fitted, open_source(good, LAYOUT), CommissionSettings.quick()), folder / "report.html")
    return fitted


@contextlib.contextmanager
def _pages(url: str, folder: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The web pages in a process of their own, and their address; they end with this block."""
    command = [sys.executable, "-m", "lynkeus", "serve", "--store", url, "--port", str(port), "--reports", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pages:
        try:
            assert pages.stdout is not None
            said = pages.stdout.readline().strip()
            address = next((word for word in said.split() if word.startswith("http")), "")
            if not address:
                raise SettingsError(said.removeprefix("lynkeus: ") or "the pages could not be served")
            yield pages, address
        finally:
            pages.terminate()
            with contextlib.suppress(KeyboardInterrupt):  # the same Ctrl-C has reached the pages as well
                pages.communicate()
