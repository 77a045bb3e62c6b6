"""lynkeus score and lynkeus commission: of tables and windows, images, and runs."""

from __future__ import annotations

from lynkeus.cli.images import ImageOptions, load_model, score_images
from lynkeus.cli.options import CommissionOptions, ScoreOptions, open_as_fitted, screen
from lynkeus.cli.passes import Passes
from lynkeus.cli.runs import RunScoreOptions, commission_runs_of, score_runs
from lynkeus.core import SettingsError
from lynkeus.progress import passes_bar, say


def score_data(options: ScoreOptions) -> None:
    """Run the command."""
    from lynkeus.core import Inspecting
    from lynkeus.files.model_folder import is_of_runs
    from lynkeus.fitting.scores import write_scores

    if options.run_per_file or is_of_runs(options.model):
        given = RunScoreOptions(options.output, options.store, options.false_alarms, options.section)
        score_runs(options.model, options.data, given)
        return
    if options.store:
        raise SettingsError("--store: keeps verdicts on runs; this model is not of runs, for others use lynkeus watch")
    fitted = load_model(options.model)
    if isinstance(fitted.scorer, Inspecting):
        image_options = ImageOptions(options.output, options.meta, options.maps, options.processes)
        score_images(fitted, options.model, options.data, image_options)
        return
    if options.maps is not None:
        raise SettingsError(f"--maps: the scorer {fitted.name} makes none; fit with -s inspect")
    with passes_bar(screen, "score") as bar:
        prepared = fitted.prepare(Passes(open_as_fitted(fitted, options.data, options.layout), bar))
        rows = write_scores(fitted, fitted.score_prepared(prepared), options.output)
    say(screen, [*getattr(prepared, "messages", ()), f"{options.output}: {rows} rows"])


def commission_model(options: CommissionOptions) -> None:
    """Run the command."""
    from lynkeus.commission.commission import CommissionSettings, commission
    from lynkeus.commission.report import write_report
    from lynkeus.files.model_folder import is_of_runs
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.monitor.site import parse_budget

    compare = options.compare or []
    if options.run_per_file or is_of_runs(options.model):
        commission_runs_of([options.model, *compare], options)
        return
    fitted = Fitted.load(options.model)
    others = {folder.name: Fitted.load(folder) for folder in compare}
    settings = CommissionSettings.quick() if options.quick else CommissionSettings()
    with passes_bar(screen, "commission") as bar:
        source = open_as_fitted(fitted, options.data, options.layout)
        found = commission(fitted, source, settings.at(parse_budget(options.budget)), others, bar.step)
        write_report(found, options.output)
    say(screen, [f"{options.output}: {len(found.rows)} turn-on points at {options.budget}"])
