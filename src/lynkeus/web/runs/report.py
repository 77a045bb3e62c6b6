"""A run as one HTML file that opens from a mail: no script, no other file, nothing from the net."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from lynkeus import __version__
from lynkeus.core import RunRecord
from lynkeus.files.whole import write_whole
from lynkeus.monitor.opinions import Opinion
from lynkeus.web.runs.words import grouped
from lynkeus.web.site import HERE, templates


def run_html(record: RunRecord, overrides: Sequence[Opinion] = ()) -> str:
    """The page of a run with all its plots, complete in itself; `overrides` the latest first."""
    styles = [(HERE / "static" / name).read_text("utf-8") for name in ("style.css", "runs.css")]
    return templates.get_template("run_report.html").render(
        record=record,
        groups=grouped(record.plots),
        override=next(iter(overrides), None),
        overrides=overrides,
        styles=Markup("\n".join(styles)),
        written_ns=time.time_ns(),
        version=__version__,
    )


def render_run(record: RunRecord, path: Path, overrides: Sequence[Opinion] = ()) -> None:
    """Write the page of a run to a file, whole or not at all. Raises SourceError where it cannot be written."""
    write_whole(path, run_html(record, overrides).encode())
