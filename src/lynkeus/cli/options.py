"""What the commands share: arguments and options with their help, and a dataclass as the options of a command."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer
from rich.console import Console

from lynkeus.core import SettingsError, Source

if TYPE_CHECKING:
    from lynkeus.fitting.fitted import Fitted

screen = Console(stderr=True)

Data = Annotated[str, typer.Argument(help="File, bundle, folder, 'pattern*.h5', or URL such as sim://orbit?seed=1")]
ModelFolder = Annotated[Path, typer.Argument(help="Folder written by lynkeus fit")]
LayoutName = Annotated[str | None, typer.Option("--layout", help="Shipped layout by name, or your own FILE.toml")]
MetaTable = Annotated[str | None, typer.Option("--meta", help="Images: CSV or Parquet with a column file")]
SiteFile = Annotated[Path | None, typer.Option("--site", help="TOML file with the facts of your site")]
RunPerFile = Annotated[bool, typer.Option("--run-per-file", help="DATA: a folder of runs, one file of events each")]
FalseAlarms = Annotated[float, typer.Option(help="Runs: share of good ones that you accept to be flagged")]
StoreUrl = Annotated[str | None, typer.Option("--store", help="sqlite:///FILE.db or postgresql://user@host/name")]


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
    from lynkeus.sources import Layout, open_source

    kept = Layout.from_dict(fitted.view.layout) if fitted.view.layout and "://" not in data else None
    return open_source(data, layout or kept)


def open_for(fitted: Fitted, data: str, layout: str | None, meta: str | None, run_per_file: bool) -> Source:
    """Open data the way the model reads them: runs, images, or as they were when it was fitted."""
    from lynkeus.sources.runs.folder import open_runs
    from lynkeus.sources.runs.read import RunFolder

    if run_per_file or fitted.view.alone:
        return RunFolder(open_runs(data))
    if fitted.view.kind == "images" and "://" not in data and None in fitted.view.schema.shape:
        return images_for(fitted, data, meta)
    return open_as_fitted(fitted, data, layout)


def images_for(fitted: Fitted, data: str, meta: str | None) -> Source:
    """Open images as the model reads them, grey or colour. Raises SettingsError for a bundle: spots belong to files."""
    from lynkeus.sources.images.bundle import is_image_bundle
    from lynkeus.sources.images.folder import ImageSource

    if is_image_bundle(Path(data)):
        raise SettingsError(f"{data}: is a bundle, from which a model is fitted; give the folder of its images here")
    return ImageSource(data, meta, colour=len(fitted.view.schema.names) == 3)


def load_model(model: Path) -> Fitted:
    """Read a model folder, or (images only) a file of `lynkeus export`, named *.onnx."""
    from lynkeus.fitting.fitted import Fitted

    if model.suffix.lower() != ".onnx" or model.is_dir():
        return Fitted.load(model)
    from lynkeus.scorers.inspect.onnx import OnnxInspect

    scorer = OnnxInspect.load(model)
    return Fitted.from_dict(scorer.fitted, scorer, {})
