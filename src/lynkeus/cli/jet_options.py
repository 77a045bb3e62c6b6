"""What the commands for taggers of jets are told; light, as `options.py` is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from lynkeus.cli.options import LayoutName


@dataclass(frozen=True)
class ScaleFactorOptions:
    """What `lynkeus scale-factors` is told."""

    output: Annotated[Path, typer.Option("-o", "--output", help="JSON file of corrections to write")]
    model: Annotated[Path | None, typer.Argument(help="Tagger: folder written by lynkeus fit")] = None
    simulation: Annotated[
        str | None, typer.Argument(help="Labelled jets of the simulation: file, URL, or scores of lynkeus score")
    ] = None
    data: Annotated[str | None, typer.Argument(help="Jets of data, or their scores")] = None
    working_points: Annotated[
        str, typer.Option(help="loose, medium, tight: 10, 1, 0.1 % of the background; or mine=2%; or mine=0.85")
    ] = "loose,medium,tight"
    bins: Annotated[str, typer.Option(help="Edges of pt in GeV and of |eta|")] = "pt=30:50:100:200,eta=0:1.2:2.4"
    output_class: Annotated[str, typer.Option(help="Class whose efficiency is measured; left out: the first")] = ""
    template: Annotated[
        str,
        typer.Option(
            help="Variable that is fitted, not seen by the tagger: sv_mass, jet_probability, jet_sdmass, any observer; "
            "with edges NAME=0:1:2:4"
        ),
    ] = "sv_mass"
    systematics: Annotated[
        list[str] | None,
        typer.Option(help="Another simulation: tune=FILE, or tune:up=FILE and tune:down=FILE; as often as there are"),
    ] = None
    prior: Annotated[float, typer.Option(help="How well the efficiency of other classes is known, as a share")] = 0.5
    merge: Annotated[bool, typer.Option("--merge", help="Join bins of pt whose fit fails with a neighbour")] = False
    flavours: Annotated[str, typer.Option(help="Numbers of classes in the file: b=5,c=4,light=0")] = ""
    layout: LayoutName = None
    report: Annotated[Path | None, typer.Option("-r", "--report", help="HTML report, with every fit")] = None
    from_csv: Annotated[Path | None, typer.Option(help="Instead: a published CSV table of b-tag scale factors")] = None
