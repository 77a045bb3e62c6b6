"""Is there a second population in a reference: stretches far from all the rest, as a fault that lasted makes them?

A scorer that is fitted on such a reference takes the fault for good data, and a calibration that counts it knows a tail
that good data do not have. They are looked for before anything is fitted, by a covariance that a quarter of the rows
cannot move: the minimum covariance determinant, in concentration steps (Rousseeuw & Van Driessen 1999) from a clipped
start, as in DetMCD (Hubert, Rousseeuw & Verdonck 2012). What drifts, or has long tails, is no second population: most
rows of a stretch have to be farther away than any good row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter
from scipy.special import chdtri, gammaincinv

from lynkeus.core import Array, Batch, Floats, Source, TimesNs
from lynkeus.fitting.incidents import Incident
from lynkeus.fitting.reference import Reference
from lynkeus.fitting.valley import valley
from lynkeus.sources.formats.tables import listed
from lynkeus.transforms.rows import rows_of
from lynkeus.transforms.thinned import Thinned

MOST_ROWS = 8192
FEWEST_ROWS = 200
WIDEST = 256  # channels that are looked at together
KEPT = 0.75  # of the rows decide
STEPS = 10
CLIP = 3.0
RARE, FAR = 1e-4, 2.0  # a row is far at twice the squared distance that one good row in ten thousand reaches
AROUND, APART = 9, 5.5  # sigmas of a channel given all others that most of as many rows reach; good ones reach 2 or 3
VERY_FAR, BY_ITSELF = 10.0, 1.5  # sigmas; times the next channel: a bump of an orbit moves two or three monitors alike
SCATTERED = 0.02  # of all rows, far and alone, that are mentioned, where four times fewer are nearly as far
ONE_CHANNEL = 0.8  # of these: one channel stands apart, as where a readout fails; a machine that pulses moves several
TOGETHER = 0.8  # of the rows of a stretch are far
SHORTEST = 0.01  # of all rows: what is shorter does not move a fit, and is found by the scores
LONGEST = 0.2  # of all rows; what lasts longer may be what good data do
PAUSE = 5  # rows that are not far, within one stretch


@dataclass(frozen=True)
class SecondPopulation:
    """`intervals` (start_ns, end_ns) of stretches that are left out, the `share` of the rows in them, the channels
    `where` they differ most; `collective` (start_ns, end_ns): those of them in which no channel stands apart by itself;
    `warnings`: what is to be said of rows that may be one and are kept; `scattered`: they are single rows."""

    intervals: tuple[tuple[int, int], ...] = ()
    share: float = 0.0
    where: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    collective: tuple[tuple[int, int], ...] = ()
    scattered: bool = False

    @property
    def lines(self) -> list[str]:
        """What is to be said."""
        if not self.intervals:
            return list(self.warnings)
        count = f"{len(self.intervals)} stretch{'es' if len(self.intervals) > 1 else ''}"
        if self.scattered:
            return [
                f"{self.share:.1%} of the rows of the reference, here and there, look like a second population, each "
                f"in one channel, most in {listed(self.where, 3)}: left out as incidents; are the others good?",
                *self.warnings,
            ]
        return [
            f"{self.share:.1%} of the reference looks like a second population, {count} in "
            f"which {listed(self.where, 3)} is far from all the rest: left out as incidents; are the others good?",
            *self.warnings,
        ]

    def without(self, good: Sequence[tuple[int, int]]) -> SecondPopulation:
        """The same without stretches that touch what somebody called good."""
        kept = [own for own in self.intervals if not any(start < own[1] and end > own[0] for start, end in good)]
        return replace(self, intervals=tuple(kept))

    def single(self) -> SecondPopulation:
        """The same without stretches in which channels moved together, none apart from what the others say of it: an
        instrument that is operated does that, and a scorer that follows it is to learn from it."""
        return self.without(self.collective)

    def new(self, incidents: Sequence[Incident]) -> bool:
        """Whether any incident lies elsewhere."""
        return any(not _touches(self.intervals, i.start_ns, i.end_ns) for i in incidents)

    def suspected(self, reference: Reference) -> Reference:
        """The reference with the samples of the stretches as suspects, which name the channel that differs most, where
        the scorer names none."""
        if not self.intervals or reference.time_ns is None or reference.end_ns is None:
            return reference
        inside = np.zeros(len(reference.scores), bool)
        for start, end in self.intervals:
            inside |= (reference.time_ns < end) & (reference.end_ns > start)
        number = reference.names.index(self.where[0]) if self.where[0] in reference.names else -1
        place = np.where(inside[:, None] & (reference.place < 0), number, reference.place).astype(np.int32)
        return replace(reference, suspects=reference.suspects | inside[:, None], place=place)


NONE = SecondPopulation()


def _touches(intervals: Sequence[tuple[int, int]], start_ns: int, end_ns: int) -> bool:
    return any(start < end_ns and end > start_ns for start, end in intervals)


def second_population(rows: Source) -> SecondPopulation:
    """Look for stretches of a table, or of windows, that are far from the rest; of few rows nothing can be said."""
    thinned, names = Thinned(MOST_ROWS), rows.schema.names
    timed = True
    for batch in rows:
        values, length = rows_of(batch)
        timed &= batch.time_ns is not None
        thinned.add(values, *_times(batch, length))
    if thinned.seen < FEWEST_ROWS:
        return SecondPopulation()
    values, time_ns, end_ns = thinned.columns
    sigmas = _sigmas(values.astype(np.float64))
    far, nearly, apart, single, residual = _far(sigmas)
    runs = list(_runs(far | apart))
    inside = np.zeros(len(far), bool)
    for start, stop in runs:
        inside[start:stop] = True
    if not runs:
        # Of windows most would be left out with them, and of more rows than are looked at only some.
        single_rows = timed and thinned.seen == len(far) and int((end_ns - time_ns).max()) <= 1
        return _here_and_there(residual, (far, nearly), names, time_ns if single_rows else None)
    share, where = float(inside.mean()), _named(residual[inside], names)
    much = f"{share:.1%} of the reference is far from all the rest, most in {listed(where, 3)}"
    if share > LONGEST:
        two = f"{much}: are there two kinds of data in it? leave one out unless both are good"
        return SecondPopulation(warnings=(two,))
    if not timed:
        first, last = thinned.index[runs[0][0]], thinned.index[runs[0][1] - 1]
        kept = (
            f"{much}, first rows {first} to {last}: it is kept, as there are no times; leave it out if it is not good"
        )
        return SecondPopulation(warnings=(kept,))
    step = int(np.median(np.diff(time_ns))) if len(time_ns) > 1 else 0
    intervals = tuple((int(time_ns[start]) - step // 2, int(end_ns[stop - 1]) + step // 2) for start, stop in runs)
    alone = [single[start:stop].mean() > 0.5 for start, stop in runs]
    collective = tuple(own for own, by_itself in zip(intervals, alone, strict=True) if not by_itself)
    return SecondPopulation(intervals, share, where, collective=collective)


def _here_and_there(
    residual: Floats, far: tuple[Array, Array], names: tuple[str, ...], time_ns: TimesNs | None
) -> SecondPopulation:
    """Return single rows that lie apart from all others by the residuals (n, c) of channels, or are (far, nearly so)
    together with few between: left out where they are rows in time in which one channel fails, else said."""
    largest = np.abs(residual).max(axis=1)
    gap = valley(largest)
    beyond = largest >= (gap.edge if gap else np.inf)
    beyond &= beyond.mean() <= LONGEST  # more may be what good data do
    together, few = far[0] | far[1], far[0].mean() > SCATTERED and far[1].mean() < far[0].mean() / 4
    for rows, wider, is_clear in ((far[0], together, few), (beyond, beyond, gap is not None and gap.is_empty)):
        if time_ns is not None and is_clear and rows.mean() > SCATTERED and _of_one_channel(residual[rows]):
            return _scattered(wider, time_ns, _named(residual[rows], names))
    kept = beyond if beyond.sum() > far[0].sum() or not few else far[0]
    return SecondPopulation(warnings=(_alone(residual[kept], float(kept.mean()), names),) if kept.any() else ())


def _of_one_channel(residual: Floats) -> bool:
    """Return whether in most of some rows (n, c) one channel stands apart from what all others say of it."""
    if residual.shape[1] < 2:
        return False
    away = np.sort(np.abs(residual), axis=1)
    return bool((away[:, -1] > BY_ITSELF * away[:, -2]).mean() > ONE_CHANNEL and len(away) <= LONGEST * MOST_ROWS)


def _scattered(far: npt.NDArray[np.bool_], time_ns: TimesNs, where: tuple[str, ...]) -> SecondPopulation:
    """Return single rows as stretches."""
    half = max(int(np.median(np.diff(time_ns))) // 2, 1)
    intervals = tuple((at - half, at + half) for at in time_ns[far].tolist())
    return SecondPopulation(intervals, float(far.mean()), where, scattered=True)


def _alone(away: Floats, share: float, names: tuple[str, ...]) -> str:
    where = listed(_named(away, names), 3)
    return (
        f"{share:.1%} of the rows of the reference are far from all the rest, here and there, most in {where}: "
        "they are kept, and as rare as that is what looks like them; leave them out if they are not good"
    )


def _times(batch: Batch, length: int) -> tuple[TimesNs, TimesNs]:
    """Of every row; of windows each row has the times of its window."""
    if batch.time_ns is None:
        nothing = np.zeros(len(batch) * length, np.int64)
        return nothing, nothing
    ends = batch.meta.get("end_ns", batch.time_ns + 1)
    return np.repeat(batch.time_ns, length), np.repeat(ends, length)


def _far(sigmas: Floats) -> tuple[Array, Array, Array, Array, Floats]:
    """Masks (n,) of rows that are far from the rest, of those that are nearly so, of those around which one channel
    stands apart from what all others say of it, and of those around which one does so by itself, or very far; and
    (n, c) how far each channel is from what the others say of it, in its sigmas."""
    far, nearly, apart, single = (np.zeros(len(sigmas), bool) for _ in range(4))
    residuals = np.zeros(sigmas.shape)
    for first in range(0, sigmas.shape[1], WIDEST):
        some = sigmas[:, first : first + WIDEST]
        distance, residual = robust_distance(some)
        residuals[:, first : first + WIDEST] = residual
        limit = chdtri(some.shape[1], RARE)
        far |= distance > FAR * limit
        nearly |= distance > limit
        around = np.sort(median_filter(np.abs(residual), (AROUND, 1)), axis=1)
        largest, next_one = around[:, -1], around[:, -2] if around.shape[1] > 1 else np.zeros(len(around))
        apart |= largest > APART
        single |= (largest > VERY_FAR) | ((largest > APART) & (largest > BY_ITSELF * next_one))
    return far, nearly & ~far, apart, single, residuals


def _sigmas(values: Floats) -> Floats:
    """Deviations from the median in robust sigmas; 0 where a value is missing, or where a channel hardly changes."""
    median = np.nanmedian(values, axis=0)
    sigma = 1.4826 * np.nanmedian(np.abs(values - median), axis=0)
    return np.nan_to_num((values - median) / np.where(sigma > 0, sigma, np.inf), nan=0.0, posinf=0.0, neginf=0.0)


def robust_distance(sigmas: Floats) -> tuple[Floats, Floats]:
    """(n,) squared Mahalanobis distances by the centre and covariance of the rows (n, c) that lie closest together, as
    many sigmas as good rows have: their median is that of chi squared; and (n, c) the residual of each channel against
    all others, in its sigmas."""
    rows, channels = sigmas.shape
    start = np.clip(sigmas, -CLIP, CLIP)
    centre, covariance = start.mean(axis=0), np.cov(start, rowvar=False).reshape(channels, channels)
    kept = max(int(KEPT * rows), channels + 1)
    distance = np.zeros(rows)
    for _ in range(STEPS):
        shrunk = covariance + (1e-6 + channels / rows) * np.diag(np.maximum(np.diag(covariance), 1e-6))
        away = sigmas - centre
        precision = np.linalg.inv(shrunk)
        pulled = away @ precision
        before, distance = distance, np.einsum("ij,ij->i", pulled, away)
        closest = np.argpartition(distance, min(kept, rows - 1))[:kept]
        centre = sigmas[closest].mean(axis=0)
        covariance = np.cov(sigmas[closest], rowvar=False).reshape(channels, channels)
        if np.allclose(before, distance, rtol=1e-3):
            break
    scale = 2.0 * gammaincinv(channels / 2.0, 0.5) / max(float(np.median(distance)), 1e-12)
    return distance * scale, pulled / np.sqrt(np.diag(precision) / scale)


def _runs(far: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Stretches [start, stop) of which most rows are far."""
    shortest = max(int(SHORTEST * len(far)), 5)
    where = np.flatnonzero(far)
    if not len(where):
        return
    breaks = np.flatnonzero(np.diff(where) > PAUSE) + 1
    for group in np.split(where, breaks):
        start, stop = int(group[0]), int(group[-1]) + 1
        if stop - start >= shortest and len(group) >= TOGETHER * (stop - start):
            yield start, stop


def _named(away: Floats, names: tuple[str, ...]) -> tuple[str, ...]:
    """The channels that are farthest, the first one first."""
    usual = np.median(np.abs(away), axis=0)
    order = np.argsort(-usual)
    return tuple(names[k] if names else f"column {k}" for k in order[:3] if usual[k] >= 0.5 * usual[order[0]])
