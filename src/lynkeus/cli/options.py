"""What the commands are told: arguments and options with their help, a dataclass for each command that has many.

Nothing that takes time is imported here: `lynkeus --help` reads this file.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer
from rich.console import Console

if TYPE_CHECKING:
    from lynkeus.core import Source
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.sources import Layout

screen = Console(stderr=True, emoji=False)

DATA = "File, bundle, folder, 'pattern*.h5', or URL such as sim://orbit?seed=1"
Data = Annotated[str, typer.Argument(help=DATA)]
ModelFolder = Annotated[Path, typer.Argument(help="Folder written by lynkeus fit")]
LayoutName = Annotated[str | None, typer.Option("--layout", help="Shipped layout, your FILE.toml, weaver's FILE.yaml")]
ArrayName = Annotated[str | None, typer.Option("--array", help="Array or dataset to read, where a file holds several")]
AxesNames = Annotated[str | None, typer.Option("--axes", help="Of a sample: channel,time; time,channel; row,column")]
MetaTable = Annotated[str | None, typer.Option("--meta", help="Images: CSV or Parquet with a column file")]
SiteFile = Annotated[Path | None, typer.Option("--site", help="TOML file with the facts of your site")]
StoreUrl = Annotated[str | None, typer.Option("--store", help="sqlite:///FILE.db or postgresql://user@host/name")]
RunPerFile = Annotated[bool, typer.Option("--run-per-file", help="DATA: a folder of runs, one file of events each")]
FalseAlarms = Annotated[float, typer.Option(help="Runs, watched images: share of good ones that may be flagged")]
Workers = Annotated[
    str,
    typer.Option(
        "--workers", "--processes", help="So many processes, or a cluster: dask://tcp://HOST:PORT, slurm://?jobs=10"
    ),
]
Maps = Annotated[Path | None, typer.Option(help="Images: folder for a map of each (.npy, in sigmas)")]


@dataclass(frozen=True)
class FitOptions:
    """What `lynkeus fit` is told."""

    output: Annotated[Path, typer.Option("-o", "--output", help="Model folder to write")]
    data: Annotated[str, typer.Argument(help=DATA, show_default=False)] = ""
    scorer: Annotated[
        str,
        typer.Option("-s", "--scorer", help="See lynkeus list scorers; auto: try them; left out: as recommended"),
    ] = ""
    layout: LayoutName = None
    array: ArrayName = None
    axes: AxesNames = None
    window: Annotated[str, typer.Option(help="Rows per window; 0: single rows; auto: by the period of the data")] = "0"
    stride: Annotated[int, typer.Option(min=0, help="Rows between windows; 0: no overlap (auto: an eighth)")] = 0
    for_time: Annotated[str, typer.Option("--for", help="Streams: how long to listen, such as 30s, 30m, 2h")] = ""
    select: Annotated[list[str] | None, typer.Option(help="Runs of trains: sources, such as '*/XGM/*'")] = None
    labels: Annotated[str | None, typer.Option(help="Array or column of labels: 0 good, 1 anomalous")] = None
    weights: Annotated[str | None, typer.Option(help="Array or column that says how much each row counts")] = None
    text: Annotated[str, typer.Option(help="Texts: the column that holds them; without, it is found")] = ""
    verdicts: Annotated[str | None, typer.Option(help="Store whose verdicts on alarms are learned from")] = None
    decisions: Annotated[str | None, typer.Option(help="Store whose decisions on failed tasks are learned from")] = None
    monitor: Annotated[str | None, typer.Option(help="Whose alarms, where the store holds several monitors")] = None
    context: Annotated[list[str] | None, typer.Option(help="Channels that cause, such as 'MAG*': orbit")] = None
    set: Annotated[list[str] | None, typer.Option("--set", help="Of the scorer: latent=8, training.epochs=20")] = None
    meta: MetaTable = None
    position: Annotated[str, typer.Option(help="Images: metadata column that says where one was taken")] = ""
    time: Annotated[str, typer.Option(help="Images: metadata column that says when")] = ""
    run_per_file: Annotated[bool, typer.Option("--run-per-file", help="DATA: a folder of runs of events")] = False
    group: Annotated[str, typer.Option(help="Runs: column of classes; without, the first column of text")] = ""
    tree: Annotated[str, typer.Option(help="Runs in ROOT files: the tree of events; without, the largest one")] = ""
    device: Annotated[str, typer.Option(help="Where networks are trained: auto, cpu, cuda")] = "auto"
    precision: Annotated[str, typer.Option(help="32-true, bf16-mixed or 16-mixed")] = "32-true"


@dataclass(frozen=True)
class ScoreOptions:
    """What `lynkeus score` is told."""

    model: Annotated[Path, typer.Argument(help="Folder written by lynkeus fit; images: or file of lynkeus export")]
    data: Data
    output: Annotated[Path, typer.Option("-o", "--output", help="FILE.parquet to write, or .csv")]
    layout: LayoutName = None
    meta: MetaTable = None
    maps: Maps = None
    workers: Workers = "1"
    run_per_file: RunPerFile = False
    store: StoreUrl = None
    false_alarms: FalseAlarms = 0.01
    section: Annotated[str, typer.Option(help="Runs: column of sections to judge too; time_ns: by minutes")] = ""


@dataclass(frozen=True)
class CommissionOptions:
    """What `lynkeus commission` is told."""

    model: ModelFolder
    data: Data
    output: Annotated[Path, typer.Option("-o", "--output", help="HTML report; the table goes beside it as Parquet")]
    budget: Annotated[
        str | None, typer.Option(help="Rows in time: false alarms that you accept, 1/h (usual), 3/day")
    ] = None
    layout: LayoutName = None
    compare: Annotated[list[Path] | None, typer.Option(help="Further models for the same figure")] = None
    quick: Annotated[bool, typer.Option(help="Few faults, wide intervals")] = False
    run_per_file: RunPerFile = False
    false_alarms: Annotated[
        float | None, typer.Option(help="Other samples: share of good ones that you accept to be flagged (0.01)")
    ] = None
    labels: Annotated[
        str | None,
        typer.Option(
            help="What is faulty, instead of planting: an array or column; FILE.csv of file or run and label; folders: "
            "that images lie in; none: plant even where the data bear labels"
        ),
    ] = None
    masks: Annotated[Path | None, typer.Option(help="Labelled images: folder of masks of what is wrong")] = None
    meta: MetaTable = None
    also: Annotated[
        list[str] | None, typer.Option(help="Classes of jets: another sample (tune, detector, pile-up) to try it on")
    ] = None
    workers: Workers = "1"


@dataclass(frozen=True)
class ExplainOptions:
    """What `lynkeus explain` is told."""

    model: ModelFolder
    data: Data
    output: Annotated[Path, typer.Option("-o", "--output", help="HTML file to write; beside it a table as Parquet")]
    order: Annotated[int, typer.Option(min=1, max=3, help="Of Taylor coefficients: 1, 2 (pairs of inputs) or 3")] = 2
    labels: Annotated[str | None, typer.Option(help="Column of the process; left out: that of the fit")] = None
    also: Annotated[list[Path] | None, typer.Option(help="Further models, as of other seeds: how stable it is")] = None
    layout: LayoutName = None


@dataclass(frozen=True)
class WatchOptions:
    """What `lynkeus watch` is told."""

    model: ModelFolder
    data: Data
    store: StoreUrl = None
    replay: Annotated[float | None, typer.Option(help="Replay speed: 1 real time, 0 as fast as possible")] = None
    budget: Annotated[str | None, typer.Option(help="False alarms that you accept: 1/h, 3/day, 1/week")] = None
    name: Annotated[str | None, typer.Option(help="Name of this monitor in the store")] = None
    mask: Annotated[list[str] | None, typer.Option(help="Channels under maintenance, such as 'BPME.2806.SA3*'")] = None
    until: Annotated[str | None, typer.Option(help="When that ends, UTC: 2026-11-29T18:00; without: open end")] = None
    reason: Annotated[str, typer.Option(help="What is done to them, for those who come after")] = ""
    publish: Annotated[
        list[str] | None,
        typer.Option(help="Scores as live channels: epics+pva://PREFIX, nats://HOST/PREFIX; alarms: http://HOST/PATH, "
                     "alertmanager+http://HOST:9093, elog+http://HOST/LOGBOOK, elog+file:///FOLDER"),
    ] = None  # fmt: skip
    logbook: Annotated[str | None, typer.Option(help="Alarms are linked to its entries, as serve shows them")] = None
    site: SiteFile = None
    false_alarms: FalseAlarms = 0.01
    meta: MetaTable = None
    maps: Maps = None


@dataclass(frozen=True)
class GenerateOptions:
    """What `lynkeus generate` is told."""

    source: Annotated[str, typer.Argument(help="Simulator, URL such as 'sim://orbit?seed=1', or model of a generator")]
    output: Annotated[Path, typer.Option("-o", "--output", help="FILE.h5, .npz or .parquet; runs, images: a folder")]
    samples: Annotated[int | None, typer.Option("-n", "--samples", help="Rows, pulses, images or runs")] = None
    set: Annotated[list[str] | None, typer.Option("--set", help="Of a generator: n=0.6, seed=1, low=COARSE")] = None


@dataclass(frozen=True)
class ConvertOptions:
    """What `lynkeus convert` is told; all but the first two are of weights that become a model."""

    source: Annotated[Path, typer.Argument(help="Weights of weaver (*_state.pt), or a model folder")]
    output: Annotated[Path, typer.Option("-o", "--output", help="Model folder, or NETWORK_state.pt, to write")]
    layout: Annotated[str | None, typer.Option(help="The YAML file that weaver trained it with")] = None
    calibrate: Annotated[str | None, typer.Option(help="Jets of known class that it has not learned from")] = None
    neighbours: Annotated[str | None, typer.Option(help="ParticleNet: of each block, 16,16,16; else as published")] = (
        None
    )
    pair_activation: Annotated[
        bool | None, typer.Option(help="Transformer: use_pre_activation_pair=False; else by the names of the weights")
    ] = None


@dataclass(frozen=True)
class BundleOptions:
    """What `lynkeus bundle` is told; all but the first three are of images."""

    data: Data
    output: Annotated[Path, typer.Argument(help="Folder to write")]
    layout: LayoutName = None
    meta: MetaTable = None
    tile: Annotated[int, typer.Option(help="Images: side of overlapping tiles in pixels; 0: whole images")] = 0
    overlap: Annotated[int, typer.Option(help="Images: pixels that neighbouring tiles share")] = 0
    crop: Annotated[int, typer.Option(help="Images: side of one crop from the centre in pixels")] = 0
    resize: Annotated[int, typer.Option(help="Images: side of each crop or tile as stored; 0: as it is")] = 0
    workers: Workers = "1"


def takes(options: type) -> Callable[[Callable[[Any], None]], Callable[..., None]]:
    """A command whose arguments and options are the annotated fields of a dataclass, of which it is given one."""
    hints = get_type_hints(options, include_extras=True)

    def decorate(command: Callable[[Any], None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**given: Any) -> None:
            command(options(**given))

        kind = inspect.Parameter.KEYWORD_ONLY
        parameters = [
            inspect.Parameter(
                field.name, kind, annotation=hints[field.name],
                default=inspect.Parameter.empty if field.default is MISSING else field.default,
            )
            for field in fields(options)
        ]  # fmt: skip
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {field.name: hints[field.name] for field in fields(options)}
        del run.__wrapped__
        return run

    return decorate


def open_as_fitted(fitted: Fitted, data: str, layout: str | None) -> Source:
    """Open data the way the model was fitted, unless the user says otherwise."""
    from lynkeus.fitting.views.as_read import rule_of
    from lynkeus.sources import open_source

    source = open_source(data, layout_of(fitted, data, layout), expected=fitted.view.schema)
    if getattr(source, "is_live", False) and fitted.view.kind == "images":
        source.rule = rule_of(fitted)  # type: ignore[attr-defined]
    return source


def layout_of(fitted: Fitted, data: str, layout: str | None, labels: str = "") -> Layout | str | None:
    """Return the layout by which the model was fitted, unless the user gives one; with another array of `labels`."""
    from lynkeus.sources import Layout, read_layout

    kept = Layout.from_dict(fitted.view.layout) if fitted.view.layout and "://" not in data else None
    found = layout or kept
    return replace(read_layout(found), truth=labels) if labels else found


def open_for(fitted: Fitted, data: str, layout: str | None, meta: str | None, run_per_file: bool) -> Source:
    """Open data the way the model reads them: runs, images, or as they were when it was fitted."""
    from lynkeus.cli.live import with_end
    from lynkeus.sources.runs.folder import open_runs
    from lynkeus.sources.runs.read import RunFolder

    if run_per_file or fitted.view.alone:
        columns = getattr(fitted.view, "columns", None)
        return RunFolder(open_runs(data, columns.tree if columns else ""))
    if fitted.view.kind == "images" and "://" not in data and None in fitted.view.schema.shape:
        return images_for(fitted, data, meta, layout)
    return with_end(open_as_fitted(fitted, data, layout), data)


def images_for(fitted: Fitted, data: str, meta: str | None, layout: str | None = None) -> Source:
    """Open images as the model reads them, grey or colour, also those of an array in a file.

    Raises SettingsError for a bundle: spots belong to files.
    """
    from lynkeus.core import SettingsError
    from lynkeus.fitting.views.as_read import rule_of
    from lynkeus.sources.formats.layout import Layout, read_layout
    from lynkeus.sources.images.bundle import is_image_bundle
    from lynkeus.sources.images.folder import ImageSource
    from lynkeus.sources.images.frames import ENDINGS, FrameSource, pictures_in

    if is_image_bundle(Path(data)):
        raise SettingsError(f"{data}: is a bundle, from which a model is fitted; give the folder of its images here")
    colour, path = len(fitted.view.schema.names) == 3, Path(data).expanduser()
    if path.is_file() and path.suffix.lower() in ENDINGS:
        kept = Layout.from_dict(fitted.view.layout) if fitted.view.layout and not layout else read_layout(layout)
        array = pictures_in(path, kept, asked=True)
        if not array:
            raise SettingsError(f"{data}: holds no array of pictures (n, row, column); give one, or a folder of images")
        return FrameSource(path, array, meta, colour, rule_of(fitted))
    return ImageSource(data, meta, colour, rule_of(fitted), "judged")


def load_model(model: Path) -> Fitted:
    """Read a model folder, or (images only) a file of `lynkeus export`, named *.onnx."""
    from lynkeus.fitting.fitted import Fitted

    if model.suffix.lower() != ".onnx" or model.is_dir():
        return Fitted.load(model)
    from lynkeus.scorers.inspect.onnx import OnnxInspect

    scorer = OnnxInspect.load(model)
    return Fitted.from_dict(scorer.fitted, scorer, {})
