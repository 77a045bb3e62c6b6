"""lynkeus status, prune and backup: what monitors do, how much of what they kept is kept on, and a copy of it."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lynkeus.cli.options import SiteFile, StoreUrl, screen
from lynkeus.cli.run import run
from lynkeus.progress import passes_bar, say

if TYPE_CHECKING:
    from lynkeus.monitor.records import Pulse
    from lynkeus.monitor.service.records import Supervised
    from lynkeus.monitor.store import Store

QUIET_S = 30.0  # a monitor without a heartbeat for so long may be taken over by another process
NS = 1_000_000_000
ENDED_SHOWN = 5  # commands that have ended
GOOD = ("running", "starting", "finished", "stopped", "stopping")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(run)
    app.command()(status)
    app.command()(prune)
    app.command()(backup)


def status(store: StoreUrl = None, site: SiteFile = None) -> None:
    """Show what each monitor of a store does, and what long commands are at work: how far, since when, by how many.

    Exit code 1 where a monitor is silent, was given up or has an open alarm. Without a store: what is at work.
    """
    from lynkeus.files.at_work import RUNNING, all_at_work

    found = all_at_work()
    over = [one for one in found if one.state != RUNNING]
    work = [one.words() for one in found if one not in over[ENDED_SHOWN:]]
    work += [f"... and {len(over) - ENDED_SHOWN} more that ended"] if len(over) > ENDED_SHOWN else []
    service, lines = "", list[tuple[str, bool]]()
    if store is not None or site is not None or is_there(_usual()):
        service, lines = _monitors(url_of(store, site))
    if service:
        typer.echo(service)
    for line, _ in lines:
        typer.echo(line)
    if not lines and (store is not None or site is not None):
        typer.echo("no monitor has written into this store yet")
    for line in work or ([] if lines or store or site else ["nothing is at work; --store shows monitors"]):
        typer.echo(line)
    raise typer.Exit(1 if any(bad for _, bad in lines) else 0)


def _monitors(url: str) -> tuple[str, list[tuple[str, bool]]]:
    """Return what there is to say of a service, and a line of each monitor with whether somebody should look."""
    from lynkeus.monitor.conditions import conditions
    from lynkeus.monitor.service.records import service_of, supervised
    from lynkeus.monitor.store import Store

    with contextlib.closing(Store(url)) as kept:
        by_service, (service, alive) = supervised(kept), service_of(kept)
        sources = conditions(kept)
        known = kept.monitors()
        lines = [_line(kept, pulse, by_service.get(pulse.monitor.name)) for pulse in known]
        lines = [(f"{line}{_source(sources.get(pulse.monitor.name), pulse)}", bad) for (line, bad), pulse in
                 zip(lines, known, strict=True)]  # fmt: skip
        started = {pulse.monitor.name for pulse in known}
        lines += [(f"{one.monitor}: {_supervised(one)}", one.state not in GOOD) for name, one in by_service.items()
                  if name not in started and (alive or one.state == "gave up")]  # fmt: skip
    return service, lines


def prune(
    keep: Annotated[
        str | None,
        typer.Option(help="How much: 400d, 52w, 48h before each monitor's last; left out: as the site says"),
    ] = None,
    store: StoreUrl = None,
    site: SiteFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how much would go; nothing is removed")] = False,
) -> None:
    """Remove the scores of windows that are older; alarms, evidence and verdicts stay. Monitors may go on meanwhile."""
    from lynkeus.core import SettingsError
    from lynkeus.monitor.site import SiteSettings
    from lynkeus.monitor.store import Store

    keep = SiteSettings.read(site).keep if keep is None else keep
    if not keep:
        raise SettingsError('--keep: say how much is kept, as 400d; or write keep = "400d" into the file of --site')
    kept_ns = _seconds(keep) * NS
    with contextlib.closing(Store(url_of(store, site))) as kept:
        older = {
            pulse.monitor.name: round(pulse.last_end_ns - kept_ns)
            for pulse in kept.monitors()
            if pulse.last_end_ns is not None
        }
        removed = kept.prune(older, dry_run)
    done = "would be removed" if dry_run else "were removed"
    for name, count in removed.items():
        say(screen, [f"{name}: {count} scores older than {keep} before its last {done}"])


def backup(
    output: Annotated[str, typer.Option("-o", "--output", help="New FILE.db, or address of an empty database")],
    store: StoreUrl = None,
    site: SiteFile = None,
) -> None:
    """Copy a store as it is at this moment, while monitors write on: to a file, or to another server.

    The copy is a store itself: serve it, watch on with it, or copy it back.
    """
    from lynkeus.monitor.backup import copy_store

    with passes_bar(screen, "backup") as bar:
        rows = copy_store(url_of(store, site), output, bar.step)
    say(screen, [f"{output}: {rows} rows"])


def _own(one: Supervised | None, pulse: Pulse, alive: bool) -> Supervised | None:
    """What a service says of a monitor, as long as nobody else has watched by that name since."""
    return one if one is not None and (alive or one.at_ns > pulse.heartbeat_ns) else None


def _supervised(one: Supervised) -> str:
    """Return what a service says of a monitor."""
    often = "once" if one.restarts == 1 else f"{one.restarts} times"
    again = f", started again {often}" if one.restarts else ""
    return f"{one.state}{again}{f': {one.says}' if one.says else ''}"


def _source(condition: dict[str, Any] | None, pulse: Pulse) -> str:
    """Return how a live source is, where there is one that is listened to."""
    from lynkeus.monitor.conditions import in_words

    if condition is None or pulse.finished:
        return ""
    return f", source: {in_words(condition)}"


def url_of(store: str | None, site: Path | None) -> str:
    """Return the address of a store, as given or of the site. Raises SettingsError where there is none."""
    from lynkeus.core import SettingsError
    from lynkeus.monitor.site import SiteSettings

    url = SiteSettings.read(site).replaced(store=store).store
    if not is_there(url):
        raise SettingsError(f"--store {url}: there is no such store; lynkeus watch makes one")
    return url


def _usual() -> str:
    """Return the store of a site that says nothing."""
    from lynkeus.monitor.site import SiteSettings

    return SiteSettings.read(None).store


def is_there(url: str) -> bool:
    """Return whether there is a file of a store; of a server it is not known before it is asked."""
    return not url.startswith("sqlite:///") or Path(url.removeprefix("sqlite:///")).expanduser().is_file()


def _line(kept: Store, pulse: Pulse, own: Supervised | None) -> tuple[str, bool]:
    """One line of a monitor, and whether somebody should look; `own`: what its service says of it."""
    from lynkeus.files.at_work import is_alive

    name = pulse.monitor.name
    silent_s = (time.time_ns() - pulse.heartbeat_ns) / NS
    ended = "finished" if pulse.finished else "stopped" if pulse.stopped else ""
    dead = not ended and pulse.host == socket.gethostname() and not is_alive(pulse.pid)
    state = ended or ("running" if silent_s < QUIET_S else f"silent for {silent_s:.0f} s")
    state = f"killed {silent_s:.0f} s ago" if dead else state
    troubled = own is not None and own.state not in GOOD
    if own is not None and own.state == "stopped" and not pulse.finished:
        state = "stopped"
    elif own is not None and (troubled or own.says or own.restarts):
        state = f"{state}; service: {_supervised(own)}"
    opened = kept.alarms(name, status="open")
    last = "no data yet"
    if pulse.last_end_ns is not None:
        last = f"data until {datetime.fromtimestamp(pulse.last_end_ns / NS, UTC):%Y-%m-%d %H:%M:%S} UTC"
    named = (f"{' + '.join((one.alarm.output, *one.also))} {one.alarm.where}".strip() for one in opened)
    words = ", ".join(named) or "none"
    counts = f"{pulse.samples} samples ({pulse.samples_per_s:.3g}/s), {pulse.missed} missed"
    line = f"{name}: {state} ({pulse.host}, {pulse.pid}), {last}, {counts}, open alarms: {words}"
    silent = pulse.stopped or dead or silent_s >= QUIET_S
    return line, troubled or bool(opened) or (not pulse.finished and silent)


def _seconds(text: str) -> float:
    from lynkeus.core import SettingsError

    found = re.fullmatch(r"(\d+(?:\.\d*)?)\s*([hdwy])", text.strip())
    if found is None or not float(found[1]):
        raise SettingsError(f"--keep {text}: must be a time such as 48h, 400d, 52w or 5y")
    return float(found[1]) * {"h": 3600.0, "d": 86_400.0, "w": 604_800.0, "y": 31_557_600.0}[found[2]]
