"""lynkeus generate: samples of a simulator as files, with the truth, for every other command and program to read."""

from __future__ import annotations

from typing import Any

from lynkeus.cli.options import GenerateOptions, screen
from lynkeus.cli.passes import Passes
from lynkeus.core import SettingsError, Source, SourceError
from lynkeus.progress import passes_bar, say

SIMULATED = "sim://"


def write_generated(options: GenerateOptions) -> None:
    """Run `lynkeus generate`."""
    from lynkeus.sources import open_source
    from lynkeus.sources.writers.write import CALLED, beside_particles, check_output, kind_of, write_source

    url = options.source if "://" in options.source else SIMULATED + options.source
    if not url.startswith(SIMULATED):
        raise SettingsError(f"{url}: is no simulator; see lynkeus list simulators (files: lynkeus bundle)")
    source = open_source(url)
    check_output(source.schema, options.output)
    if options.samples is not None:
        source = _as_many(source, options.samples, url)
    with passes_bar(screen, "generate") as bar:
        rows = write_source(Passes(source, bar), options.output)
    more = beside_particles(source.schema, options.output)
    say(screen, [f"{options.output}: {rows} {CALLED[kind_of(source.schema)]}", *([more] if more else [])])


def _as_many(source: Any, samples: int, url: str) -> Source:
    """The first samples of a simulation, which is made longer or shorter where it can be."""
    from lynkeus.sources import Select

    if samples < 1:
        raise SettingsError(f"-n {samples}: must be at least 1")
    if hasattr(source, "of_length"):
        source = source.of_length(samples)
    if len(source) < samples:
        raise SourceError(f"{url}: has {len(source)} samples, fewer than -n {samples}; ask for more in the URL")
    return Select(source, rows=(0, samples))
