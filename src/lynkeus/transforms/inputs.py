"""What networks read: each channel in sigmas of good data, missing values as 0, the mean; windows raw or by themselves.

Unscaled inputs are the most common reason why a network learns nothing: orbits in mm are numbers around 0.002.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple, Self

import numpy as np

from lynkeus.core import Array, Batch, Floats, Schema, SchemaError, SettingsError, Source
from lynkeus.core.weights import weighted_mean
from lynkeus.transforms.reservoir import Weighted, weighted_reservoir

FAR_SIGMA = 20.0  # beyond this deviations grow only logarithmically: one wild value must not be all that is seen
KINDS = ("table", "waveform", "image")
WINDOWS = ("raw", "z", "deviation", "white", "auto")
MOST_NUMBERS = 3000  # of a sample that is whitened: the matrix has their square
MOST_BYTES = 2_000_000_000  # of samples that a network learns from
MOST_MEASURED = 50_000_000  # numbers from which centre and sigma are taken
REPEATED = 0.5  # of the variance within samples that their mean must explain to call them pulses,
CHANNELS = 0.25  # in at least this share of the channels
FEWEST_PULSES = 20  # of which a mean for each number can be learned
LEAST_SIGMA = 1e-6  # of a channel that z-normalises a window in which it stands still, in sigmas of good data


@dataclass(frozen=True)
class Inputs:
    """`centre`, `sigma` (c,) of each channel (table: column) in good data; `windows`: "raw"; "z" for windows of which
    each channel is brought to mean 0 and spread 1 by itself, so that only its shape is seen; "deviation" for pulses,
    which are alike: `centre`, `sigma` (c, ...) of each number by itself, so that only the deviation from the mean is
    seen; "white": the same, and what good samples have in common is taken out by `whitening` (numbers, numbers), so
    that a small deviation is not lost beside the large ones that all good pulses show; "auto": z for images, for pulses
    what suits them (`for_pulses`), else raw."""

    centre: Floats
    sigma: Floats
    windows: str = "raw"
    whitening: Floats | None = None

    @classmethod
    def fit(cls, samples: Array, windows: str = "raw", weight: Floats | None = None) -> Self:
        """Learn from good samples (n, c, ...), NaN left out, each counted by its `weight` (n,).

        Raises SettingsError for other `windows`.
        """
        if windows not in WINDOWS:
            raise SettingsError(f"windows must be one of {', '.join(WINDOWS)}, got {windows!r}")
        every = -(-samples.size // MOST_MEASURED)
        samples, weight = samples[::every], None if weight is None else weight[::every]
        by_number = for_pulses(samples) if windows == "auto" else windows
        by_channel = samples.swapaxes(0, 1).reshape(samples.shape[1], -1).T
        numbers = (samples if by_number in ("deviation", "white") else by_channel).astype(np.float64)
        numbers[:, np.isnan(numbers).all(axis=0)] = 0.0
        repeated = None if weight is None else np.repeat(weight, numbers.shape[0] // len(samples))
        centre = weighted_mean(numbers, repeated)
        sigma = np.nanstd(numbers, axis=0) if weight is None else _spread(numbers, centre, repeated)
        # A channel that never changed is kept in its own unit: when it moves, it is seen.
        inputs = cls(centre, np.where(sigma > 1e-12 * np.abs(centre), sigma, 1.0), windows)
        return replace(inputs, whitening=_whitening(inputs.of(samples), weight)) if by_number == "white" else inputs

    def of(self, values: Array) -> Floats:
        """Return values as a network reads them (n, c, ...), float32: in sigmas, without gaps, far ones compressed."""
        column = (..., *([None] * (values.ndim - 1 - self.centre.ndim)))
        scaled = (values - self.centre[column]) / self.sigma[column]
        scaled = np.where(np.isfinite(scaled), scaled, 0.0)
        by_itself = values.ndim > 2 if self.windows == "z" else values.ndim > 3 and self.windows == "auto"
        if by_itself:
            axes = tuple(range(2, values.ndim))
            spread = scaled.std(axis=axes, keepdims=True)
            scaled = (scaled - scaled.mean(axis=axes, keepdims=True)) / np.maximum(spread, LEAST_SIGMA)
        if self.whitening is not None:
            scaled = (scaled.reshape(len(scaled), -1) @ self.whitening).reshape(scaled.shape)
        return (FAR_SIGMA * np.arcsinh(scaled / FAR_SIGMA)).astype(np.float32)


def for_pulses(samples: Array) -> str:
    """Return what to look at in waveforms (n, c, t) that repeat themselves, as RF pulses do: "white", or "deviation"
    where they have too many numbers; "raw" for samples that do not.

    They repeat themselves where the mean over samples explains at least REPEATED of the variance in time, in at least
    a quarter of the channels (of I and Q of a phased signal one is hardly more than noise). Then a fault is small
    beside the pulse itself: of 160 pulses an autoencoder of raw ones found no quenches (AUROC 0.43, chance), of their
    deviations 0.96, of whitened ones 1.00; the largest deviation in sigmas has 0.99.
    """
    if samples.ndim != 3 or len(samples) < FEWEST_PULSES:
        return "raw"
    values = samples.astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # channels without a single value
        within = np.nanvar(values, axis=(0, 2))
        common = np.nanvar(np.nanmean(values, axis=0), axis=1)
    moves = within > 0
    if not moves.any() or np.quantile(common[moves] / within[moves], 1 - CHANNELS) < REPEATED:
        return "raw"
    return "white" if samples[0].size <= MOST_NUMBERS else "deviation"


def _spread(numbers: Floats, centre: Floats, weight: Floats | None) -> Floats:
    return np.sqrt(weighted_mean((numbers - centre) ** 2, weight))


def _whitening(samples: Floats, weight: Floats | None) -> Floats:
    """Return a symmetric (ZCA) whitening (numbers, numbers): each number stays where it is; weak directions count as
    noise of one size."""
    flat = samples.reshape(len(samples), -1).astype(np.float64)
    if flat.shape[1] > MOST_NUMBERS:
        raise SettingsError(f"windows = white is for at most {MOST_NUMBERS} numbers a sample, not {flat.shape[1]}")
    counted = flat if weight is None else flat * (weight / weight.mean())[:, None]
    variance, direction = np.linalg.eigh(counted.T @ flat / len(flat))
    noise = variance[-1 - min(flat.shape) // 2]
    return np.asarray(direction / np.sqrt(variance + noise) @ direction.T)


class Read(NamedTuple):
    """Samples `values` (n, c, ...) of a stream of `seen` of them, in its order; `labels` (n,): 0 without one; `weight`
    (n,): how much each counts, None where they have none."""

    values: Array
    labels: Array
    seen: int
    weight: Floats | None = None


def read_samples(source: Source, size: int, seed: int, who: str) -> Read:
    """Return a sample of at most `size` samples, and 2 GB of them, of a stream: float32, images of 8 bits as they are.

    Samples that miss more than half of their values, or weigh nothing, teach nothing. Raises SchemaError for a kind
    without channels, shapes that differ from sample to sample, or no usable sample.
    """
    if source.schema.kind not in KINDS:
        raise SchemaError(f"{who} reads {', '.join(KINDS)}, not a {source.schema.kind}")
    _require_shape(source.schema, who)
    stream = iter(source)
    first = next(stream, None)
    if first is None:
        raise SchemaError("the source has no rows to learn from")
    record = _record(first)
    seen = 0

    def packed() -> Iterator[Weighted]:
        nonlocal seen
        for batch in chain((first,), stream):
            seen += len(batch)
            yield _pack(batch, record), batch.weight

    kept, weight = weighted_reservoir(packed(), max(2, min(size, MOST_BYTES // record.itemsize)), seed)
    usable = kept["usable"]
    if not usable.any():
        raise SchemaError("no sample of the source has half of its values: nothing to learn from")
    everything = slice(None) if usable.all() else usable
    heavy = None if weight is None else weight[everything]
    return Read(kept["values"][everything], kept["label"][everything], seen, heavy)


def sample_shape(schema: Schema) -> tuple[int, ...]:
    """The shape of one sample; only for a schema in which it is fixed."""
    return tuple(int(length) for length in schema.shape if length is not None)


def _require_shape(schema: Schema, who: str) -> None:
    if None in schema.shape:
        mend = (
            "cut windows"
            if schema.kind != "image"
            else ("give images of one size as an array (.npy, .npz, HDF5), or take the scorer inspect")
        )
        raise SchemaError(f"{who} reads samples of one shape, the schema leaves it open: {schema.shape}; {mend}")


def _record(first: Batch) -> np.dtype[np.void]:
    """Return a record type of label and values of a sample together, so that both are drawn together."""
    kind = np.uint8 if first.values.dtype == np.uint8 else np.float32
    shape = sample_shape(first.schema)
    return np.dtype([("label", np.int64), ("usable", np.bool_), ("values", kind, shape)], align=True)


def _pack(batch: Batch, record: np.dtype[np.void]) -> Array:
    packed = np.empty(len(batch), record)
    packed["label"] = 0 if batch.truth is None else batch.truth
    finite = np.isfinite(batch.values)
    packed["usable"] = finite.mean(axis=tuple(range(1, finite.ndim))) >= 0.5
    packed["values"] = batch.values if finite.all() else np.where(finite, batch.values, np.nan)
    return packed
