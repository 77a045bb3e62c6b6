"""lynkeus serve: the pages of a store, and advice on failed tasks."""

from __future__ import annotations

from pathlib import Path

from lynkeus.cli.page_options import ServeOptions
from lynkeus.core import SettingsError


def serve_pages(options: ServeOptions) -> None:
    """Serve until Ctrl-C. Raises SettingsError for models that there are not."""
    from lynkeus.monitor.site import SiteSettings
    from lynkeus.web.app import Advising, serve
    from lynkeus.web.site import Words

    facts = SiteSettings.read(options.site).replaced(
        store=options.store, host=options.host, port=options.port, token_file=options.token_file,
        reports=options.reports,
    )  # fmt: skip
    if options.apply and not options.advise:
        raise SettingsError("--apply: belongs to --advise MODEL; give that too, or leave it out")
    advise = None
    if options.advise is not None:
        models = tuple(Path(name.strip()) for name in options.advise.split(",") if name.strip())
        if not models or len(set(models)) != len(models):
            raise SettingsError(f"--advise {options.advise}: name one model, or several different ones with commas")
        advise = Advising(models, options.apply)
    serve(
        facts.store, facts.host, facts.port, facts.token, Path(facts.reports) if facts.reports else None,
        scans=tuple(options.scans or ()), words=Words(facts.call, facts.outputs), advise=advise,
    )  # fmt: skip
