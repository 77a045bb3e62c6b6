"""PulseSource: HDF5 files of RF pulses, amplitude and phase of each signal of each cavity, as waveforms of I and Q."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from lynkeus.core.batch import Array, Batch, Floats, Schema, TimesNs
from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.sources.formats.hdf5 import dataset_in, opened
from lynkeus.sources.formats.layout import Layout
from lynkeus.sources.formats.tables import as_floats, existing_file, listed

SLAB_PULSES = 256  # pulses of one cavity per batch: 11 MB of 1,820 samples, float32
WIDEST_CHUNK = 1024  # a batch is a whole number of the file's own chunks, up to as many pulses


class PulseSource:
    """The pulses of every cavity of a file: cavity by cavity as the file has them, within each in the file's order.

    `meta`: `cavity`, `pid`, `position` (row in the file). Times are the macro-pulse number at the layout's rate; there
    are none where the file holds several cavities (their pulses are simultaneous) or the numbers do not rise. The
    last samples that do not fill an average are left out. Raises SourceError naming file and dataset.
    """

    def __init__(self, path: str | Path, layout: Layout) -> None:
        if layout.pulses is None:
            raise SettingsError(f"the layout {layout.name} says nothing of [pulses]; give another --layout")
        self.path = existing_file(path)
        self.files = (self.path,)
        self.layout, self.pulses = layout, layout.pulses
        with opened(self.path) as file:
            self.cavities = self._cavities(file)
            self.pid = self._pid(file)
            length = self._common_length(file)
            self.truth = bool(layout.truth) and all(_named(layout.truth, name) in file for name in self.cavities)
        self.time_ns = self._times()
        self.start_ns = None if self.time_ns is None else int(self.time_ns[0])
        names = tuple(f"{signal}_{part}" for signal in self.pulses.signals for part in "iq")
        rate_hz = self.pulses.sample_rate_hz / self.pulses.average
        units = (layout.unit,) if layout.unit else ()
        self.schema = Schema("waveform", names, units, (len(names), length), rate_hz, (), layout.instrument)

    def __len__(self) -> int:
        return len(self.cavities) * len(self.pid)

    def __iter__(self) -> Iterator[Batch]:
        with opened(self.path) as file:
            for number, cavity in enumerate(self.cavities):
                data = self._dataset(file, self.pulses.dataset, cavity)
                step = _slab(data)
                for start in range(0, len(self.pid), step):
                    yield self._batch(file, number, slice(start, min(start + step, len(self.pid))))

    def _batch(self, file: h5py.File, number: int, rows: slice) -> Batch:
        cavity = self.cavities[number]
        try:
            polar = self._dataset(file, self.pulses.dataset, cavity)[:, :, rows]
            truth = self._truth(file, cavity)[rows] if self.truth else None
        except OSError as error:
            where = f"{_named(self.pulses.dataset, cavity)}, pulses {rows.start} to {rows.stop}"
            raise SourceError(f"{self.path}: {where} are damaged ({error}); copy the file again") from error
        pid = self.pid[rows]
        position = np.arange(rows.start, rows.stop) + number * len(self.pid)
        meta: dict[str, Array] = {"cavity": np.full(len(pid), cavity), "pid": pid, "position": position}
        time_ns = None
        if self.time_ns is not None:
            time_ns = self.time_ns[rows]
            meta["end_ns"] = time_ns + round(1e9 / self.pulses.pulse_rate_hz)
        return Batch(self.schema, in_phase_and_quadrature(polar, self.pulses.average), time_ns, truth=truth, meta=meta)

    def _dataset(self, file: h5py.File, pattern: str, cavity: str) -> h5py.Dataset:
        return dataset_in(file, self.path, _named(pattern, cavity), self.layout)

    def _truth(self, file: h5py.File, cavity: str) -> Array:
        truth = self._dataset(file, self.layout.truth, cavity)
        if truth.shape != self.pid.shape or truth.dtype.kind not in "iu":
            raise SourceError(
                f"{self.path}: {truth.name} is {truth.dtype} {truth.shape} for {len(self.pid)} pulses; write one whole "
                "number per pulse, or leave it out"
            )
        return truth[:].astype(np.int64)

    def _cavities(self, file: h5py.File) -> tuple[str, ...]:
        """Names in the place of `*`. A group without data is an error, for its rows would be missing unnoticed."""
        above, _, below = self.pulses.dataset.partition("*")
        group = file.get(above.rstrip("/") or "/")
        found = [name for name in group if isinstance(group[name], h5py.Group)] if isinstance(group, h5py.Group) else []
        if not found:
            holds = listed(list(file))
            raise SourceError(
                f"{self.path}: no cavity: no group {above}* of layout {self.layout.name}; the file holds {holds}; "
                "give another --layout"
            )
        for name in found:
            if not isinstance(group[name].get(below.lstrip("/")), h5py.Dataset):
                raise SourceError(
                    f"{self.path}: {above}{name} has no dataset {below.lstrip('/')!r}; write its data, or remove it"
                )
        return tuple(found)

    def _pid(self, file: h5py.File) -> TimesNs:
        data = dataset_in(file, self.path, self.pulses.pid, self.layout)
        if data.ndim != 1 or data.dtype.kind not in "fiu":
            raise SourceError(
                f"{self.path}: {self.pulses.pid} is {data.dtype} {data.shape}, not one number per pulse; see the layout"
            )
        if not len(data):
            raise SourceError(f"{self.path}: {self.pulses.pid} holds no pulses; nothing to read")
        if data.dtype.kind == "f" and not np.isfinite(data[:]).all():
            raise SourceError(f"{self.path}: {self.pulses.pid} holds NaN or Inf; every pulse needs its number")
        return data[:].astype(np.int64)

    def _common_length(self, file: h5py.File) -> int:
        """Averaged samples of a pulse, the same for every cavity."""
        rows, length = 2 * len(self.pulses.signals), 0
        for name in self.cavities:
            data = self._dataset(file, self.pulses.dataset, name)
            if data.ndim != 3 or data.shape[0] != rows or data.dtype.kind not in "fiu":
                raise SourceError(
                    f"{self.path}: {data.name} is {data.dtype} {data.shape}; expected ({rows}, samples, pulses): "
                    f"amplitude and phase of {', '.join(self.pulses.signals)}; write it in that order"
                )
            if data.shape[2] != len(self.pid):
                raise SourceError(
                    f"{self.path}: {data.name} has {data.shape[2]} pulses, {self.pulses.pid} has {len(self.pid)}; "
                    "the file is incomplete, write it again"
                )
            own = data.shape[1] // self.pulses.average
            if not own or (length and own != length):
                raise SourceError(
                    f"{self.path}: {data.name} has {data.shape[1]} samples a pulse; expected "
                    f"{f'about {length * self.pulses.average}, as the first cavity' if own else 'more'}; write it again"
                )
            length = own
        return length

    def _times(self) -> TimesNs | None:
        if len(self.cavities) > 1 or (np.diff(self.pid) <= 0).any():
            return None
        return np.rint(self.pid * (1e9 / self.pulses.pulse_rate_hz)).astype(np.int64)


def in_phase_and_quadrature(polar: Array, average: int) -> Floats:
    """Amplitudes and phases in degrees (2 * signals, sample, n) as I and Q (n, 2 * signals, sample // average)."""
    polar = as_floats(polar)
    amplitude, phase = polar[0::2], np.deg2rad(polar[1::2])
    both = np.stack([amplitude * np.cos(phase), amplitude * np.sin(phase)], axis=1)  # (signals, 2, sample, n)
    length = both.shape[2] // average
    whole = both[:, :, : length * average].reshape(len(polar), length, average, polar.shape[2])
    return np.ascontiguousarray(whole.mean(axis=2).transpose(2, 0, 1))


def _named(pattern: str, cavity: str) -> str:
    return pattern.replace("*", cavity)


def _slab(data: h5py.Dataset) -> int:
    """Pulses to read at once, so that no chunk of the file is unpacked twice."""
    chunk = data.chunks[2] if data.chunks else 1
    if chunk > WIDEST_CHUNK:
        return SLAB_PULSES
    return max(SLAB_PULSES // chunk, 1) * chunk
