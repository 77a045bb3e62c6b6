"""Discord: a window of a series that is unlike all others (Keogh, Lin & Fu 2005; matrix profile, Yeh et al. 2016)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from lynkeus.core import About, Array, Batch, Evidence, Floats, SchemaError, Scores, SettingsError, Source
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.transforms.missing import with_enough_data
from lynkeus.transforms.robust_scale import RobustScale
from lynkeus.transforms.rows import rows_of
from lynkeus.transforms.thinned import Thinned

FORMS = {"raw": ("raw",), "z": ("z",), "both": ("raw", "z")}
CLOCKS = ("none", "position", "time")
FLAT = 1e-6  # sigmas: a window with a smaller spread has no shape
PER_LENGTH = 8  # reference windows that begin within one length: closer ones are the same neighbour again
CHUNK = 512

Spans = npt.NDArray[np.int64]  # (n, 2) begin and end of each window on its clock


@dataclass
class Discord:
    """`anomaly` of a window: squared distance to its `neighbours` nearest reference windows, 1 where it is as usual.

    `normalise`: "raw" compares values (it sees levels), "z" the shapes of windows brought to mean 0 and spread 1,
    channel by channel; "both" adds the two, each in units of its mean over the reference. No window has a neighbour
    that it overlaps in time (`time_ns` and meta `end_ns`; without times in meta `position`), so that the reference
    itself scores as new data would; a sample with neither is taken as new. Learned: `scale_` of each channel,
    `reference_` (forms, at most `sample`, channel * time), their `spans_` on a `clock_`, and `usual_` (forms,).
    """

    about: ClassVar[About] = About(
        ("waveform",), False, "difference to the nearest windows, value by value", "a second"
    )
    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    normalise: str = "both"
    neighbours: int = 5
    sample: int = 4000

    def fit(self, source: Source) -> Self:
        """Learn in one pass. Raises SchemaError for anything but windows, or where none has half of its values."""
        if self.normalise not in FORMS:
            raise SettingsError(f"normalise is one of {', '.join(FORMS)}, not {self.normalise!r}")
        if source.schema.kind != "waveform":
            kind = source.schema.kind
            windows = ": say --axes channel,time" if kind == "image" else ": cut it with --window"
            raise SchemaError(
                f"the scorer discord compares windows, not {'an' if kind == 'image' else 'a'} {kind}{windows}"
            )
        self.schema_ = source.schema
        kept, self.spans_, self.clock_ = _spread_out(source, self.sample)
        rows = rows_of(Batch(source.schema, kept))[0]
        self.scale_ = RobustScale.fit(np.where(np.isfinite(rows), rows, np.nan))
        self.usual_ = np.ones(len(FORMS[self.normalise]))
        self.reference_ = self._forms(kept).astype(np.float32)
        distance = self._evidence(self.reference_, self.spans_).sum(axis=2)
        usual = np.array([np.mean(each[np.isfinite(each)]) if np.isfinite(each).any() else 0.0 for each in distance])
        self.usual_ = np.where(usual > 0, usual, 1.0) * len(usual)
        return self

    def score(self, batch: Batch) -> Scores:
        """Return (n, 1); NaN for a window that misses more than half of its values, or that overlaps all of the
        reference."""
        return with_enough_data(batch, self._of(batch).sum(axis=1))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Return what each value adds to the score: squared differences to the nearest windows."""
        return np.nan_to_num(self._of(batch)).reshape(batch.values.shape)

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        arrays = {"spans": self.spans_, "clock": np.array([self.clock_]), "usual": self.usual_}
        arrays |= arrays_of(self.scale_) | {"reference": self.reference_}
        write_folder(folder, self.schema_, asdict(self), arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.scale_, scorer.reference_ = part_of(RobustScale, arrays), arrays["reference"]
        scorer.spans_, scorer.clock_, scorer.usual_ = arrays["spans"], int(arrays["clock"][0]), arrays["usual"]
        return scorer

    def _of(self, batch: Batch) -> Floats:
        """Return the contributions (n, channel * time) of all values to the score of each window."""
        self.schema_.require(batch.schema, "the scorer discord")
        spans = _spans(batch, self.clock_)
        parts = [
            self._evidence(self._forms(batch.values[first : first + CHUNK]), spans[first : first + CHUNK]).sum(axis=0)
            for first in range(0, len(batch), CHUNK)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.reference_.shape[2]))

    def _forms(self, values: Array) -> Floats:
        """(forms, n, channel * time): windows (n, channel, time) in sigmas of each channel, or z-normalised."""
        rows = self.scale_.apply(values.transpose(0, 2, 1)).transpose(0, 2, 1)
        here = np.isfinite(rows)
        count, raw = np.maximum(here.sum(axis=2, keepdims=True), 1), np.where(here, rows, 0.0)
        centred = np.where(here, raw - raw.sum(axis=2, keepdims=True) / count, 0.0)
        spread = np.sqrt((centred**2).sum(axis=2, keepdims=True) / count)
        forms = {"raw": raw, "z": np.where(spread > FLAT, centred / np.maximum(spread, FLAT), 0.0)}
        return np.stack([forms[name].reshape(len(values), -1) for name in FORMS[self.normalise]])

    def _evidence(self, forms: Floats, spans: Spans) -> Floats:
        """(forms, n, channel * time) mean squared differences to the nearest windows; NaN where there is none."""
        evidence = np.empty(forms.shape)
        wanted = min(self.neighbours, self.reference_.shape[1])
        for first in range(0, len(spans), CHUNK):
            part = slice(first, first + CHUNK)
            begin, end = spans[part, :1], spans[part, 1:]
            overlaps = (begin < self.spans_[:, 1]) & (self.spans_[:, 0] < end)
            for number, (form, reference) in enumerate(zip(forms[:, part], self.reference_, strict=True)):
                distance = (reference**2).sum(axis=1) - 2.0 * (form.astype(np.float32) @ reference.T)
                distance[overlaps] = np.inf
                nearest = np.argpartition(distance, wanted - 1, axis=1)[:, :wanted]
                allowed = ~np.take_along_axis(overlaps, nearest, axis=1)
                squares = (form[:, None] - reference[nearest]) ** 2 * allowed[:, :, None]
                count = allowed.sum(axis=1)[:, None]
                mean = squares.sum(axis=1) / np.where(count > 0, count, np.nan)
                evidence[number, part] = mean / self.usual_[number]
        return evidence


def _spread_out(source: Source, limit: int) -> tuple[Array, Spans, int]:
    """At most `limit` windows of a source with their spans and clock, `PER_LENGTH` to a length where they overlap."""
    thinned, clock, last = Thinned(limit), 0, -1
    for batch in source:
        clock = clock if thinned.seen else _clock(batch)
        spans = _spans(batch, clock)
        slot = spans[:, 0] // np.maximum((spans[:, 1] - spans[:, 0]) // PER_LENGTH, 1)
        fresh = np.diff(slot, prepend=last) != 0 if clock else np.ones(len(batch), bool)
        last = int(slot[-1]) if len(slot) else last
        fresh &= np.isfinite(batch.values).mean(axis=(1, 2)) >= 0.5
        thinned.add(batch.values[fresh].astype(np.float64), spans[fresh])
    if not thinned.seen:
        raise SchemaError("no window of the source has half of its values: nothing to learn from")
    values, spans = thinned.columns
    return values, spans if clock else thinned.index[:, None] + np.array([0, 1]), clock


def _clock(batch: Batch) -> int:
    """Return which of `CLOCKS` says when a window was."""
    return 2 if batch.time_ns is not None else int("position" in batch.meta)


def _spans(batch: Batch, clock: int) -> Spans:
    """Begin and end of each window; all zero, which overlaps nothing, where the batch does not have this clock."""
    begin = end = np.zeros(len(batch), np.int64)
    if CLOCKS[clock] == "time" and batch.time_ns is not None:
        begin, end = batch.time_ns, batch.meta.get("end_ns", batch.time_ns + 1)
    elif CLOCKS[clock] == "position" and "position" in batch.meta:
        begin, end = batch.meta["position"], batch.meta["position"] + batch.values.shape[2]
    return np.stack([begin, end], axis=1)
