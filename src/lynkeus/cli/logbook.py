"""lynkeus logbook: what was written of the like before, and which entries were the first report of an event."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lynkeus.cli.options import SiteFile, StoreUrl, screen
from lynkeus.progress import say

if TYPE_CHECKING:
    from lynkeus.monitor.logbook import Logbook, Told
    from lynkeus.monitor.written.links import Linking

SHOWN = 300  # letters of an entry


@dataclass(frozen=True)
class LogbookOptions:
    """What `lynkeus logbook` is told."""

    logbook: Annotated[str, typer.Argument(help="File of elog, JSON lines, CSV, Parquet; folder; URL of a database")]
    like: Annotated[str, typer.Argument(help="Text to which like entries are looked for", show_default=False)] = ""
    many: Annotated[int, typer.Option("-n", "--many", min=1, max=1000, help="How many entries are shown")] = 5
    store: StoreUrl = None
    alarm: Annotated[int | None, typer.Option(help="Number of the alarm in the store; without: all open ones")] = None
    text: Annotated[str, typer.Option(help="The column that holds the texts; without, it is found")] = ""
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Parquet file: of each entry its event, and whether it is new")
    ] = None
    site: SiteFile = None


def ask_logbook(options: LogbookOptions) -> None:
    """Run `lynkeus logbook`."""
    from lynkeus.core import SettingsError
    from lynkeus.monitor.logbook import Logbook

    asked = bool(options.store or options.alarm is not None or options.site)
    if not (options.like.strip() or asked or options.output):
        raise SettingsError("logbook: give a text, --store for its open alarms, or -o FILE.parquet for all entries")
    logbook = Logbook.read(options.logbook, options.text)
    say(screen, logbook.entries.messages)
    if options.like.strip():
        _show(logbook.like(options.like, options.many), "nothing like it was written before")
    if asked:
        _beside_alarms(logbook, options)
    if options.output is not None:
        _write(logbook, options.output)


def linking_of(path: str, asked: bool) -> Linking:
    """Return what links alarms of a watch to a logbook ("": none). Raises SourceError for one that cannot be read and
    was `asked` for; one of the file of the site may come later, and a watch is worth more."""
    from lynkeus.core import SourceError
    from lynkeus.monitor.logbook import LogbookNow
    from lynkeus.monitor.written.links import Linking

    try:
        return Linking(LogbookNow(path) if path else None)
    except SourceError as error:
        if asked:
            raise
        say(screen, [f"alarms are not linked to the logbook: {error}"])
        return Linking(None)


def _beside_alarms(logbook: Logbook, options: LogbookOptions) -> None:
    from lynkeus.cli.stores import url_of
    from lynkeus.core import SettingsError
    from lynkeus.monitor.store import Store

    with contextlib.closing(Store(url_of(options.store, options.site))) as store:
        numbers = [one.id for one in store.alarms(status="open")] if options.alarm is None else [options.alarm]
        files = [store.alarm(number) for number in numbers]
    if not files:
        typer.echo("no alarm is open")
    for number, file in zip(numbers, files, strict=True):
        if file is None:
            raise SettingsError(f"--alarm {number}: the store has no such alarm; lynkeus status lists what is open")
        alarm = file.stored.alarm
        typer.echo(f"alarm {number}, {_time(alarm.start_ns)}: {alarm.output} {alarm.where}".rstrip())
        near, alike = logbook.of_alarm(alarm, file.said)
        typer.echo(" around it:")
        _show(near, "nothing was written")
        typer.echo(" of the like before it:")
        _show(alike[: options.many], "nothing")


def _show(found: list[Told], nothing: str) -> None:
    for one in found:
        likeness = f"{one.alike:.2f}  " if one.alike < 1 else ""
        typer.echo(f"  {likeness}{_time(one.at_ns)}  {_line(one.text)}")
        if one.ended:
            typer.echo(f"      in the end: {_line(one.ended)}")
    if not found:
        typer.echo(f"  {nothing}")


def _time(at_ns: int | None) -> str:
    return "" if at_ns is None else f"{datetime.fromtimestamp(at_ns / 1e9, UTC):%Y-%m-%d %H:%M}"


def _line(text: str) -> str:
    """Return a text in one line, without what a terminal would obey."""
    plain = " ".join("".join(sign if sign.isprintable() else " " for sign in text[: 2 * SHOWN]).split())
    return plain if len(plain) <= SHOWN else f"{plain[:SHOWN]}..."


def _write(logbook: Logbook, output: Path) -> None:
    import pyarrow as pa

    from lynkeus.files.whole import write_parquet

    table = logbook.table()
    write_parquet(pa.table(table), output)
    say(screen, [f"{output}: {len(logbook.entries)} entries, {int(table['first_report'].sum())} of them first reports"])
