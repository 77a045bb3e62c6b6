"""What the commands that make pages are told; light, as `options.py` is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from lynkeus.cli.options import FalseAlarms, ModelFolder, SiteFile, StoreUrl


@dataclass(frozen=True)
class ServeOptions:
    """What `lynkeus serve` is told."""

    store: StoreUrl = None
    host: Annotated[str | None, typer.Option(help="Address; beyond localhost verdicts need a token")] = None
    port: Annotated[int | None, typer.Option(help="Port to listen on")] = None
    token_file: Annotated[str | None, typer.Option(help="File that holds the token for verdicts and labels")] = None
    reports: Annotated[str | None, typer.Option(help="Commissioning table or folder, for the trend page")] = None
    scans: Annotated[list[Path] | None, typer.Option(help="Scores of images (lynkeus score), or a folder")] = None
    advise: Annotated[
        str | None, typer.Option(help="Failed tasks: MODEL[,MODEL...]; the first advises, others beside it")
    ] = None
    apply: Annotated[
        bool, typer.Option("--apply", help="Failed tasks: sure advice is taken; without, only noted as a dry run")
    ] = False
    site: SiteFile = None


@dataclass(frozen=True)
class WriteCheckOptions:
    """What `lynkeus write-check` is told."""

    text: Annotated[Path, typer.Argument(help="File of text", metavar="TEXT")]
    language: Annotated[str, typer.Option(help="de, en or pl; left out: it is told from the words")] = ""
    output: Annotated[Path | None, typer.Option("-o", "--output", help="HTML page with the marked text")] = None


@dataclass(frozen=True)
class ReportOptions:
    """What `lynkeus report` is told."""

    model: ModelFolder
    run: Annotated[str, typer.Argument(help="File of the events of one run")]
    output: Annotated[Path, typer.Option("-o", "--output", help="HTML file to write; it opens from a mail")]
    store: StoreUrl = None
    false_alarms: FalseAlarms = 0.01
