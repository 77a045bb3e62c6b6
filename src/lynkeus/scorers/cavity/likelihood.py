"""Generalised likelihood ratios for what a cavity does: a quench, another detuning, a lost beam.

What the cavity equation leaves over is, for healthy pulses, Gaussian with a learned covariance. Each fault adds a known
shape of unknown size and onset; the best one's gain in chi-square, as a square root, is its statistic in sigmas.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.scorers.cavity.equation import CavityModel, Complex, RfSignals, chi_square, in_blocks
from lynkeus.scorers.cavity.spread import LEAST_BEAM, EquationSpread, beam_shape, flat_top, windows

RISES_S = (0.0, 150e-6, 450e-6)  # how long a half bandwidth takes to rise
LEFT_BLOCKS = 2  # blocks that must follow an onset
LOOPS = (1.0, 4.0, 16.0, 64.0)  # how much faster than the cavity itself the field takes its new place: feedback
LOST = (0.15, 1.5)  # share of the beam that can be lost, with a margin


class Change(NamedTuple):
    """Statistics (n,) in sigmas and what they say: relative rise of the half bandwidth and its onset, change of the
    detuning in Hz, share of the beam that is lost and from when; `total` is the square root of the whole chi-square."""

    total: Floats
    quench: Floats
    rise: Floats
    quench_s: Floats
    detuning: Floats
    detuning_hz: Floats
    beam_loss: Floats
    lost: Floats
    beam_s: Floats


def onsets(model: CavityModel) -> Array:
    """Return the blocks in which a change may begin: from the start of the drive on."""
    first = -(-model.start // model.length)
    return np.arange(first, max(len(model.detuning) - LEFT_BLOCKS, first + 1))


def rises(model: CavityModel) -> tuple[Floats, Floats]:
    """Return steps (shape, block) that rise from 0 to 1, and their onsets (shape,) in s."""
    time = model.blocks_s
    begin = (onsets(model) * model.length) * model.step_s
    shapes = [
        np.clip((time - at) / rise, 0, 1) if rise else (time > at).astype(float) for rise in RISES_S for at in begin
    ]
    return np.array(shapes), np.tile(begin, len(RISES_S))


def find_changes(model: CavityModel, spread: EquationSpread, signals: RfSignals) -> Change:
    """Return every statistic of the cavity equation.

    Where one is sought the detuning, the phase of the beam, and a current that varies anyway may be others at no cost.
    """
    field = model.field(signals)
    drive = in_blocks(model.drive(signals), model.length)
    white = spread.whiten(spread.left(model, signals))
    time = np.linspace(-1, 1, field.shape[1])
    turning = spread.whiten(np.stack([1j * field * time**power for power in range(3)], axis=1))
    beam, credit = _free_beam(model, spread, (field, white, _orthonormal(turning)))
    basis = _orthonormal(np.concatenate([beam, turning], axis=1))
    coefficient = np.einsum("nkd,nd->nk", basis, white)
    detuned = np.sqrt((coefficient[:, beam.shape[1] :] ** 2).sum(axis=1))
    left = white - np.einsum("nk,nkd->nd", coefficient, basis)
    quench, rise, quench_s = _find_quench(model, spread, (field, drive), left, basis)
    quench = np.sqrt(np.maximum(quench**2 - credit, 0))
    search = _find_rise if spread.varies else _find_beam_loss
    beam_loss, lost, beam_s = search(model, spread, signals, left, basis)
    turned = (field.conj() * spread.left(model, signals)).sum(axis=1).imag / np.maximum(chi_square(field), 1e-12)
    detuning_hz = turned * model.half_bandwidth / (2 * np.pi)
    of_beam = np.einsum("nkd,nd->nk", basis[:, : beam.shape[1]], white) if spread.varies else np.zeros((len(white), 1))
    total = np.sqrt(np.maximum((white**2).sum(axis=1) - (of_beam**2).sum(axis=1), 0))
    return Change(total, quench, rise, quench_s, detuned, detuning_hz, beam_loss, lost, beam_s)


def _free_beam(
    model: CavityModel, spread: EquationSpread, rows: tuple[Complex, Floats, Floats]
) -> tuple[Floats, Floats]:
    """Return the directions (n, k, 2 block) in which the beam may differ at no cost, and how much more chi-square (n,)
    the best window of beam alone explains than the one chosen together with a quench."""
    field, white, turning = rows
    if not spread.varies:
        usual = spread.whiten(1j * beam_shape(model, spread))
        return np.broadcast_to(usual, (len(white), 1, len(usual))), np.zeros(len(white))
    left = white - np.einsum("nk,nkd->nd", np.einsum("nkd,nd->nk", turning, white), turning)
    shapes = rises(model)[0][: len(onsets(model)) : 2]
    quench = _without(spread.whiten(-shapes * field[:, None, :]), turning)
    power = np.maximum((quench**2).sum(axis=2), 1e-12)
    along = np.einsum("nkd,nd->nk", quench, left)
    pairs, alone, together = [], [], []
    for shape in windows(spread.beam, field.shape[1]):
        pair = spread.whiten(np.stack([shape, 1j * shape]))
        pairs.append(pair)
        own = _orthonormal(_without(np.broadcast_to(pair, (len(left), *pair.shape)), turning))
        taken = np.einsum("nkd,nd->nk", own, left)
        shared = np.einsum("nqd,nkd->nqk", quench, own)
        rest = along - np.einsum("nqk,nk->nq", shared, taken)
        free = np.maximum(power - (shared**2).sum(axis=2), 1e-3 * power)
        alone.append((taken**2).sum(axis=1))
        together.append(alone[-1] + (np.maximum(rest, 0) ** 2 / free).max(axis=1))
    best, chosen, row = np.max(alone, axis=0), np.argmax(together, axis=0), np.arange(len(left))
    return np.asarray(pairs)[chosen], best - np.asarray(alone)[chosen, row]


def _find_quench(
    model: CavityModel, spread: EquationSpread, waves: tuple[Complex, Complex], left: Floats, basis: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return sigmas, relative rise and onset (n,) in s of the half bandwidth. The losses rise alone, or all is
    faster."""
    field, drive = waves
    shapes, begin = rises(model)
    best, rise, onset = np.zeros(len(field)), np.zeros(len(field)), np.full(len(field), np.nan)
    for acting in (-field, drive - field + spread.mean):
        columns = _without(spread.whiten(shapes * acting[:, None, :]), basis)
        norm = np.maximum((columns**2).sum(axis=2), 1e-12)
        along = np.einsum("nkd,nd->nk", columns, left)
        gain = np.where(along > 0, along / np.sqrt(norm), 0.0)
        found = gain.argmax(axis=1)
        row = np.arange(len(field))
        better = gain[row, found] > best
        best = np.where(better, gain[row, found], best)
        rise = np.where(better, (along / norm)[row, found], rise)
        onset = np.where(better, begin[found], onset)
    return best, rise, onset


def _find_rise(
    model: CavityModel, spread: EquationSpread, signals: RfSignals, *_: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return sigmas, relative rise and onset (n,) in s of a field that is not loaded as the drive was made for."""
    flat = (flat_top(model, signals) - spread.flat_top) @ spread.flat_whitener.T
    time = (np.arange(len(spread.flat_top)) + 0.5) * model.length * model.step_s
    first_s = (-(-model.filled // model.length) + 1) * model.length * model.step_s
    begin = np.arange(max(len(time) - LEFT_BLOCKS, 1)) * model.length * model.step_s
    shapes = np.array(
        [-np.expm1(-np.clip(time - at, 0, None) * model.half_bandwidth * fast) for fast in LOOPS for at in begin]
    )
    columns = shapes @ spread.flat_whitener.T
    norm = (columns**2).sum(axis=1)
    along = flat @ columns.T
    gain = np.where(along > 0, along / np.sqrt(norm), 0)
    best, row = gain.argmax(axis=1), np.arange(len(flat))
    size = along[row, best] / norm[best] * shapes.max(axis=1)[best]
    return gain[row, best], size, first_s + np.tile(begin, len(LOOPS))[best]


def _find_beam_loss(
    model: CavityModel, spread: EquationSpread, _: RfSignals, left: Floats, basis: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return sigmas, share of the beam that is lost, and since when (n,) in s."""
    shape = beam_shape(model, spread)
    best, share, onset = np.zeros(len(left)), np.zeros(len(left)), np.full(len(left), np.nan)
    for block in onsets(model):
        gone = np.where(np.arange(len(shape)) >= block, -shape, 0)
        if np.abs(gone).sum() < 2 * LEAST_BEAM:
            continue
        pair = spread.whiten(np.stack([gone, 1j * gone]))
        columns = _without(np.broadcast_to(pair, (len(left), *pair.shape)), basis)
        along = np.einsum("nkd,nd->nk", columns, left)
        gram = np.einsum("nkd,njd->nkj", columns, columns) + 1e-9 * np.eye(2)
        size = np.linalg.solve(gram, along[:, :, None])[:, :, 0]
        gain = np.sqrt(np.maximum((size * along).sum(axis=1), 0))
        gain = np.where((size[:, 0] > LOST[0]) & (size[:, 0] < LOST[1]), gain, 0.0)
        better = gain > best
        best, share = np.where(better, gain, best), np.where(better, size[:, 0], share)
        onset = np.where(better, block * model.length * model.step_s, onset)
    return best, share, onset


def _orthonormal(columns: Floats) -> Floats:
    """Return the columns (n, k, d) made orthonormal, one after the other (Gram-Schmidt)."""
    made: list[Floats] = []
    for k in range(columns.shape[1]):
        column = columns[:, k]
        for other in made:
            column = column - (column * other).sum(axis=1, keepdims=True) * other
        made.append(column / np.maximum(np.linalg.norm(column, axis=1, keepdims=True), 1e-12))
    return np.stack(made, axis=1)


def _without(columns: Floats, basis: Floats) -> Floats:
    """Return the columns (n, k, d) without what lies along the orthonormal basis (n, b, d)."""
    return columns - np.einsum("nkb,nbd->nkd", np.einsum("nkd,nbd->nkb", columns, basis), basis)
