"""What `lynkeus correlate` is told; see options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass(frozen=True)
class CorrelateOptions:
    """What `lynkeus correlate` is told."""

    scores: Annotated[Path, typer.Argument(help="Scores of images, written by lynkeus score")]
    properties: Annotated[Path, typer.Argument(help="CSV or Parquet: a row per cavity, such as max_field_mv_m, q0")]
    output: Annotated[Path, typer.Option("-o", "--output", help="HTML report; tables go beside it as Parquet")]
    scan: Annotated[str, typer.Option(help="What stands for a cavity: its last scan, all, or a scan by name")] = "last"
