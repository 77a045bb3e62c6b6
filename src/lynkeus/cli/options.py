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

from lynkeus.core import Source

if TYPE_CHECKING:
    from lynkeus.fitting.fitted import Fitted

screen = Console(stderr=True)

Data = Annotated[str, typer.Argument(help="File, bundle, folder, 'pattern*.h5', or URL such as sim://orbit?seed=1")]
ModelFolder = Annotated[Path, typer.Argument(help="Folder written by lynkeus fit")]
LayoutName = Annotated[str | None, typer.Option("--layout", help="Shipped layout by name, or your own FILE.toml")]
MetaTable = Annotated[str | None, typer.Option("--meta", help="Images: CSV or Parquet with a column file")]
SiteFile = Annotated[Path | None, typer.Option("--site", help="TOML file with the facts of your site")]
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

    kept = Layout.from_dict(fitted.layout) if fitted.layout and "://" not in data else None
    return open_source(data, layout or kept)
