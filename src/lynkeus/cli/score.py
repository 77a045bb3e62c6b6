"""lynkeus score: of tables and windows, images, and runs."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lynkeus.cli.options import ScoreOptions, load_model, open_for, screen
from lynkeus.cli.passes import Passes
from lynkeus.cli.tagging import runs_of
from lynkeus.core import SettingsError, Source, about_of
from lynkeus.progress import passes_bar, say

if TYPE_CHECKING:
    from lynkeus.files.workers import Backend
    from lynkeus.fitting.score import Written
    from lynkeus.monitor.keeper import Keeper

IMPORTS = ("lynkeus.fitting.fitted", "lynkeus.fitting.score", "lynkeus.fitting.verdicts")
SHOWN = 20  # flagged runs that are printed


def score_data(options: ScoreOptions) -> None:
    """Run `lynkeus score`."""
    from lynkeus.files.cluster import workers_of
    from lynkeus.files.workers import started

    who = workers_of(options.workers)
    with started(who[0], IMPORTS):
        _score(options, *who)


def _score(options: ScoreOptions, processes: int, backend: Backend | None) -> None:
    from lynkeus.fitting.fitted import shows_maps
    from lynkeus.fitting.score import ScoreSettings, score
    from lynkeus.sources.runs.read import RunFolder

    fitted = tagger = load_model(options.model)
    if about_of(fitted.scorer).generates:
        raise SettingsError(f"{options.model}: is a generator, which scores nothing: lynkeus generate {options.model}")
    jets = options.run_per_file and about_of(tagger.scorer).tags
    if jets:
        from lynkeus.fitting.tagged_runs import monitor_of

        fitted = monitor_of(tagger, options.model.resolve().name)
        say(screen, fitted.messages[-1:])
    if options.store and not fitted.view.alone:
        other = "add --run-per-file" if about_of(tagger.scorer).tags else "for others use lynkeus watch"
        raise SettingsError(f"--store: keeps verdicts on runs; this model is not of runs, {other}")
    if options.maps is not None and not shows_maps(fitted):
        raise SettingsError(f"--maps: the scorer {fitted.name} makes none; fit with one that finds spots in images")
    if jets:
        source: Source = RunFolder(runs_of(tagger, options.data, options.layout))
    else:
        source = open_for(fitted, options.data, options.layout, options.meta, options.run_per_file)
    runs = isinstance(source, RunFolder)
    if jets and (processes, backend) != (1, None):
        raise SettingsError("--workers: runs of jets are scored by one process; leave it out")
    if (processes, backend) != (1, None) and not (runs or hasattr(source, "images")):
        say(screen, ["--workers: samples of these data are scored in their order, by this process alone"])
    with passes_bar(screen, "score") as bar, _keeper(options.store) as keep:
        settings = ScoreSettings(
            options.output, options.maps, processes, load_model, options.false_alarms, options.section, keep,
            options.store, backend,
        )  # fmt: skip
        whole = source if hasattr(source, "images") or runs else Passes(source, bar)
        done = score(fitted, options.model, whole, settings, bar.step)
    if done.done:
        what = "runs were judged" if runs else "rows were written"
        say(screen, [f"{done.done} {what} before; the others now"])
    say(screen, [*done.messages, *_said(options.output, done, runs, hasattr(source, "images"))])


@contextlib.contextmanager
def _keeper(url: str | None) -> Iterator[Keeper | None]:
    """The store where there is one; without, nothing of it is imported."""
    if url is None:
        yield None
        return
    from lynkeus.monitor.keeper import keeper

    with keeper(url) as keep:
        yield keep


def _said(output: Path, done: Written, runs: bool, images: bool) -> list[str]:
    """Return what was written, in a line; of runs also those that are not good."""
    if not runs:
        return [f"{output}: {done.rows} {'images' if images else 'rows'}"]
    counted = Counter(row["verdict"] for row in done.table)
    flagged = [line for row in done.table for line in _flagged(row)]
    more = [f"... and {len(flagged) - SHOWN} more"] if len(flagged) > SHOWN else []
    verdicts = ", ".join(f"{n} {name}" for name, n in counted.items())
    return [*flagged[:SHOWN], *more, f"{output}: {done.rows} runs, {verdicts}"]


def _flagged(row: dict[str, Any]) -> Sequence[str]:
    if row["change"] == "none" and row["verdict"] != "NOT ENOUGH DATA":
        return ()
    return (f"{row['run']}: {row['verdict']}, {row['reason']}",)
