"""What networks read: every channel in sigmas of good data, missing values as 0, the mean; windows raw or by themselves.

Unscaled inputs are the most common reason why a network learns nothing: orbits in mm are numbers around 0.002.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from lynkeus.core import Array, Batch, Floats, Schema, SchemaError, SettingsError, Source
from lynkeus.transforms.reservoir import reservoir

FAR_SIGMA = 20.0  # beyond this deviations grow only logarithmically: one wild value must not be all that is seen
KINDS = ("table", "waveform", "image")
WINDOWS = ("raw", "z")
LEAST_SIGMA = 1e-6  # of a channel that z-normalises a window in which it stands still, in sigmas of good data


@dataclass(frozen=True)
class Inputs:
    """`centre`, `sigma` (c,) of each channel (table: column) in good data; `windows`: "raw", or "z" for windows of which
    each channel is brought to mean 0 and spread 1 by itself, so that only its shape is seen."""

    centre: Floats
    sigma: Floats
    windows: str = "raw"

    @classmethod
    def fit(cls, samples: Floats, windows: str = "raw") -> Self:
        """Learn from good samples (n, c, ...), NaN left out. Raises SettingsError for other `windows`."""
        if windows not in WINDOWS:
            raise SettingsError(f"windows must be one of {', '.join(WINDOWS)}, got {windows!r}")
        channels = samples.swapaxes(0, 1).reshape(samples.shape[1], -1).astype(np.float64)
        channels[np.isnan(channels).all(axis=1)] = 0.0
        sigma = np.nanstd(channels, axis=1)
        centre = np.nanmean(channels, axis=1)
        # A channel that never changed is kept in its own unit: when it moves, it is seen.
        return cls(centre, np.where(sigma > 1e-12 * np.abs(centre), sigma, 1.0), windows)

    def of(self, values: Array) -> Floats:
        """(n, c, ...) float32."""
        column = (slice(None), *([None] * (values.ndim - 2)))
        scaled = (values - self.centre[column]) / self.sigma[column]
        scaled = np.where(np.isfinite(scaled), scaled, 0.0)
        if self.windows == "z" and values.ndim > 2:
            axes = tuple(range(2, values.ndim))
            spread = scaled.std(axis=axes, keepdims=True)
            scaled = (scaled - scaled.mean(axis=axes, keepdims=True)) / np.maximum(spread, LEAST_SIGMA)
        return (FAR_SIGMA * np.arcsinh(scaled / FAR_SIGMA)).astype(np.float32)

    def to_arrays(self) -> dict[str, Array]:
        """For a model folder."""
        return {"input_centre": self.centre, "input_sigma": self.sigma}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], windows: str) -> Self:
        """Inverse of `to_arrays`."""
        return cls(arrays["input_centre"], arrays["input_sigma"], windows)


def read_samples(source: Source, size: int, seed: int, who: str) -> tuple[Floats, Array]:
    """At most `size` samples (n, c, ...) float32 of a stream, in its order, and their labels (n,): 0 where none is given.

    Samples that miss more than half of their values teach nothing. Raises SchemaError for a kind without channels,
    shapes that differ from sample to sample, or no usable sample.
    """
    if source.schema.kind not in KINDS:
        raise SchemaError(f"{who} reads {', '.join(KINDS)}, not a {source.schema.kind}")
    _require_shape(source.schema, who)
    packed = reservoir((_pack(batch) for batch in source), size, seed)
    labels, flat = packed[:, 0].astype(np.int64), packed[:, 1:]
    usable = np.isnan(flat).mean(axis=1) <= 0.5
    if not usable.any():
        raise SchemaError("no sample of the source has half of its values: nothing to learn from")
    values = flat[usable].astype(np.float32).reshape(-1, *sample_shape(source.schema))
    return values, labels[usable]


def sample_shape(schema: Schema) -> tuple[int, ...]:
    """The shape of one sample; only for a schema in which it is fixed."""
    return tuple(int(length) for length in schema.shape if length is not None)


def _require_shape(schema: Schema, who: str) -> None:
    if None in schema.shape:
        raise SchemaError(f"{who} reads samples of one shape, the schema leaves it open: {schema.shape}; cut windows")


def _pack(batch: Batch) -> Floats:
    """Label and values of each sample in one row, so that both are drawn together."""
    truth = np.zeros(len(batch)) if batch.truth is None else batch.truth
    flat = batch.values.reshape(len(batch), -1).astype(np.float64)
    return np.concatenate([truth[:, None], np.where(np.isfinite(flat), flat, np.nan)], axis=1)
