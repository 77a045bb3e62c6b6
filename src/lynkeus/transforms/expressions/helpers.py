"""Functions that weaver's data configurations call beside those of NumPy and awkward, with its names and meanings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lynkeus.core.errors import SettingsError
from lynkeus.transforms.expressions.functions import Function
from lynkeus.transforms.expressions.momentum import Momentum


def _hash(*columns: Any) -> Any:
    """Return (n,) Python's hash of the numbers of a row, by which a sample can be split."""
    return np.array([hash(row) for row in zip(*columns, strict=False)])


def _concat(arrays: Sequence[Any], axis: int = 0) -> Any:
    if not len(arrays):
        return np.array([])
    if isinstance(arrays[0], np.ndarray):
        return np.concatenate(arrays, axis=axis)
    import awkward as ak

    return ak.concatenate(arrays, axis=axis)


def _stack(arrays: Sequence[Any], axis: int = 1) -> Any:
    if not len(arrays):
        return np.array([])
    if isinstance(arrays[0], np.ndarray):
        return np.stack(arrays, axis=axis)
    import awkward as ak

    at = tuple(np.newaxis if k == axis else slice(None) for k in range(arrays[0].ndim + 1))
    return ak.concatenate([array[at] for array in arrays], axis=axis)


def _pad(array: Any, maxlen: int, value: float = 0, dtype: str = "float32") -> Any:
    """Return (n, maxlen) lists cut off, or filled up with `value`."""
    import awkward as ak

    if isinstance(array, np.ndarray) and array.ndim >= 2 and array.shape[1] == maxlen:
        return array
    lists = ak.unflatten(array, 1) if array.ndim == 1 else array
    return np.asarray(ak.to_numpy(ak.fill_none(ak.pad_none(lists, maxlen, clip=True), value)), dtype)


def _repeat_pad(array: Any, maxlen: int, dtype: str = "float32") -> Any:
    """Return (n, maxlen) lists cut off, or begun again where they end; of an empty one 0."""
    import awkward as ak

    lists = ak.unflatten(array, 1) if array.ndim == 1 else array
    lengths, flat = np.asarray(ak.num(lists)), np.asarray(ak.to_numpy(ak.flatten(lists)))
    start = np.cumsum(lengths) - lengths
    at = start[:, None] + np.arange(maxlen) % np.maximum(lengths, 1)[:, None]
    held = np.append(flat, 0)[np.minimum(at, len(flat))]
    return np.where(lengths[:, None] > 0, held, 0).astype(dtype)


def _clip(array: Any, a_min: float, a_max: float) -> Any:
    if isinstance(array, np.ndarray) or array.ndim == 1:
        return np.clip(array, a_min, a_max)
    import awkward as ak

    return ak.unflatten(np.clip(ak.to_numpy(ak.flatten(array)), a_min, a_max), ak.num(array))


def _batch_argsort(array: Any) -> Any:
    import awkward as ak

    return ak.argsort(array)


def _batch_gather(array: Any, indices: Any) -> Any:
    if isinstance(indices, str):
        raise SettingsError("_batch_gather takes numbers")
    return array[indices]


HELPERS: dict[str, Function] = {
    "_hash": _hash,
    "_concat": _concat,
    "_stack": _stack,
    "_pad": _pad,
    "_repeat_pad": _repeat_pad,
    "_clip": _clip,
    "_batch_argsort": _batch_argsort,
    "_batch_gather": _batch_gather,
    "_p4_from_pxpypze": Momentum,
    "_p4_from_ptetaphie": Momentum.of_pt_eta_phi_energy,
    "_p4_from_ptetaphim": Momentum.of_pt_eta_phi_mass,
}
