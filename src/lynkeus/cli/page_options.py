"""What the commands that make pages are told; light, as `options.py` is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from lynkeus.cli.options import FalseAlarms, ModelFolder, StoreUrl


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
