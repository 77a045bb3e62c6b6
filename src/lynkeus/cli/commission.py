"""lynkeus commission: a model proves itself by planted faults or by labels, whatever kind of samples it reads."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lynkeus import __version__
from lynkeus.cli.options import CommissionOptions, images_for, layout_of, open_for, screen
from lynkeus.cli.tagging import commission_classes, refuse_also
from lynkeus.core import SettingsError, about_of
from lynkeus.progress import passes_bar, say

if TYPE_CHECKING:
    from lynkeus.commission.settings import CommissionSettings
    from lynkeus.core import Source
    from lynkeus.fitting.fitted import Fitted

NO_LABELS, FOLDERS = "none", "folders"


def commission_model(options: CommissionOptions) -> None:
    """Run `lynkeus commission`."""
    from lynkeus.commission.commission import commission
    from lynkeus.commission.report import check_path, write_report
    from lynkeus.files.cluster import workers_of
    from lynkeus.files.shared import Sharing
    from lynkeus.sources import files_of

    who = workers_of(options.workers)
    fitted, others = _models(options)
    if about_of(fitted.scorer).tags:
        commission_classes(options, fitted, others, who)
        return
    refuse_also(options.also)
    check_path(options.output)
    settings = _settings(options)
    with passes_bar(screen, "commission") as bar:
        source, settings = _opened(fitted, options, settings)
        check_path(options.output, files_of(source))
        _check_budget(options, [fitted, *others.values()], source)
        sharing = Sharing(partial(_again, options), *who, options.output, _head(options, source, settings))
        found = commission(fitted, source, settings, others, bar.step, sharing)
        write_report(found, options.output)
    sharing.finish()
    if sharing.before:
        say(screen, [f"{sharing.before} of {sharing.count} parts were judged before; the others now"])
    if who != (1, None) and sharing.count == 1:
        say(screen, ["--workers: this scorer follows its instrument, so one process judged all in their order"])
    say(screen, found.messages)
    if not found.planted and settings.labels == "find":
        say(screen, [f"the data bear labels, so nothing was planted; --labels {NO_LABELS} plants in spite of them"])
    say(screen, found.learned_from)
    say(screen, [f"{counted.says}, more than {found.budget.words}: see the report" for counted in found.too_many])
    if any(counted.extrapolated for counted in found.false_alarms):
        say(screen, [f"the reference is too short to have seen anything as rare as {found.budget.words}: extrapolated"])
    say(screen, [f"{options.output}: {len(found.rows)} turn-on points at {found.budget.words}"])


def _models(options: CommissionOptions) -> tuple[Fitted, dict[str, Fitted]]:
    """Return the model, and those that it is compared with by the names of their folders."""
    from lynkeus.fitting.fitted import Fitted

    compare = options.compare or []
    others = {folder.name: Fitted.load(folder) for folder in compare}
    if len(others) < len(compare):
        raise SettingsError("--compare: two models have the same name; rename a folder")
    return Fitted.load(options.model), others


def _again(options: CommissionOptions) -> tuple[dict[str, Fitted], Source, CommissionSettings]:
    """What is asked, read by another process."""
    fitted, others = _models(options)
    return {fitted.name: fitted} | others, *_opened(fitted, options, _settings(options))


def _head(options: CommissionOptions, source: Source, settings: CommissionSettings) -> dict[str, Any]:
    """What the parts of a commissioning depend on."""
    from lynkeus.files.journal import stamp_of
    from lynkeus.fitting.score import data_of, identity

    labels = Path(options.labels or "")
    return {
        "version": __version__, "models": [identity(folder) for folder in (options.model, *(options.compare or []))],
        "data": data_of(source), "settings": repr(replace(settings, label_of=None)), "labels": options.labels,
        "label file": stamp_of(labels if labels.is_file() else None),
    }  # fmt: skip


def _settings(options: CommissionOptions) -> CommissionSettings:
    from lynkeus.commission.settings import CommissionSettings
    from lynkeus.monitor.site import parse_budget

    settings = CommissionSettings.quick() if options.quick else CommissionSettings()
    if options.budget is not None:
        settings = settings.at(parse_budget(options.budget))
    if options.false_alarms is not None:
        settings = replace(settings, false_alarms=options.false_alarms)
    if options.masks is not None and not options.labels:
        raise SettingsError("--masks: say where labelled faults are; give --labels as well")
    need: Any = {None: "find", NO_LABELS: "ignore"}.get(options.labels, "need")
    return replace(settings, labels=need, masks=options.masks)


def _opened(
    fitted: Fitted, options: CommissionOptions, settings: CommissionSettings
) -> tuple[Source, CommissionSettings]:
    """The data, with their labels: by an array or column of the file, by a table of files or runs, or by folders."""
    from lynkeus.commission.labels import by_folder, by_table, read_labels
    from lynkeus.sources import open_source

    if settings.labels == "need":
        named = options.labels or ""
        runs = options.run_per_file or fitted.view.alone
        if named == FOLDERS or Path(named).suffix or runs:
            label_of = by_folder if named == FOLDERS else by_table(read_labels(Path(named)))
            settings = replace(settings, label_of=label_of)
        elif "://" not in options.data and not Path(options.data).expanduser().is_dir():
            source = open_source(options.data, layout_of(fitted, options.data, options.layout, named))
            _require_labels(source, options.data, named)
            return source, settings
    if fitted.view.kind == "images" and options.meta:
        return images_for(fitted, options.data, options.meta), settings
    return open_for(fitted, options.data, options.layout, options.meta, options.run_per_file), settings


def _require_labels(source: Source, data: str, named: str) -> None:
    """Refuse a name of labels that the file does not have, and say what it has."""
    from lynkeus.sources.formats.tables import listed
    from lynkeus.sources.look.look import look

    first = next(iter(source), None)
    if first is not None and first.truth is None:
        names = [entry.name for entry in look(data).entries]
        raise SettingsError(f"--labels {named}: {data} has no labels of this name; it has {listed(names, 20)}")


def _check_budget(options: CommissionOptions, models: list[Fitted], source: Source) -> None:
    """Refuse a budget of the other kind."""
    from lynkeus.commission.commission import in_time

    timed = in_time({str(number): model for number, model in enumerate(models)}, source)
    if timed and options.false_alarms is not None:
        raise SettingsError("--false-alarms: rows in time alarm so many times an hour; give --budget 1/h instead")
    if not timed and options.budget is not None:
        raise SettingsError(
            "--budget: these samples stand alone, without times or a reference with times, so they have no rate; give "
            "--false-alarms 0.01, a share of good ones"
        )
