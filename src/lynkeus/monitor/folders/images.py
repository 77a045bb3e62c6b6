"""A folder of images as it is watched: a verdict on each, with its row and its spots in the store, and its map."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lynkeus.core import LynkeusError, SettingsError, SourceError, Verdict
from lynkeus.files.journal import Stamp, stamp_of
from lynkeus.fitting.fitted import Fitted, shows_maps
from lynkeus.fitting.image_rows import about_rows, row_of_image
from lynkeus.fitting.tables import Row
from lynkeus.fitting.verdicts import check_rate, verdict_of
from lynkeus.fitting.views.as_read import rule_of
from lynkeus.monitor.folders.watch import Judged
from lynkeus.monitor.image_records import ImageRecord, add_images, known_files
from lynkeus.monitor.store import Store
from lynkeus.sources.images.files import find_images, images_with_meta, map_of
from lynkeus.sources.images.folder import ImageSource
from lynkeus.sources.images.frames import ENDINGS as OF_ARRAYS
from lynkeus.sources.images.pages import file_and_page

PATIENCE_S = 30.0  # a file that cannot be read may be one whose writer pauses: so long it is tried again


@dataclass(frozen=True)
class ImageWatch:
    """What is watched and how: `model` as it lies in a folder or file; `data`, a folder or pattern, `meta` the table of
    what is known of its images; `maps` a folder for the map of each, None: none are kept; `false_alarms`: share of good
    images that are not called GOOD; `patience_s`: how long a file that cannot be read is tried again."""

    model: Path
    data: Path
    meta: Path | None = None
    maps: Path | None = None
    false_alarms: float = 0.01
    patience_s: float = PATIENCE_S


class WatchedImages:
    """The images of a folder, see `Files`. Raises SettingsError where the model cannot judge them, or shows no maps,
    SourceError where there is no such folder."""

    def __init__(self, fitted: Fitted, wanted: ImageWatch, store: Store) -> None:
        self.fitted, self.wanted, self.store = fitted, wanted, store
        self.path = wanted.data.expanduser()
        check_watch(fitted, wanted)
        self.model = str(fitted.lineage.get("name") or wanted.model.absolute().name)
        self.folder = self._look()[0].absolute()
        self.known: dict[str, list[int]] = known_files(store, self.model, str(self.folder))
        self._failing: dict[str, tuple[Stamp, float]] = {}  # files that cannot be read: as they were, since when
        self._began = False
        self._said: set[str] = set()
        self._new: list[str] = []

    def look(self) -> dict[str, Stamp]:
        """Return all image files with their stamps; those that vanish meanwhile are none."""
        folder, files = self._look()
        found = dict[str, Stamp]()
        for file in files:
            stamp = _stamp(folder / file)
            if stamp:
                found[file] = stamp
        if not found:
            self._say(f"{self.path}: no image yet")
        return found

    def judge(self, now: Mapping[str, Stamp]) -> Iterator[Judged]:
        """Judge those that are new to the store; what cannot be read is said once it has stood still for a while."""
        left = {file: stamp for file, stamp in now.items() if self.known.get(file) != list(stamp)}
        if not left:
            return
        began = self._began
        source = self._open()
        if source is None:
            return
        pages: dict[str, list[int]] = {}
        for number, image in enumerate(source.images):
            pages.setdefault(file_and_page(image)[0], []).append(number)
        for file, stamp in left.items():
            records = [self._record(source, number, stamp) for number in pages.get(file, ())]
            kept = [record for record in records if record is not None]
            if len(kept) < len(records) or (not records and not _stamp(source.folder / file)):
                continue  # to be tried again, or vanished
            if not records and began:
                self._say(f"{file}: left out, by the name of its folder or its own it is not to be judged")
            add_images(self.store, kept)
            self.known[file] = list(stamp)
            yield from (Judged(record.file, record.verdict, record.reason) for record in kept)

    def messages(self) -> list[str]:
        """Return what is to be said beside the verdicts, each line once."""
        new, self._new = self._new, []
        return new

    def _look(self) -> tuple[Path, tuple[str, ...]]:
        if self.wanted.meta is None:
            return find_images((images_with_meta(self.path) or (self.path, None))[0])
        return find_images(self.path)

    def _open(self) -> ImageSource | None:
        """The folder as it is now; None where it is to be tried again: its table may be just being written, too."""
        try:
            colour = len(self.fitted.view.schema.names) == 3
            source = ImageSource(self.path, self.wanted.meta, colour, rule_of(self.fitted), "judged")
            self.fitted.prepare(source)
        except LynkeusError as error:
            if not self._began:
                raise
            self._say(f"{error}; tried again")
            return None
        if not self._began:  # later on, rows of images that are still to come would be said again and again
            for line in source.messages:
                self._say(line)
        self._began = True
        return source

    def _record(self, source: ImageSource, number: int, stamp: Stamp) -> ImageRecord | None:
        """The image as it is to be kept; None where it is to be tried again."""
        file, maps = source.images[number], self.wanted.maps
        path = file_and_page(file)[0]
        try:
            batch = source.batch([source.pixels(number)], [number])
        except SourceError as reason:
            if self._is_patient(path, stamp):
                return None
            row: Row = {"file": file}
            return self._made(file, stamp, Verdict.NOT_ENOUGH_DATA, f"it {reason}", row)
        if _stamp(source.folder / path) != list(stamp):
            return None  # it was written while it was read
        row = row_of_image(self.fitted, batch, maps, map_of(file))
        rarest = float(getattr(self.fitted.calibrations[self.fitted.scorer.outputs[0]], "rarest", 0.0))
        verdict = verdict_of(row["p_value"], self.wanted.false_alarms, rarest)
        return self._made(file, stamp, verdict, _reason(row), row)

    def _made(self, file: str, stamp: Stamp, verdict: Verdict, reason: str, row: Row) -> ImageRecord:
        about = about_rows(self.wanted.model, self.fitted, self.folder, self.wanted.maps)
        whole = {**row, "verdict": verdict.value.upper(), "reason": reason}
        size, mtime_ns = stamp
        path = file_and_page(file)[0]
        return ImageRecord(self.model, str(self.folder), file, path, size, mtime_ns, verdict, reason, whole, about)

    def _is_patient(self, file: str, stamp: Stamp) -> bool:
        """Whether a file that cannot be read is to be tried again; from its last change on, as it is seen here."""
        before, since = self._failing.get(file, ((), 0.0))
        if list(before) != list(stamp):
            since = time.monotonic()
            self._failing[file] = stamp, since
        return time.monotonic() - since < self.wanted.patience_s

    def _say(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._new.append(line)


def check_watch(fitted: Fitted, wanted: ImageWatch) -> None:
    """Raise SettingsError or SourceError for what cannot be watched, before a store is made."""
    check_rate(wanted.false_alarms)
    if fitted.view.kind != "images":
        raise SettingsError(f"the model ({fitted.name}) is not of images; fit one with lynkeus fit GOOD_IMAGES")
    if wanted.maps is not None and not shows_maps(fitted):
        raise SettingsError(f"--maps: the scorer {fitted.name} makes none; fit with one that finds spots in images")
    path = wanted.data.expanduser()
    if path.is_file() and path.suffix.lower() in OF_ARRAYS:
        raise SettingsError(
            f"{path}: a watch judges image files as they appear; pictures of an array are judged by lynkeus score "
            f"{wanted.model} {path} -o scores.parquet, and shown by lynkeus serve --scans scores.parquet"
        )
    if not path.is_dir() and not find_images(path)[1]:
        raise SourceError(f"{path}: no such folder, and no image of this name or pattern; make it, or check the path")


def _stamp(path: Path) -> list[int]:
    """Size and time of the last change; empty for a file that has vanished."""
    try:
        return stamp_of(path)
    except OSError:
        return []


def _reason(row: Mapping[str, Any]) -> str:
    """How rare an image is, and where it is most so."""
    at = f", x {row['spot1_x']:.0f}, y {row['spot1_y']:.0f} at {row['spot1_sigma']:.1f} sigma"
    return f"p = {row['p_value']:.2g}{at if row['spot1_x'] == row['spot1_x'] else ', no single spot'}"
