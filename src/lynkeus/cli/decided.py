"""lynkeus fit --decisions, --verdicts: what people decided about failed tasks, and said of alarms, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lynkeus.cli.options import FitOptions
from lynkeus.core import SettingsError, Source

if TYPE_CHECKING:
    from lynkeus.monitor.human_labels import HumanLabels
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


def said_by_people(options: FitOptions) -> HumanLabels | None:
    """Return what people said, as a store keeps it; None where none is given."""
    if not options.verdicts:
        return None
    from lynkeus.monitor.human_labels import human_labels  # here: to fit without a store starts sooner

    return human_labels(options.verdicts, options.monitor)
