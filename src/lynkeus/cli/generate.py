"""lynkeus generate: samples of a simulator or of a fitted generator as files, for every other command to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lynkeus.cli.options import GenerateOptions, screen
from lynkeus.cli.passes import Passes
from lynkeus.core import SettingsError, Source, SourceError
from lynkeus.progress import passes_bar, say

SIMULATED = "sim://"


def write_generated(options: GenerateOptions) -> None:
    """Run `lynkeus generate`."""
    from lynkeus.files.workers import several_processes
    from lynkeus.sources import open_source
    from lynkeus.sources.writers.write import CALLED, check_output, kind_of, write_source

    if Path(options.source).is_dir():
        _write_made(options)
        return
    if options.set:
        raise SettingsError(
            f"--set {options.set[0]}: is for models of generators, and {options.source} is no folder of one; of a "
            f"simulator put it into the URL: {options.source}?NAME=VALUE"
        )
    url = options.source if "://" in options.source else SIMULATED + options.source
    if not url.startswith(SIMULATED):
        raise SettingsError(f"{url}: is no simulator; see lynkeus list simulators (files: lynkeus bundle)")
    source = open_source(url)
    check_output(source.schema, options.output)
    if options.samples is not None:
        source = _as_many(source, options.samples, url)
    with passes_bar(screen, "generate") as bar, several_processes():
        rows = write_source(Passes(source, bar), options.output)
    say(screen, [f"{options.output}: {rows} {CALLED[kind_of(source.schema)]}"])


def _write_made(options: GenerateOptions) -> None:
    """Write samples of a fitted generator."""
    from lynkeus.cli.fit import settings_of
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.fitting.generated import generated
    from lynkeus.sources.writers.write import CALLED, check_output, kind_of, write_source

    made = generated(Fitted.load(Path(options.source)), settings_of(options.set or []))
    check_output(made.schema, options.output)
    source: Source = made if options.samples is None else _as_many(made, options.samples, options.source)
    with passes_bar(screen, "generate") as bar:
        rows = write_source(Passes(source, bar), options.output)
    said = getattr(made, "messages", ())
    say(screen, [*said, f"{options.output}: {rows} {CALLED[kind_of(source.schema)]} of {options.source}"])


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
