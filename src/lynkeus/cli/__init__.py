"""The command line. Exit codes: 0 fine, 1 an alarm or a failed check, 2 bad input (a line: what, where, what to do)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import lynkeus.cli._one_thread  # noqa: F401 - before anything imports NumPy
from lynkeus import __version__
from lynkeus.cli import stores
from lynkeus.cli.ending import to_its_end
from lynkeus.cli.jet_options import ScaleFactorOptions
from lynkeus.cli.logbook import LogbookOptions, ask_logbook
from lynkeus.cli.of_pads import pads_app
from lynkeus.cli.options import (
    BundleOptions,
    CommissionOptions,
    ConvertOptions,
    Data,
    ExplainOptions,
    FitOptions,
    GenerateOptions,
    LayoutName,
    MetaTable,
    ModelFolder,
    ScoreOptions,
    WatchOptions,
    Workers,
    screen,
    takes,
)
from lynkeus.cli.page_options import ReportOptions, WriteCheckOptions
from lynkeus.cli.scan_options import CorrelateOptions
from lynkeus.cli.search_options import SearchOptions
from lynkeus.cli.serving import ServeOptions
from lynkeus.progress import say

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
study_app = typer.Typer(no_args_is_help=True, help="Run a study: fit, calibrate, commission, test, write its page.")
app.add_typer(study_app, name="study")
app.add_typer(pads_app, name="pads")


@app.command()
def look(data: Data, layout: LayoutName = None) -> None:
    """Show what DATA holds, how it would be read, and which option reads it otherwise; nothing is written."""
    from lynkeus.cli.look import show

    show(data, layout)


@app.command()
@takes(FitOptions)
def fit(options: FitOptions) -> None:
    """Learn what is normal from DATA, leave its own incidents out, and calibrate how rare every score is."""
    from lynkeus.cli.fit import fit_and_save

    fit_and_save(options)


@app.command()
@takes(ScoreOptions)
def score(options: ScoreOptions) -> None:
    """Score DATA: one row per sample or window, with p-values, alarms per hour and where to look.

    Images: one row per image with its spots in pixels; killed and started again, it goes on. Runs: one verdict each;
    with --store the pages show them.
    """
    from lynkeus.cli.score import score_data

    score_data(options)


@app.command()
@takes(CommissionOptions)
def commission(options: CommissionOptions) -> None:
    """Prove a model by planted faults: how small a fault it finds at a stated rate of false alarms, and where."""
    from lynkeus.cli.commission import commission_model

    commission_model(options)


@app.command()
@takes(WatchOptions)
def watch(options: WatchOptions) -> None:
    """Watch DATA and keep alarms in the store; started again, it goes on after the last window it committed.

    Runs, images: a verdict on each that appears in the folder, until Ctrl-C; with --replay 0 on those that are there.
    """
    from lynkeus.cli.watch import watch_data

    raise typer.Exit(watch_data(options))


@app.command()
@takes(ServeOptions)
def serve(options: ServeOptions) -> None:
    """Serve the pages of a store until Ctrl-C; with --advise also advice on failed tasks, where operators decide."""
    from lynkeus.cli.serving import serve_pages

    serve_pages(options)


@app.command("write-check")
@takes(WriteCheckOptions)
def write_check(options: WriteCheckOptions) -> None:
    """Say how a text is written: readability, wording, voice, length, sections; and what would help most."""
    from lynkeus.cli.write_check import check_text

    check_text(options)


@app.command()
@takes(LogbookOptions)
def logbook(options: LogbookOptions) -> None:
    """Find what a logbook says of the like of a text or of open alarms; with -o which entries are first reports."""
    ask_logbook(options)


@app.command()
@takes(ReportOptions)
def report(options: ReportOptions) -> None:
    """Judge one run and write its page as one file: all plots beside good runs, what changed, and why."""
    from lynkeus.cli.report import report_run

    report_run(options)


@app.command("scale-factors")
@takes(ScaleFactorOptions)
def scale_factors(options: ScaleFactorOptions) -> None:
    """Measure how much a tagger's efficiency in data differs from SIMULATION, by template fits; or read a CSV table.

    Jets that pass each working point and jets that fail are fitted at once. Writes corrections for correctionlib.
    """
    from lynkeus.cli.scale_factors import write_scale_factors

    write_scale_factors(options)


@app.command()
@takes(SearchOptions)
def search(options: SearchOptions) -> None:
    """Run a search that one file describes: backgrounds scaled to data, significance, limits, a workspace for pyhf.

    Signal regions stay blind without --unblind. Killed and started again, it goes on.
    """
    from lynkeus.cli.search import search_plan

    search_plan(options)


@app.command()
@takes(ExplainOptions)
def explain(options: ExplainOptions) -> None:
    """Say what a model looks at: Taylor coefficients, what is taken from jets, or evidence."""
    from lynkeus.cli.explain import explain_data

    explain_data(options)


@app.command("list")
def list_(group: Annotated[str | None, typer.Argument(help="scorers, sources, simulators or studies")] = None) -> None:
    """List what there is to name on the command line."""
    from lynkeus.cli.listing import show_list

    show_list(group)


@app.command()
@takes(GenerateOptions)
def generate(options: GenerateOptions) -> None:
    """Write samples of a simulator, with the truth, as files that fit and score read without further options."""
    from lynkeus.cli.generate import write_generated

    write_generated(options)


@app.command()
@takes(BundleOptions)
def bundle(options: BundleOptions) -> None:
    """Turn raw files into one memory-mapped bundle with its origin; killed and started again, it goes on."""
    from lynkeus.cli.images import write_any_bundle

    write_any_bundle(options)


@app.command()
@takes(CorrelateOptions)
def correlate(options: CorrelateOptions) -> None:
    """Do the scores of images say something of the cavity? Correlates them with a table of cavities, and says so."""
    from lynkeus.scans.correlation_report import write_correlation

    found = write_correlation(options.scores, options.properties, options.output, options.scan)
    say(screen, [found.words(), f"{options.output}: the report, and its tables beside it"])


@app.command()
def latent(
    model: ModelFolder,
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder; beside the scores the pages show it")],
    meta: MetaTable = None,
) -> None:
    """Maps of what a model sees in images or texts: t-SNE, UMAP, PCA, and how pure clusters are by every metadata."""
    from lynkeus.cli.images import write_latent_maps

    write_latent_maps(model, data, output, meta)


@app.command()
def export(
    model: ModelFolder,
    output: Annotated[Path, typer.Option("-o", "--output", help="ONNX file to write")],
) -> None:
    """Write the network of a model as ONNX, for other programs; its scores are compared before it is written."""
    from lynkeus.cli.images import export_model

    off = export_model(model, output)
    say(screen, [f"{output}: scores agree to {off:.1e} of their size"])


@app.command()
@takes(ConvertOptions)
def convert(options: ConvertOptions) -> None:
    """Make a model of weights of weaver (ParticleNet, Particle Transformer), or weights of weaver of a model.

    Without --calibrate probabilities are those that the network states, and no p-value is below 1.
    """
    from lynkeus.cli.convert import convert_weights

    convert_weights(options)


@study_app.command("run")
def study_run(
    name: Annotated[str, typer.Argument(help="See lynkeus list studies")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for metrics, figures and the page")],
    smoke: Annotated[bool, typer.Option(help="A small version, to see that everything runs")] = False,
    workers: Workers = "1",
) -> None:
    """Run one study from its data to its page, on from where a kill left it; exit code 1 where a check fails."""
    from lynkeus.cli.study import run_named

    raise typer.Exit(0 if run_named(name, output, smoke, workers) else 1)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("-o", "--output", help="Folder to work in")] = Path("demo"),
    port: Annotated[int, typer.Option(help="Port of the page; 0: any free one")] = 8000,
    wait: Annotated[bool, typer.Option(help="Keep the page up until Ctrl-C")] = True,
) -> None:
    """Simulate two hours of orbits, learn from one, plant three faults in the other, watch it, open the page."""
    from lynkeus.demo import run

    run(folder, port, wait, screen)


stores.add_to(app)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Entry point: errors that a user can mend are one line, Ctrl-C and SIGTERM are a clean stop."""
    to_its_end(app)
