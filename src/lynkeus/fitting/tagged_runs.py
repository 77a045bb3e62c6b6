"""Runs as a tagger sees them: scores of the jets of each file, beside those of the jets that it kept from training.

A run of jets becomes a run of events with a column for each class, the log odds; held-out jets are cut into good runs.
All else - plots, verdicts, the store, pages - is that of any model of runs.
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from zlib import crc32

import numpy as np

from lynkeus.core import Array, Floats, SettingsError, Source, SourceError, about_of
from lynkeus.core.background import log_odds
from lynkeus.core.errors import LynkeusError
from lynkeus.core.progress import silent
from lynkeus.fitting.fit_runs import fit_runs
from lynkeus.fitting.fitted import Fitted
from lynkeus.sources.runs.events import Events, run_name
from lynkeus.sources.runs.folder import WEIGHT, RunFile
from lynkeus.sources.runs.read import RunFolder
from lynkeus.transforms.reservoir import Weighted, weighted_reservoir

SCORER = "binned_chi2"
LOG_ODDS, WEIGHTS = "log_odds", "log_odds_weight"
MOST_JETS, MOST_RUNS, FEWEST_RUNS = 20_000, 40, 10  # kept of the held-out ones; how many good runs are made of them
FEWEST_JETS = 20  # of a run
LARGEST = 4  # a run is compared by one in so many of the held-out jets at most: those are known no better
FILES = (".root", ".parquet", ".feather", ".arrow", ".h5", ".hdf5", ".npz")
Open = Callable[[Path], Source]


def kept_scores(scores: Floats, weight: Floats | None) -> dict[str, Array]:
    """Return what a model keeps of the scores (n, classes) of held-out jets, in an order by chance."""
    there = np.flatnonzero(np.isfinite(scores).all(axis=1))
    some = np.random.default_rng(0).permutation(there)[:MOST_JETS]
    kept: dict[str, Array] = {LOG_ODDS: log_odds(scores[some]).astype(np.float32)}
    return kept | ({WEIGHTS: np.asarray(weight, np.float32)[some]} if weight is not None else {})


def monitor_of(tagger: Fitted, name: str = "") -> Fitted:
    """Return a model of runs whose good ones are the held-out jets of a tagger; pages call it by `name`.

    Raises SettingsError where it kept none, or too few.
    """
    from lynkeus.fitting.fit import FitSettings  # which needs what is above

    if not about_of(tagger.scorer).tags:
        raise SettingsError(f"the model ({tagger.name}) tells no classes apart")
    kept = tagger.reference.get(LOG_ODDS)
    if kept is None or len(kept) < FEWEST_RUNS * FEWEST_JETS:
        known = "no" if kept is None else f"{len(kept)}"
        raise SettingsError(
            f"the model keeps the scores of {known} held-out jets, and {FEWEST_RUNS * FEWEST_JETS} are needed to know "
            "what runs look like: fit it again on more jets, or convert it with --calibrate"
        )
    runs = int(np.clip(len(kept) // FEWEST_JETS, FEWEST_RUNS, MOST_RUNS))
    parts = np.array_split(np.arange(len(kept)), runs)
    weight = tagger.reference.get(WEIGHTS)
    files = [_held_out(f"held-out {k + 1}", _events(tagger, kept[own], weight, own)) for k, own in enumerate(parts)]
    monitor = fit_runs(RunFolder(files), FitSettings(SCORER), silent)
    monitor.lineage["name"] = name or tagger.name
    monitor.messages.append(
        f"scores are compared with those of {len(kept):,} jets held out from the training; of a run at most "
        f"{len(kept) // LARGEST:,} jets, drawn at random"
    )
    return monitor


def runs_of_jets(tagger: Fitted, data: str, open_jets: Open) -> list[RunFile]:
    """Return the files of a folder, of a pattern, or one file, each a run of jets as `open_jets` reads it and the
    tagger scores it. Raises SourceError where there is none, and where two files give a run one name."""
    path = Path(data).expanduser()
    if path.is_dir():
        files = sorted(item for item in path.iterdir() if item.is_file() and item.suffix.lower() in FILES)
    else:
        files = [path] if path.is_file() else sorted(map(Path, glob.glob(str(path))))
    if not files:
        raise SourceError(f"{data}: no run there; a run is a file of jets ({', '.join(FILES)}); give their folder")
    found: dict[str, Path] = {}
    for item in files:
        if (name := run_name(item)) in found:
            raise SourceError(f"{item}: the run {name!r} is there twice, also as {found[name].name}; rename one")
        found[name] = item
    return [RunFile(name, partial(_scored, tagger, item, open_jets), item) for name, item in found.items()]


def _held_out(name: str, events: Events) -> RunFile:
    return RunFile(name, lambda: iter([events]))


def _events(tagger: Fitted, odds: Array, weight: Array | None, own: Array) -> Events:
    names = [f"log odds of {output}" for output in tagger.scorer.outputs]
    events = dict(zip(names, odds.T.astype(float), strict=True))
    return events if weight is None else events | {WEIGHT: weight[own].astype(float)}


def _scored(tagger: Fitted, path: Path, open_jets: Open) -> Iterator[Events]:
    most = len(tagger.reference[LOG_ODDS]) // LARGEST
    try:
        odds, weight = weighted_reservoir(_log_odds(tagger, open_jets(path)), most, crc32(path.name.encode()))
    except LynkeusError as error:
        raise SourceError(str(error)) from error
    yield _events(tagger, odds, weight, np.arange(len(odds)))


def _log_odds(tagger: Fitted, source: Source) -> Iterator[Weighted]:
    for batch in tagger.prepare(source):
        odds = log_odds(tagger.scorer.score(batch))
        there = np.isfinite(odds).all(axis=1)
        yield odds[there], None if batch.weight is None else np.asarray(batch.weight, float)[there]
