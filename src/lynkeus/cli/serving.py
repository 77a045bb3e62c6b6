"""lynkeus serve: the pages of a store, of scored images, of judged pads, and of failed tasks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lynkeus.cli.options import SiteFile, StoreUrl

if TYPE_CHECKING:
    from lynkeus.web.site import Advising


@dataclass(frozen=True)
class ServeOptions:
    """What `lynkeus serve` is told."""

    store: StoreUrl = None
    host: Annotated[str | None, typer.Option(help="Address; beyond localhost verdicts need a token")] = None
    port: Annotated[int | None, typer.Option(help="Port to listen on")] = None
    token_file: Annotated[str | None, typer.Option(help="File that holds the token for verdicts and labels")] = None
    reports: Annotated[str | None, typer.Option(help="Commissioning table or folder, for the trend page")] = None
    scans: Annotated[list[Path] | None, typer.Option(help="Scores of images (lynkeus score), or a folder")] = None
    pads: Annotated[Path | None, typer.Option(help="Judged pads (lynkeus score): plane, spectra, eye-scan")] = None
    advise: Annotated[
        str | None, typer.Option(help="Failed tasks: MODEL[,MODEL...]; the first advises, others beside it")
    ] = None
    apply: Annotated[
        bool, typer.Option("--apply", help="Failed tasks: sure advice is taken; without, only noted as a dry run")
    ] = False
    logbook: Annotated[
        str | None, typer.Option(help="Logbook beside alarms: file of elog, JSON lines, CSV; folder; database")
    ] = None
    site: SiteFile = None


def serve_pages(options: ServeOptions) -> None:
    """Run `lynkeus serve`, until Ctrl-C."""
    from lynkeus.monitor.site import SiteSettings
    from lynkeus.web.app import serve
    from lynkeus.web.site import Tables, Words

    given = {name: getattr(options, name) for name in ("store", "host", "port", "token_file", "reports", "logbook")}
    facts = SiteSettings.read(options.site).replaced(**given)
    shown = Path(facts.reports) if facts.reports else None
    tables = Tables(tuple(options.scans or ()), options.pads, _advising(options), facts.logbook)
    serve(facts.store, facts.host, facts.port, facts.token, shown, tables, Words(facts.call, facts.outputs))


def _advising(options: ServeOptions) -> Advising | None:
    """Return the models that advise, where there are any. Raises SettingsError for what makes no sense."""
    from lynkeus.core import SettingsError
    from lynkeus.files.model_folder import verify_model
    from lynkeus.web.site import Advising

    if options.advise is None:
        if options.apply:
            raise SettingsError("--apply: belongs to --advise MODEL; give that too, or leave it out")
        return None
    models = tuple(Path(name.strip()) for name in options.advise.split(",") if name.strip())
    if not models or len(set(models)) != len(models):
        raise SettingsError(f"--advise {options.advise}: name one model, or several different ones with commas")
    for model in models:  # before a store is made for one that is not there
        verify_model(model)
    return Advising(models, options.apply)
