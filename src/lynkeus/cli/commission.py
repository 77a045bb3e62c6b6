"""lynkeus commission: a model proves itself by planted faults, whatever kind of samples it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from lynkeus.cli.options import CommissionOptions, open_as_fitted, screen
from lynkeus.core import SettingsError
from lynkeus.progress import passes_bar, say

if TYPE_CHECKING:
    from lynkeus.fitting.fitted import Fitted


def commission_model(options: CommissionOptions) -> None:
    """Run `lynkeus commission`."""
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
