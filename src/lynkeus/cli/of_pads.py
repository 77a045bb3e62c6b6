"""lynkeus pads: gains of judged pads as files, their change between periods, krypton beside collisions, the page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lynkeus.progress import say

pads_app = typer.Typer(no_args_is_help=True, help="Pads as judged by a model of pad_spectrum (lynkeus score).")
Table = Annotated[Path, typer.Argument(help="Table of pads written by lynkeus score")]
Report = Annotated[Path, typer.Option("-o", "--output", help="HTML report; a table goes beside it as Parquet")]


@pads_app.command()
def gains(
    pads: Table,
    output: Annotated[Path, typer.Option("-o", "--output", help="FILE.parquet, .csv or .root")],
    period: Annotated[str, typer.Option(help="What they are valid for, such as 2026-11; kept in the file")] = "",
) -> None:
    """Write the gain of every pad with its error, how it was found, the period and the hashes of what it is of."""
    from lynkeus.cli.options import screen
    from lynkeus.files.whole import keep_what_is_read
    from lynkeus.pads.gains import write_gains
    from lynkeus.pads.table import read_pad_table

    keep_what_is_read(output, [pads])
    table = read_pad_table(pads)
    about = write_gains(table, output, period)
    say(screen, [f"{output}: gains of {len(table)} pads, of the table {about['table_sha256'][:12]}"])


@pads_app.command()
def changes(
    before: Table, after: Annotated[Path, typer.Argument(help="Table of pads of a later period")], output: Report
) -> None:
    """Compare the gains of two periods: the change of all, what temperature and pressure explain, pads that moved."""
    from lynkeus.cli.options import screen
    from lynkeus.files.whole import keep_what_is_read
    from lynkeus.pads.reports import write_changes
    from lynkeus.pads.table import read_pad_table

    keep_what_is_read(output.with_suffix(".parquet"), [before, after])
    say(screen, [*write_changes(read_pad_table(before), read_pad_table(after), output), f"{output}: the report"])


@pads_app.command()
def crosscheck(
    krypton: Table,
    collisions: Annotated[Path, typer.Argument(help="The same pads, judged by collisions")],
    output: Report,
) -> None:
    """Compare decisions by krypton with those by collisions: by class, and pads on which they differ."""
    from lynkeus.cli.options import screen
    from lynkeus.files.whole import keep_what_is_read
    from lynkeus.pads.reports import write_crosscheck
    from lynkeus.pads.table import read_pad_table

    keep_what_is_read(output.with_suffix(".parquet"), [krypton, collisions])
    say(
        screen,
        [*write_crosscheck(read_pad_table(krypton), read_pad_table(collisions), output), f"{output}: the report"],
    )


@pads_app.command()
def page(
    pads: Table, output: Annotated[Path, typer.Option("-o", "--output", help="HTML file to write; it needs no server")]
) -> None:
    """Write the page of the plane as one file, with the spectra of the pads that are least sure."""
    from lynkeus.cli.options import screen
    from lynkeus.web.pads.export import write_page

    say(screen, [write_page(pads, output)])
