"""lynkeus serve: the pages of a store, of scored images and of judged pads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from lynkeus.cli.options import SiteFile, StoreUrl


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
    site: SiteFile = None


def serve_pages(options: ServeOptions) -> None:
    """Run `lynkeus serve`, until Ctrl-C."""
    from lynkeus.monitor.site import SiteSettings
    from lynkeus.web.app import serve
    from lynkeus.web.site import Tables, Words

    given = {name: getattr(options, name) for name in ("store", "host", "port", "token_file", "reports")}
    facts = SiteSettings.read(options.site).replaced(**given)
    shown = Path(facts.reports) if facts.reports else None
    tables = Tables(tuple(options.scans or ()), options.pads)
    serve(facts.store, facts.host, facts.port, facts.token, shown, tables, Words(facts.call, facts.outputs))
