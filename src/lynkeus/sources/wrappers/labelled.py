"""Labelled, Good and Blocks: what is known of each sample, the good ones only, and stretches kept for calibration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lynkeus.core.batch import Array, Batch
from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.core.protocols import Source
from lynkeus.sources.wrappers.wrapper import Wrapper, origin_of

Intervals = Sequence[tuple[int, int, int]]  # start_ns, end_ns (exclusive), label: 1 a real anomaly, 0 none
STRETCHES = 50  # that a source is cut into at least, where some are kept for calibration


@dataclass(frozen=True)
class Known:
    """How many samples are `good`, or not known to be otherwise, how many are known `anomalies`, and whether they have
    times."""

    good: int
    anomalies: int
    timed: bool


class Labelled(Wrapper):
    """A source whose truth may be learned from: its `own` labels, by name ("": none), labelled `intervals` of
    time, and `named`: labels of images by their absolute paths.

    Raises SourceError where only some of its batches have weights.
    """

    def __init__(
        self, source: Source, own: str, intervals: Intervals = (), named: Mapping[Path, int] | None = None
    ) -> None:
        super().__init__(source)
        self.own, self.intervals, self.named = own, tuple(intervals), dict(named or {})
        self.folder = Path(str(origin_of(source).get("folder", ""))) if named else Path()

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        weighted: bool | None = None
        for batch in self.source:
            if weighted not in (None, batch.weight is not None):
                raise SourceError(
                    "some of the samples have weights, others none; give all of them weights, 1 where one counts once"
                )
            weighted = batch.weight is not None
            truth = batch.truth if self.own else None
            truth = self._by_time(batch, truth) if self.intervals else truth
            yield replace(batch, truth=self._by_name(batch, truth) if self.named else truth)

    @property
    def good(self) -> Source:
        """The samples that are not known to be anomalous."""
        return Good(self) if self.own or self.intervals or self.named else self

    def check(self, uses: str, who: str, count: int) -> Known:
        """Count what is known; where nothing is, no further than `count` (0: all).

        Raises SettingsError where there are no labels though they are asked for or needed, or others than `who` uses.
        """
        good = anomalies = 0
        timed, labels = True, set[int]()
        for batch in self:
            if self.own and batch.truth is None and self.own in batch.meta:
                some = ", ".join(sorted({str(word) for word in batch.meta[self.own]})[:3])
                raise SettingsError(
                    f"the labels {self.own!r} are words ({some}), and {who} learns from numbers, 0 for good and 1 for "
                    "anomalous: write them so, or choose a scorer of classes such as search_classifier"
                )
            if self.own and batch.truth is None:
                raise SettingsError(f"the data have no labels {self.own!r}; name an array or column that is there")
            known = 0 if batch.truth is None else int(np.count_nonzero(batch.truth))
            labels |= set() if batch.truth is None else {int(label) for label in np.unique(batch.truth)}
            good, anomalies, timed = good + len(batch) - known, anomalies + known, batch.time_ns is not None
            if not (self.own or self.intervals or self.named) and count and good >= count:
                break
        wrong = sorted(labels - {0, 1}) if uses != "classes" else sorted(label for label in labels if label < 0)
        if wrong:
            allowed = "0 for good and 1, 2, ... for classes" if uses == "classes" else "0 for good and 1 for anomalous"
            raise SettingsError(f"labels must be {allowed}; found {', '.join(map(str, wrong[:5]))}")
        if uses in ("known", "classes") and not anomalies:
            raise SettingsError(
                f"{who} learns from known anomalies, and none is labelled: give --labels NAME or --verdicts URL, or "
                "choose a scorer that needs none"
            )
        return Known(good, anomalies, timed)

    def _by_name(self, batch: Batch, truth: Array | None) -> Array:
        if "file" not in batch.meta:
            raise SourceError("these data are no images of a folder, so labels of images cannot be matched to them")
        found = np.zeros(len(batch), np.int64) if truth is None else truth.copy()
        for row, file in enumerate(batch.meta["file"]):
            found[row] = self.named.get(self.folder / str(file), found[row])
        return found

    def _by_time(self, batch: Batch, truth: Array | None) -> Array:
        if batch.time_ns is None:
            raise SourceError("these data have no times, so verdicts on alarms cannot be matched to them")
        ends = batch.meta.get("end_ns", batch.time_ns + 1)
        found = np.zeros(len(batch), np.int64) if truth is None else truth.copy()
        for start, end, label in self.intervals:
            found[(batch.time_ns < end) & (ends > start)] = label
        return found


class Good(Wrapper):
    """The samples that are not known to be anomalous: truth 0, or none."""

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.source:
            good = np.ones(len(batch), bool) if batch.truth is None else batch.truth == 0
            if good.any():
                yield batch if good.all() else batch[good]


class Blocks(Wrapper):
    """All but every `folds`-th stretch of the `good` samples of a source, from stretch number `fold` on (-1: from the
    last of the first `folds` on), of about so many `stretches`; known anomalies all stay."""

    def __init__(self, source: Source, good: int, folds: int, fold: int = -1, stretches: int = STRETCHES) -> None:
        super().__init__(source)
        self.kept = ~self.held_out(good, folds, fold, stretches)

    def __iter__(self) -> Iterator[Batch]:
        seen = 0
        for batch in self.source:
            good = np.ones(len(batch), bool) if batch.truth is None else batch.truth == 0
            number = seen + np.cumsum(good) - good
            seen += int(good.sum())
            keep = ~good | self.kept[np.minimum(number, len(self.kept) - 1)]
            if keep.any():
                yield batch if keep.all() else batch[keep]

    @staticmethod
    def held_out(good: int, folds: int, fold: int = -1, stretches: int = STRETCHES) -> Array:
        """Return (good,) True for the samples of the stretches that are left out."""
        length = max(1, good // (stretches // folds * folds))
        return np.arange(good) // length % folds == fold % folds


class Unlabelled(Wrapper):
    """Samples of which nobody says that they are faulty: what a scorer has to live with."""

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        return (replace(batch, truth=None) for batch in self.source)
