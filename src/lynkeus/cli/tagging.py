"""lynkeus commission of models of classes, and files of jets as runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lynkeus.cli.options import CommissionOptions, open_as_fitted, open_for, screen
from lynkeus.core import SettingsError
from lynkeus.progress import passes_bar, say

if TYPE_CHECKING:
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.sources.runs.folder import RunFile


def commission_classes(options: CommissionOptions, fitted: Fitted, others: dict[str, Fitted]) -> None:
    """Run `lynkeus commission` for a model of classes."""
    from lynkeus.commission.tagging.commission import TaggingSettings, commission_taggers
    from lynkeus.commission.tagging.report import write_tagging

    refused = {
        "--budget": options.budget, "--false-alarms": options.false_alarms, "--masks": options.masks,
        "--run-per-file": options.run_per_file, "--meta": options.meta,
    }  # fmt: skip
    for name, given in refused.items():
        if given:
            raise SettingsError(f"{name}: has no meaning for a model that tells classes apart; leave it out")
    if options.labels == "none":
        raise SettingsError("--labels none: a tagger is commissioned by jets whose class is known; leave it out")
    if fitted.name in others:
        raise SettingsError(f"two models would be called {fitted.name!r} in the report: rename the folder of one")
    with passes_bar(screen, "commission") as bar:
        source = open_for(fitted, options.data, options.layout, None, False)
        elsewhere = {_title(path): open_for(fitted, path, options.layout, None, False) for path in options.also or ()}
        settings = TaggingSettings(options.labels or "", vary=not options.quick)
        found = commission_taggers({fitted.name: fitted, **others}, source, settings, elsewhere, bar.step)
        write_tagging(found, options.output)
    say(screen, found.messages)
    for row in found.rows:
        if row.variable == "all" and row.quantity == "rejection" and row.signal_efficiency == 0.5:
            where = "" if row.detector == "as they are" else f" ({row.detector})"
            words = f"1/eB = {row.value:.4g} ({row.low:.4g} to {row.high:.4g}) at 50 %"
            say(screen, [f"{row.model}{where}: {row.signal} against {row.background}: {words}"])
    say(screen, [f"{options.output}: {len(found.rows)} numbers"])


def _title(path: str) -> str:
    return Path(path).name


def refuse_also(also: Sequence[str] | None) -> None:
    """Raise SettingsError where another sample is given for a model that does not tag."""
    if also:
        raise SettingsError("--also: only models that tell classes apart are tried on another sample; leave it out")


def runs_of(fitted: Fitted, data: str, layout: str | None) -> list[RunFile]:
    """Return the runs of jets of a folder as a tagger scores them; see `runs_of_jets`."""
    from lynkeus.fitting.tagged_runs import runs_of_jets

    return runs_of_jets(fitted, data, lambda path: open_as_fitted(fitted, str(path), layout))
