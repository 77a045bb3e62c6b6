"""lynkeus commission: a model proves itself by planted faults, whatever kind of samples it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lynkeus.cli.options import Data, FalseAlarms, LayoutName, ModelFolder, RunPerFile, open_as_fitted, screen
from lynkeus.core import SettingsError
from lynkeus.progress import passes_bar, say

if TYPE_CHECKING:
    from lynkeus.fitting.fitted import Fitted


@dataclass(frozen=True)
class CommissionOptions:
    """What `lynkeus commission` is told."""

    model: ModelFolder
    data: Data
    output: Annotated[Path, typer.Option("-o", "--output", help="HTML report; the table goes beside it as Parquet")]
    budget: Annotated[str, typer.Option(help="False alarms that you accept: 1/h, 3/day, 1/week")] = "1/h"
    layout: LayoutName = None
    compare: Annotated[list[Path] | None, typer.Option(help="Further models for the same figure")] = None
    quick: Annotated[bool, typer.Option(help="Few faults, wide intervals")] = False
    run_per_file: RunPerFile = False
    false_alarms: FalseAlarms = 0.01


def commission_model(options: CommissionOptions) -> None:
    """Run the command."""
    from lynkeus.commission.commission import CommissionSettings, commission
    from lynkeus.commission.report import write_report
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.monitor.site import parse_budget

    fitted = Fitted.load(options.model)
    compare = options.compare or []
    others = {folder.name: Fitted.load(folder) for folder in compare}
    if options.run_per_file or fitted.view.alone:
        if len(others) < len(compare) or options.model.name in others:
            raise SettingsError("--compare: two models have the same name; rename a folder")
        _commission_runs({options.model.name: fitted} | others, options)
        return
    settings = CommissionSettings.quick() if options.quick else CommissionSettings()
    with passes_bar(screen, "commission") as bar:
        source = open_as_fitted(fitted, options.data, options.layout)
        found = commission(fitted, source, settings.at(parse_budget(options.budget)), others, bar.step)
        write_report(found, options.output)
    say(screen, [f"{options.output}: {len(found.rows)} turn-on points at {options.budget}"])


def _commission_runs(fitted: Mapping[str, Fitted], options: CommissionOptions) -> None:
    """Turn-on curves of one or more models of runs, side by side."""
    from lynkeus.commission.runs.commission import QUICK, RunCommissionSettings, commission_runs
    from lynkeus.commission.runs.report import write_run_report
    from lynkeus.sources.runs.folder import open_runs

    settings = RunCommissionSettings(false_alarms=options.false_alarms)
    settings = replace(settings, per_case=QUICK) if options.quick else settings
    with passes_bar(screen, "commission") as bar:
        found = commission_runs(fitted, open_runs(options.data), settings, bar.step)
        write_run_report(found, options.output)
    say(screen, [f"{options.output}: {len(found.rows)} turn-on points at {options.false_alarms:g} of good runs"])
