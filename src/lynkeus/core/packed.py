"""Packed: samples of any number of particles, in one or more groups, one after the other and without padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from lynkeus.core.errors import SchemaError

Array = npt.NDArray[Any]


class Group(NamedTuple):
    """The particles of one group of all samples: `values` (particles, features); sample k has the rows `offsets[k]` to
    `offsets[k + 1]` of them, (n + 1,) int64, from 0 and never falling."""

    values: Array
    offsets: npt.NDArray[np.int64]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Return (n,) how many particles each sample has."""
        return np.diff(self.offsets)

    @property
    def sample(self) -> npt.NDArray[np.int64]:
        """Return (particles,) the number of the sample that each particle is of."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.lengths)

    @classmethod
    def of_lengths(cls, values: Array, lengths: Array) -> Self:
        """Return the group whose samples have so many of the particles, in this order."""
        return cls(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    def take(self, rows: npt.NDArray[np.int64]) -> Group:
        """Return the samples of these numbers, in this order."""
        lengths = self.lengths[rows]
        own = Group.of_lengths(self.values, lengths)
        at = np.arange(own.offsets[-1]) + np.repeat(self.offsets[rows] - own.offsets[:-1], lengths)
        return Group(self.values[at], own.offsets)


@dataclass(frozen=True)
class Packed:
    """The values of a batch of clouds: `groups` by name, all of the same number of samples.

    A group of one row a sample holds what is known of the sample as a whole. Raises SchemaError where the offsets of a
    group are not those of its values, or groups have different numbers of samples.
    """

    groups: Mapping[str, Group]

    def __post_init__(self) -> None:
        if not self.groups:
            raise SchemaError("a cloud needs a group of particles")
        for name, (values, offsets) in self.groups.items():
            if values.ndim != 2 or len(offsets) < 1 or offsets[0] != 0 or offsets[-1] != len(values):
                raise SchemaError(f"group {name!r}: {values.shape} particles do not fit offsets up to {offsets[-1:]}")
            if len(offsets) != len(self) + 1 or (np.diff(offsets) < 0).any():
                raise SchemaError(f"group {name!r}: offsets must rise, and be those of {len(self)} samples")

    def __len__(self) -> int:
        return len(next(iter(self.groups.values())).offsets) - 1

    @property
    def shape(self) -> tuple[int, None, None]:
        """Return (n, None, None): how many samples, each of any size."""
        return len(self), None, None

    def __getitem__(self, index: Any) -> Packed:
        """The samples chosen by a slice, a mask or an array of numbers."""
        rows = np.arange(len(self))[index]
        return Packed({name: group.take(np.atleast_1d(rows)) for name, group in self.groups.items()})

    @classmethod
    def of_padded(cls, name: str, values: Array, mask: Array) -> Self:
        """Return the real particles of padded `values` (n, particle, feature), where `mask` (n, particle) is true."""
        real = np.asarray(mask, bool)
        return cls({name: Group.of_lengths(values[real], real.sum(axis=1))})

    def padded(self, name: str, length: int | None = None) -> tuple[Array, npt.NDArray[np.bool_]]:
        """Return a group as (n, length, feature), zero where there is no particle, and where there is one.

        `length`: of the longest sample where it is None; particles beyond it are cut off.
        """
        group = self.groups[name]
        most = int(group.lengths.max(initial=0)) if length is None else length
        mask = np.arange(most) < group.lengths[:, None]
        values = np.zeros((len(self), most, group.values.shape[1]), group.values.dtype)
        place = np.arange(len(group.values)) - np.repeat(group.offsets[:-1], group.lengths)
        values[mask] = group.values[place < most]
        return values, mask

    @classmethod
    def join(cls, parts: Sequence[Packed]) -> Self:
        """Return the samples of all parts, which have the same groups. Raises SchemaError otherwise."""
        names = list(parts[0].groups)
        if any(list(part.groups) != names for part in parts):
            raise SchemaError(f"clouds of other groups than {', '.join(names)} cannot be joined")
        joined = {}
        for name in names:
            own = [part.groups[name] for part in parts]
            lengths = np.concatenate([group.lengths for group in own])
            joined[name] = Group.of_lengths(np.concatenate([group.values for group in own]), lengths)
        return cls(joined)
