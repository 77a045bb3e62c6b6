"""lynkeus run: several monitors as one service, each in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def run(
    site: Annotated[Path, typer.Argument(help="TOML file with a table [[monitors]] for each: name, source, model")],
    store: Annotated[
        str | None, typer.Option("--store", help="Store of all monitors, in place of that of the file")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only look whether the file makes sense")] = False,
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
        for one in plan.monitors:
            typer.echo(f"{one.name}: {one.source} by {one.model}, into {one.facts.store}")
        return
    command = [sys.executable, "-m", "lynkeus.cli.supervised"]
    supervisor = Supervisor(plan, command, Log(), lambda: SitePlan.read(site, store))
    raise typer.Exit(supervisor.run())
