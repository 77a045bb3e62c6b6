"""score: from a model and data to a table, one way for windows, images and runs; killed and started again, it goes on.

A window, or a sample as it is read, becomes a row of a table that is written in parts; an image and a run have a name,
and what is done of them stands in a journal beside the table. Maps and the store are kept along the way.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from lynkeus.core import Batch, Heads, RunRecord, SettingsError, Source, SourceError
from lynkeus.core.progress import ReportProgress, silent
from lynkeus.files.journal import Journal, stamp_of
from lynkeus.files.model_folder import SUMS
from lynkeus.files.whole import write_parquet
from lynkeus.files.workers import Backend, Work, as_done
from lynkeus.fitting.fitted import Fitted, shows_maps
from lynkeus.fitting.follow import move_past, start, state_of
from lynkeus.fitting.image_rows import about_rows, row_of_image
from lynkeus.fitting.pad_tables import about_pads
from lynkeus.fitting.parts import Parts
from lynkeus.fitting.tables import Row, columns, verdict_row, verdict_table
from lynkeus.fitting.unscored import Unscored
from lynkeus.fitting.views.live import Silences
from lynkeus.sources import files_of, origin_of
from lynkeus.sources.images.files import map_names
from lynkeus.sources.images.folder import ImageSource
from lynkeus.sources.runs.folder import RunFile
from lynkeus.sources.runs.histograms import left_out
from lynkeus.sources.runs.read import RunFolder
from lynkeus.sources.wrappers.answered import words_of

if TYPE_CHECKING:
    from lynkeus.fitting.verdicts import RunVerdicts

SHARE = 4  # images or runs that a process is given at a time
FALSE_ALARMS = 0.01  # of good runs that are not called GOOD
OTHERS = (".xlsx", ".xls", ".json", ".txt", ".tsv", ".h5", ".hdf5", ".npy", ".npz", ".root", ".html", ".db")
ABOUT = b"lynkeus"  # of a table of images: where they are, and their maps
Keep = Callable[[RunRecord], bool]


@dataclass(frozen=True)
class ScoreSettings:
    """Where the table goes (`output`). Images and runs: by how many `processes`, or by a `backend` (a cluster), and
    how each of them reads the model (`load`). Images: a folder for `maps` (None: none are kept). Runs: the share of
    `false_alarms`, the column of a `section`, and `keep`, which is given each record and says whether all that it was
    given is safe; `kept_in`: where that is.
    """

    output: Path
    maps: Path | None = None
    processes: int = 1
    load: Callable[[Path], Fitted] = Fitted.load
    false_alarms: float = FALSE_ALARMS
    section: str = ""
    keep: Keep | None = None
    kept_in: str | None = None
    backend: Backend | None = None

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise SettingsError(f"processes must be at least 1, got {self.processes}")
        for path in (self.output.parent, self.maps):
            if path is not None and path.exists() and not path.is_dir():
                raise SettingsError(f"{path} is a file: give a folder")
        if self.output.is_dir():
            raise SettingsError(f"{self.output} is a folder: give a file name with -o")
        if self.output.suffix.lower() in OTHERS:
            raise SettingsError(f"-o {self.output}: scores are written as .parquet or .csv; give a name that ends so")


@dataclass
class Written:
    """What was written: `rows` of the table, those of named samples also as they are (`table`), `messages`, and how
    many samples an earlier run had `done`."""

    rows: int
    table: list[Row] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    done: int = 0


def score(
    fitted: Fitted, model: Path, source: Source, settings: ScoreSettings, progress: ReportProgress | None = None
) -> Written:
    """Score all of a source by a model, as it lies in the folder or file `model`.

    Raises SourceError where nothing can be read or written, SettingsError for what the model cannot do.
    """
    report = progress or silent
    if settings.output.exists() and any(settings.output.samefile(own) for own in files_of(source) if own.exists()):
        raise SettingsError(f"-o {settings.output}: is one of the files that are scored; give another name")
    if isinstance(source, RunFolder):
        return _runs(fitted, model, source, settings, report)
    if shows_maps(fitted) and isinstance(source, ImageSource):
        return _images(fitted, model, source, settings, report)
    return _samples(fitted, model, source, settings)


def _samples(fitted: Fitted, model: Path, source: Source, settings: ScoreSettings) -> Written:
    """Windows, or samples as they are read, in their order; a Tracking scorer goes on from where it was."""
    prepared = fitted.prepare(source)
    parts = Parts.open(settings.output, {"model": identity(model), "data": data_of(source)})
    done = skip = parts.rows
    new, others, silences, unscored = 0, Counter[str](), Silences(prepared), Unscored(fitted)
    start(fitted.scorer, parts.state)
    for batch in prepared:
        silences.add(batch)
        # Written before a kill: read again, since a window needs the rows before it, but not scored again.
        if skip >= len(batch):
            skip -= len(batch)
            continue
        batch, skip = batch[skip:] if skip else batch, 0
        scored = fitted.score_batch(batch)
        unscored.add(scored)
        table = columns(fitted, scored, parts.added)
        move_past(fitted.scorer, batch)
        new += int(np.count_nonzero(np.asarray(table.get("unknown", 0))))
        others.update(_not_answers(fitted, batch))
        parts.add(table, state_of(fitted.scorer))
    if not parts.added:
        raise SourceError("the data give not a single sample to score: check that they are longer than one window")
    met = [f"{new} of {parts.added} samples hold codes or sites that {fitted.name} has not met"] if new else []
    return Written(
        parts.finish(silences.column(), about_pads(fitted, model, source)),
        messages=[
            *getattr(prepared, "messages", ()),
            *unscored.messages,
            *met,
            *(f"{what}: {many}" for what, many in others.items()),
        ],
        done=done,
    )


def _not_answers(fitted: Fitted, batch: Batch) -> Iterator[str]:
    """Yield for each answer that people gave and a model of questions does not have what is said of it."""
    asked = fitted.scorer.heads if isinstance(fitted.scorer, Heads) else {}
    for question in asked.keys() & batch.meta.keys():
        for word in words_of(batch, question).tolist():
            if word and word not in asked[question]:
                yield f"{question} {word[:40]!r} was never learned, and is never advised"


def data_of(source: Source) -> Any:
    """Return what the data are, by names, sizes and times of files: so that other data are not taken for the same."""
    files = [[str(path), *stamp_of(path)] for path in files_of(source) if path.is_file()]
    return files or origin_of(source) or str(getattr(source, "url", type(source).__name__))


def _runs(fitted: Fitted, model: Path, folder: RunFolder, settings: ScoreSettings, report: ReportProgress) -> Written:
    """A verdict on each run, and on its sections before it."""
    from lynkeus.fitting.verdicts import RunVerdicts  # it takes longest to import

    verdicts = RunVerdicts(fitted, settings.false_alarms, settings.section)
    stamps = {run.name: stamp_of(run.path) for run in folder.runs}
    head = {
        "model": identity(model), "false_alarms": settings.false_alarms, "section": settings.section,
        "store": settings.kept_in,
    }  # fmt: skip
    journal = Journal.open(settings.output, head, stamps.items())
    names = set(journal.left())
    left = [run for run in folder.runs if run.name in names]
    shares = [left[start : start + SHARE] for start in range(0, len(left), SHARE)]
    kept = settings.keep is not None
    given = (settings.load, model, settings.false_alarms, settings.section, kept)
    work: Work[list[RunFile], list[list[RunRecord]]] = Work(_begin_runs, given, partial(_judged, verdicts, kept))
    for _, judged in as_done(work, shares, settings.processes, settings.backend):
        for records in judged:
            keep = settings.keep or _nowhere_else
            safe = [keep(record) for record in records][-1]
            *sections, own = map(verdict_row, records)  # the row of a run before those of its sections
            name = records[-1].run
            journal.add(name, stamps[name], [own, *sections])
            names.remove(name)
            report(f"{len(left) - len(names)} of {len(left)} runs", 1 - len(names) / len(left))
            # Not before the store has them, or a kill would leave runs in the table that the store never gets.
            if safe:
                journal.commit()
    table = journal.rows
    write_parquet(verdict_table(table), settings.output)
    journal.remove()
    first = next(iter(folder.runs), None)
    messages = left_out(first, verdicts.view.columns, verdicts.view.book) if first is not None else []
    return Written(len(table), table, messages, done=len(folder) - len(left))


def _nowhere_else(record: RunRecord) -> bool:
    """Say that a record is safe: no store wants it."""
    return True


def _begin_runs(
    load: Callable[[Path], Fitted], model: Path, false_alarms: float, section: str, plots: bool
) -> Callable[[Iterable[RunFile]], list[list[RunRecord]]]:
    """Once in every process: read the model."""
    from lynkeus.fitting.verdicts import RunVerdicts

    return partial(_judged, RunVerdicts(load(model), false_alarms, section), plots)


def _judged(verdicts: RunVerdicts, plots: bool, runs: Iterable[RunFile]) -> list[list[RunRecord]]:
    """Records of runs: of each those of its sections, and its own last; without their `plots`, which are large, where
    no store wants them."""
    judged = [list(verdicts.of_run(run)) for run in runs]
    return judged if plots else [[replace(record, plots=()) for record in records] for records in judged]


def _images(
    fitted: Fitted, model: Path, source: ImageSource, settings: ScoreSettings, report: ReportProgress
) -> Written:
    """A row of each image, by one or more processes, and its map where maps are kept."""
    fitted.prepare(source)  # are these images such as it was fitted on?
    names = dict(zip(source.images, map_names(source.images), strict=True)) if settings.maps else {}
    head = {"model": identity(model), "images": source.origin, "maps": str(settings.maps)}
    journal = Journal.open(settings.output, head, ((file, ()) for file in source.images))
    done = len(journal)
    left = [
        (number, names.get(file, ""))
        for number, file in enumerate(source.images)
        if file not in journal and file not in source.skipped
    ]
    # Small shares: the processes end together though images differ in size, and little is lost with a kill.
    shares = [left[start : start + SHARE] for start in range(0, len(left), SHARE)]
    given = (settings.load, model, source.again, settings.maps)
    work: Work[list[Numbered], Scored] = Work(_begin, given, partial(_share, fitted, source, settings.maps))
    for _, (rows, skipped) in as_done(work, shares, settings.processes, settings.backend):
        source.skipped.update(skipped)
        for row in rows:
            journal.add(row["file"], (), [row])
        journal.commit()
        report(f"{len(journal)} of {len(source.images)} images", len(journal) / len(source.images))
    table = journal.rows
    if not table:
        raise SourceError(f"{source.path}: not a single image can be read; {source.messages[0]}")
    about = {ABOUT: json.dumps(about_rows(model, fitted, source.folder, settings.maps, source.array)).encode()}
    arrow = pa.table({name: [row.get(name) for row in table] for name in table[0]}).replace_schema_metadata(about)
    write_parquet(arrow, settings.output)
    journal.remove()
    return Written(len(table), table, list(source.messages), done)


Numbered = tuple[int, str]  # an image by its number in the source, and the name of its map
Scored = tuple[list[Row], dict[str, str]]  # rows of images, and why others cannot be read


def _begin(
    load: Callable[[Path], Fitted], model: Path, images: Callable[[], ImageSource], maps: Path | None
) -> Callable[[Iterable[Numbered]], Scored]:
    """Once in every process: read the model."""
    return partial(_share, load(model), images(), maps)


def _share(fitted: Fitted, source: ImageSource, maps: Path | None, numbered: Iterable[Numbered]) -> Scored:
    """Rows of images, and those that cannot be read with the reason."""
    rows, skipped = [], {}
    for number, name in numbered:
        file = source.images[number]
        try:
            batch = source.batch([source.pixels(number)], [number])
        except SourceError as reason:
            skipped[file] = str(reason)
            continue
        rows.append(row_of_image(fitted, batch, maps, name))
    return rows, skipped


def identity(model: Path) -> str:
    """Return a checksum of all that a model is, a folder or a file."""
    with (model / SUMS if model.is_dir() else model).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
