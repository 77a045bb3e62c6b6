"""lynkeus run: several monitors as one service, each in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lynkeus.monitor.service.plan import MonitorPlan
    from lynkeus.monitor.site import SiteSettings


def run(
    site: Annotated[Path, typer.Argument(help="TOML file with a table [[monitors]] for each: name, source, model")],
    store: Annotated[
        str | None, typer.Option("--store", help="Store of all monitors, in place of that of the file")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only look whether the file makes sense, and models and files can be read")
    ] = False,
) -> None:
    """Run the monitors of SITE until SIGTERM or Ctrl-C, each in its own process, restarted when it dies.

    The file is read again when it changes, and on SIGHUP; a new model runs in shadow until it agrees with the old one.
    Logs are JSON, a line each, on standard output. Exit code 1: all that is left has been given up.
    """
    from lynkeus.monitor.service.logs import Log
    from lynkeus.monitor.service.plan import SitePlan
    from lynkeus.monitor.service.supervisor import Supervisor

    plan = SitePlan.read(site, store)
    if check:
        _check(site, plan.monitors)
        return
    command = [sys.executable, "-m", "lynkeus.cli.supervised"]
    supervisor = Supervisor(plan, command, Log(), lambda: SitePlan.read(site, store))
    raise typer.Exit(supervisor.run())


def _check(site: Path, monitors: tuple[MonitorPlan, ...]) -> None:
    """Say a line for each monitor. Raises SettingsError where one could not watch as things are."""
    from lynkeus.core import SettingsError

    wrong = []
    for one in monitors:
        problem = _problem(one)
        typer.echo(f"{one.name}: {problem or f'{one.source} by {one.model}, into {one.facts.store}'}")
        wrong += [one.name] if problem else []
    if wrong:
        raise SettingsError(f"{site}: {len(wrong)} of {len(monitors)} cannot watch as it is: {', '.join(wrong)}")


def _problem(plan: MonitorPlan) -> str:
    """Why a monitor could not begin: its model, its files, its addresses, its budget; servers are not asked."""
    from lynkeus.cli.options import WatchOptions
    from lynkeus.cli.watch import check_watch
    from lynkeus.core import LynkeusError

    meta = str(Path(plan.meta)) if plan.meta else None
    options = WatchOptions(
        plan.model, plan.source, publish=list(plan.publish), false_alarms=plan.false_alarms, meta=meta, maps=plan.maps
    )
    try:
        check_watch(options, plan.facts)
    except (LynkeusError, OSError) as error:
        return " ".join(str(error).split())
    return _missing(plan.facts)


def _missing(facts: SiteSettings) -> str:
    """What of the files that are said of a monitor is not there."""
    scheme, _, name = facts.store.partition(":///")
    folder = Path(name).expanduser().parent
    if scheme == "sqlite" and not folder.is_dir():
        return f"store: {folder}: there is no such folder"
    if facts.logbook and "://" not in facts.logbook and not Path(facts.logbook).expanduser().exists():
        return f"logbook: {facts.logbook}: there is no such file"
    return ""
