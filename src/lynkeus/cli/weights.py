"""with_weights: the data of a fit, opened; weights of events of a search are found by their usual name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lynkeus.cli.options import FitOptions, screen
from lynkeus.core import Source, plugins
from lynkeus.progress import say

if TYPE_CHECKING:
    from lynkeus.sources import Layout

WEIGHT = "weight"  # what events of a search call their weights


def with_weights(
    options: FitOptions, layout: Layout, kept: Layout | None, meant: Mapping[str, Any]
) -> tuple[Source, Layout | None]:
    """Open the data and return them with the layout that is kept; `meant`: see `open_source`."""
    from lynkeus.sources import open_source

    opened = open_source(options.data, kept, options.meta, **meant)
    if not _weighs_events(options, opened):
        return opened, kept
    say(screen, [f"{options.data}: {WEIGHT} is taken as how much each event counts, not as an input"])
    kept = replace(layout, weight=WEIGHT)
    return open_source(options.data, kept), kept


def _weighs_events(options: FitOptions, source: Source) -> bool:
    """Whether events have a column `weight` that nobody named: as an input it would tell their processes apart by
    itself, and without it a search does not know how many are expected."""
    asked = options.weights or not options.scorer or "," in options.scorer or options.scorer == "auto"
    if asked or source.schema.kind != "table" or "://" in options.data:
        return False
    about = plugins.about(options.scorer)
    if not (about.tags and "table" in about.kinds):
        return False
    first = next(iter(source), None)
    return first is not None and first.weight is None and (WEIGHT in source.schema.names or WEIGHT in first.meta)
