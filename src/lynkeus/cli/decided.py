"""lynkeus fit --decisions: what people decided about failed tasks, as data to learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lynkeus.cli.options import FitOptions
from lynkeus.core import SettingsError, Source

if TYPE_CHECKING:
    from lynkeus.sources import Layout


def require_data(options: FitOptions) -> None:
    """Raise SettingsError where there is nothing to learn from."""
    if not options.data and not options.decisions:
        raise SettingsError("fit: give DATA, a file, folder or URL to learn from (lynkeus fit --help)")


def decided_or(options: FitOptions, kept: Layout | None) -> tuple[Source, Layout | None] | None:
    """Return the tasks about which people decided in a store, beside those of DATA, and the layout as it is; None where
    none are asked for."""
    if not options.decisions:
        return None
    from lynkeus.monitor.advice.decisions import decided_tasks
    from lynkeus.sources.tasks.joined import JoinedTasks

    found, messages, address = decided_tasks(options.decisions)
    return JoinedTasks(options.data, found, address, messages), kept
