"""lynkeus commission of models of classes, and files of jets as runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lynkeus import __version__
from lynkeus.cli.options import CommissionOptions, open_as_fitted, open_for, screen
from lynkeus.core import SettingsError
from lynkeus.progress import passes_bar, say

if TYPE_CHECKING:
    from lynkeus.commission.tagging.hearing import Asked
    from lynkeus.core import Source
    from lynkeus.files.workers import Backend
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.sources.runs.folder import RunFile


def commission_classes(
    options: CommissionOptions, fitted: Fitted, others: dict[str, Fitted], who: tuple[int, Backend | None]
) -> None:
    """Run `lynkeus commission` for a model of classes; `who` scores: so many processes, or a cluster."""
    from lynkeus.commission.report import check_path
    from lynkeus.commission.tagging.commission import TaggingSettings, commission_taggers
    from lynkeus.commission.tagging.report import write_tagging
    from lynkeus.files.shared import Sharing
    from lynkeus.sources import files_of

    check_path(options.output)

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
        settings = TaggingSettings(options.labels or "", vary=not options.quick)
        source, elsewhere = _samples(options, fitted)
        for one in (source, *elsewhere.values()):
            check_path(options.output, files_of(one))
        sharing = Sharing(partial(_again, options), *who, options.output, _head(options, source, elsewhere))
        models = {fitted.name: fitted, **others}
        found = commission_taggers(models, source, settings, elsewhere, bar.step, sharing)
        write_tagging(found, options.output)
    sharing.finish()
    if sharing.before:
        say(screen, [f"{sharing.before} of {sharing.count} parts were scored before; the others now"])
    say(screen, found.messages)
    for row in found.rows:
        if row.variable == "all" and row.quantity == "rejection" and row.signal_efficiency == 0.5:
            where = "" if row.detector == "as they are" else f" ({row.detector})"
            words = f"1/eB = {row.value:.4g} ({row.low:.4g} to {row.high:.4g}) at 50 %"
            say(screen, [f"{row.model}{where}: {row.signal} against {row.background}: {words}"])
    say(screen, [f"{options.output}: {len(found.rows)} numbers"])


def _samples(options: CommissionOptions, fitted: Fitted) -> tuple[Source, dict[str, Source]]:
    """The data, and the further samples by the names of their files."""
    opened = {
        path: open_for(fitted, path, options.layout, None, False) for path in (options.data, *(options.also or ()))
    }
    return opened[options.data], {Path(path).name: opened[path] for path in options.also or ()}


def _again(options: CommissionOptions) -> Asked:
    """What is asked, read by another process."""
    from lynkeus.commission.tagging.commission import TaggingSettings, asked
    from lynkeus.fitting.fitted import Fitted

    fitted = Fitted.load(options.model)
    models = {fitted.name: fitted} | {folder.name: Fitted.load(folder) for folder in options.compare or ()}
    source, elsewhere = _samples(options, fitted)
    return asked(models, source, TaggingSettings(options.labels or "", vary=not options.quick), elsewhere)


def _head(options: CommissionOptions, source: Source, elsewhere: Mapping[str, Source]) -> dict[str, Any]:
    """What the scores depend on."""
    from lynkeus.fitting.score import data_of, identity

    return {
        "version": __version__, "models": [identity(folder) for folder in (options.model, *(options.compare or []))],
        "data": [data_of(one) for one in (source, *elsewhere.values())], "labels": options.labels,
        "layout": str(options.layout), "quick": options.quick,
    }  # fmt: skip


def refuse_also(also: Sequence[str] | None) -> None:
    """Raise SettingsError where another sample is given for a model that does not tag."""
    if also:
        raise SettingsError("--also: only models that tell classes apart are tried on another sample; leave it out")


def runs_of(fitted: Fitted, data: str, layout: str | None) -> list[RunFile]:
    """Return the runs of jets of a folder as a tagger scores them; see `runs_of_jets`."""
    from lynkeus.fitting.tagged_runs import runs_of_jets

    return runs_of_jets(fitted, data, lambda path: open_as_fitted(fitted, str(path), layout))
