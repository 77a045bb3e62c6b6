"""What every page needs: the store, the token, the reports, and the templates with their words."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from fastapi.templating import Jinja2Templates

from lynkeus.core import StoreError, Verdict
from lynkeus.monitor import run_records
from lynkeus.monitor.records import LABELS, VERDICTS
from lynkeus.monitor.store import Store
from lynkeus.web import words
from lynkeus.web.images.scans import ScoredImages
from lynkeus.web.images.shown import ShownImages
from lynkeus.web.runs import figures as run_figures
from lynkeus.web.runs import words as run_words

HERE = Path(__file__).parent
WHO_LENGTH, NOTE_LENGTH = 80, 2000

templates = Jinja2Templates(directory=HERE / "templates")  # escapes every name it prints
templates.env.filters |= {
    "how_often": words.how_often,
    "how_rare": words.how_rare,
    "pixels": words.pixels,
    "duration": words.duration,
    "utc": words.utc,
    "iso": words.iso,
    "count": words.count,
    "significant": words.significant,
    "per_second": words.per_second,
    "happened": run_words.happened,
    "in_short": run_words.in_short,
    "how_rare_run": run_words.how_rare_run,
    "events": run_words.events,
    "sigmas": run_words.sigmas,
    "outlined": run_words.outlined,
    "figure": run_figures.figure,
    "ago": lambda at_ns: words.ago(at_ns, time.time_ns()),
    "seconds": lambda alarm: None if alarm.end_ns is None else (alarm.end_ns - alarm.start_ns) / 1e9,
}
templates.env.globals |= {
    "plotly_version": version("plotly"),
    "verdicts": VERDICTS,
    "labels": LABELS,
    "run_verdicts": tuple(verdict.value for verdict in Verdict),
    "run_address": run_words.run_address,
    "plot_address": run_words.plot_address,
    "who_length": WHO_LENGTH,
    "note_length": NOTE_LENGTH,
}


@dataclass(frozen=True)
class Site:
    """What one server shows: a store, who may write to it, commissioning reports, and scored images (`shown`)."""

    store: Store
    token: str | None
    reports: Path | None
    shown: ShownImages

    @property
    def scans(self) -> ScoredImages | None:
        """The scored images as they are now; None where there are none."""
        return self.shown.now()

    @property
    def has_runs(self) -> bool:
        """Return whether there are runs to show; not where the store fails, which another part of the page says."""
        try:
            return bool(run_records.models(self.store))
        except StoreError:
            return False


def _site_of(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


SiteDep = Annotated[Site, Depends(_site_of)]
