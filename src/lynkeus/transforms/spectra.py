"""Spectra rho(p_T, phi) of particles as networks read them, their conventional observables, and what may be done to
them without changing what they are of."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Array, Floats

LEAST = 1e-9  # of the sum of a spectrum
ORDERS = (2, 3)  # of the flow
HARMONICS, OF_LOGS = 6, 8  # orders of the flow, and of the logarithm of the spectrum, in each bin of p_T
DEGREE = 2  # of the polynomial in p_T that is taken out of the logarithm of the spectrum, to see its bends


def shares(values: Array) -> Floats:
    """Return spectra (n, 1, p_T, phi) divided by their sums; NaN for one that is empty, missing bins count as 0."""
    found = np.maximum(np.nan_to_num(np.asarray(values, float)), 0.0)
    total = found.sum(axis=(1, 2, 3), keepdims=True)
    return np.where(total > 0, found / np.where(total > 0, total, 1.0), np.nan)


def floor_of(share: Floats) -> float:
    """Return what is added to shares before the logarithm: where bins are empty, since particles were counted, half of
    what one particle is, else nearly nothing."""
    there = share[np.isfinite(share)]
    some = there[there > 0]
    empty = 1.0 - len(some) / max(len(there), 1)
    return float(0.5 * np.quantile(some, 0.01)) if empty > 0.01 and len(some) else LEAST


def conventional(values: Array) -> Floats:
    """Return (n, 6) what is usually measured of spectra (n, 1, p_T, phi): mean p_T, the slope and the curvature of the
    logarithm of the spectrum, elliptic and triangular flow, and how elliptic flow rises with p_T; p_T in bins."""
    share = np.nan_to_num(shares(values))[:, 0] + LEAST
    bins = share.shape[1]
    pt = np.arange(bins) + 0.5
    angle = (np.arange(share.shape[2]) + 0.5) * 2 * np.pi / share.shape[2]
    number = share.sum(axis=2) * pt  # per bin of p_T
    total = number.sum(axis=1)
    logs = np.log(share.sum(axis=2))
    curve = np.polynomial.polynomial.polyfit(pt / bins, logs.T, 2)
    flow = [share @ np.exp(1j * order * angle) / share.sum(axis=2) for order in ORDERS]
    mean = [np.abs((one * number).sum(axis=1)) / total for one in flow]
    rise = np.polynomial.polynomial.polyfit(pt / bins, np.abs(flow[0]).T, 1)[1]
    return np.stack([(number * pt).sum(axis=1) / total, curve[1], curve[2], *mean, rise], axis=1)


def harmonics(values: Array, floor: float = LEAST) -> Floats:
    """Return (n, columns) what does not hang on the angle of spectra (n, 1, p_T, phi), in each bin of p_T: logarithm of
    the mean and its bends, flow of each order along and across the plane of that order, and how uneven the logarithm is
    in phi. `floor` is added to the shares, see `floor_of`."""
    share = np.nan_to_num(shares(values))[:, 0] + floor
    mean = share.mean(axis=2)
    own = np.fft.fft(share, axis=2)[:, :, 1 : HARMONICS + 1] / share.shape[2]
    plane = own.sum(axis=1, keepdims=True)
    flow = own / mean[:, :, None] * np.conj(plane) / np.maximum(np.abs(plane), 1e-300)
    logs = np.log(share)
    uneven = np.abs(np.fft.fft(logs, axis=2))[:, :, 1 : OF_LOGS + 1] / share.shape[2]
    place = np.linspace(-1, 1, share.shape[1])
    basis = np.linalg.qr(np.stack([place**k for k in range(DEGREE + 1)], axis=1))[0]
    spectrum = np.log(mean)
    bends = spectrum - spectrum @ basis @ basis.T
    parts = [flow.real, np.abs(flow.imag), uneven]
    columns = [spectrum, bends, logs.mean(axis=2) - spectrum, *(part.reshape(len(share), -1) for part in parts)]
    return np.concatenate(columns, axis=1)


def even_only(values: Array) -> Floats:
    """Return spectra (n, 1, p_T, phi) averaged with themselves half a turn on: flow of odd orders is 0."""
    found = np.asarray(values, float)
    return np.asarray(0.5 * (found + np.roll(found, found.shape[-1] // 2, axis=-1)))


def event_plane(values: Array) -> Array:
    """Return (n,) by how many bins of phi spectra (n, 1, p_T, phi) are turned so that most particles fly along 0."""
    share = np.nan_to_num(shares(values))[:, 0]
    phi = share.shape[2]
    angle = (np.arange(phi) + 0.5) * 2 * np.pi / phi
    weight = share * (np.arange(share.shape[1]) + 0.5)[:, None] ** 2  # by p_T and by number
    plane = np.angle((weight @ np.exp(2j * angle)).sum(axis=1)) / 2
    found: Array = np.rint(-plane * phi / (2 * np.pi)).astype(int)
    return found
