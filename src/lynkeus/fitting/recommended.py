"""The scorer that is recommended for data that one has just opened: what `fit` takes where nobody names one."""

from __future__ import annotations

from pathlib import Path

from lynkeus.core import SettingsError, Source
from lynkeus.sources import files_of
from lynkeus.sources.runs.read import RunFolder

PULSES = "probe_i"  # the first channel of RF pulses of a cavity
OF = {  # what the data are, in words: the scorer
    "tables": "table",
    "windows of a series": "discord",
    "pulses of an RF cavity": "cavity",
    "waveforms": "discord",
    "images": "inspect",
    "runs of events": "population",
    "runs of histograms": "beta_binomial",
    "jets of known classes": "particle_net",
    "jets of known classes without their particles": "deepcsv",
    "jets of known classes by collections": "deepjet",
    "hits": "hit_filter",
    "failed tasks": "advisor",
    "texts": "text",
}


def recommended(source: Source, window: int = 0) -> tuple[str, str]:
    """Return the recommended scorer of a source, and of what it is, in words.

    `window`: rows that are scored together, 0 for single rows. Raises SettingsError for a kind of data that has none.
    """
    what = _what(source, window)
    if what not in OF:
        raise SettingsError(f"no scorer is recommended for a {source.schema.kind}: name one with -s")
    return OF[what], what


def _what(source: Source, window: int) -> str:
    if isinstance(source, RunFolder):
        files = [Path(path) for path in files_of(source)]
        return "runs of histograms" if files and all(path.suffix == ".json" for path in files) else "runs of events"
    kind = source.schema.kind
    if kind == "table":
        return "windows of a series" if window else "tables"
    if kind == "waveform":
        return "pulses of an RF cavity" if PULSES in source.schema.names else "waveforms"
    if kind == "cloud" and source.schema.shape == (None, None):
        return _jets({name.partition("/")[0] for name in source.schema.names})
    return {"image": "images", "hit": "hits", "counts": "failed tasks", "text": "texts"}.get(kind, kind)


def _jets(groups: set[str]) -> str:
    if {"charged", "neutral"} <= groups:
        return "jets of known classes by collections"
    return "jets of known classes" + (" without their particles" if groups <= {"global", "vertices"} else "")
