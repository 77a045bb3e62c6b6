"""What `lynkeus search` is told; light, as `options.py` is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass(frozen=True)
class SearchOptions:
    """What `lynkeus search` is told."""

    plan: Annotated[
        Path, typer.Argument(help="TOML file of a search; or a HistFactory workspace (.json) that was published")
    ]
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for page, tables, figures, workspaces, record")]
    unblind: Annotated[
        bool, typer.Option("--unblind", help="Look at the data of the signal regions; the record keeps that for ever")
    ] = False
    patch: Annotated[
        list[Path] | None, typer.Option("--patch", help="Of a workspace: JSON patch of a signal, or a set; repeatable")
    ] = None
    toys: Annotated[
        int | None, typer.Option("--toys", min=0, help="Of a workspace: experiments to throw; 0: asymptotic formulae")
    ] = None
