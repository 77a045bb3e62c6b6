"""How far the residual of the cavity equation strays in healthy pulses: noise, another field, a beam that varies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.scorers.cavity.equation import CavityModel, Complex, RfSignals

FLOOR = 0.003  # of the half bandwidth: no equation of a real cavity is truer than that
FLAT_FLOOR = 0.001  # of the field: as FLOOR, of its flat top
STRENGTH = 0.004  # relative spread of the squared field below which its effect cannot be learned
SLOPE_ERROR = 0.25  # how well the effect of another field is known
WIDER = 4.0  # an effect of the field that was learned is believed this much farther than it was seen
VARYING = 0.3  # relative spread of the beam current from which it counts as different from pulse to pulse
LEAST_BEAM = 0.05  # beam loading below this share of half bandwidth times field cannot be told from none
CLEAN_PASSES = 3
FAR = 3.0  # robust sigmas of the chi-square (as a square root) from which a pulse of the reference is set aside


@dataclass(frozen=True)
class EquationSpread:
    """What the equation leaves over for healthy pulses, in units of half bandwidth times field.

    `mean` (block,) and its `slope` (block,) with the square of the field, per field, both complex; `field` is the usual
    one, `reach` how far its square may be off, relative, until the slope ends. `whitener` (2 block, 2 block) gives real
    and imaginary parts unit covariance. `beam` [first, last): blocks with beam; where its current `varies` between
    pulses it is fitted to each. `flat_top` (blocks with drive behind the fill,): the usual amplitude there, relative to
    its start, and its `flat_whitener`.
    """

    mean: Complex
    slope: Complex
    whitener: Floats
    field: float
    reach: float
    beam: Array
    varies: bool
    flat_top: Floats
    flat_whitener: Floats

    @classmethod
    def fit(cls, model: CavityModel, signals: RfSignals) -> Self:
        """Learn from healthy pulses, in CLEAN_PASSES passes that leave out what is far off."""
        residual, field = model.residual(signals), float(np.median(np.abs(signals.scale)))
        beam, varies = find_beam(model, residual)
        if varies:
            residual = residual - fitted_beam(residual, beam)
        strength, waves = (np.abs(signals.scale) / field) ** 2 - 1, model.field(signals)
        reach = float(WIDER * np.quantile(np.abs(strength), 0.95))
        strength = np.clip(strength, -reach, reach)
        turned = strength[:, None] * waves
        kept = np.full(len(residual), True)
        same_part = np.kron(np.eye(2), np.ones((residual.shape[1],) * 2)) > 0  # losses and detuning vary independently
        for _ in range(CLEAN_PASSES):
            varied = turned[kept] - turned[kept].mean(axis=0)
            power = (np.abs(varied) ** 2).sum(axis=0) + STRENGTH**2 * (np.abs(waves[kept]) ** 2).sum(axis=0)
            slope = (varied.conj() * residual[kept]).sum(axis=0) / power
            slope = 1j * slope.imag if varies else slope  # another field is another Lorentz force, not another loss
            mean = median(residual[kept] - turned[kept] * slope)
            if varies:  # whatever the windows of the beams leave
                mean[beam[0] : beam[1]] = 1j * mean[beam[0] : beam[1]].imag
            deviation = as_real(residual - mean - turned * slope)
            unsure = as_real(SLOPE_ERROR * strength[kept].std() * slope * median(waves))
            covariance = np.where(same_part, _shrunk(deviation[kept], FLOOR), 0) + np.outer(unsure, unsure)
            whitener = _whitener(covariance)
            far = np.sqrt(((deviation @ whitener.T) ** 2).sum(axis=1))
            middle = np.median(far)
            kept = far < middle + FAR * 1.4826 * np.median(np.abs(far - middle)) + 0.1 * middle
        flat = flat_top(model, signals)
        usual = np.median(flat, axis=0)
        flat_whitener = _whitener(_shrunk((flat - usual)[kept], FLAT_FLOOR))
        return cls(mean, slope, whitener, field, reach, beam, varies, usual, flat_whitener)

    def left(self, model: CavityModel, signals: RfSignals) -> Complex:
        """Return what the equation leaves over (n, block) beyond what healthy pulses of this field leave."""
        strength = np.clip((np.abs(signals.scale) / self.field) ** 2 - 1, -self.reach, self.reach)
        return np.asarray(model.residual(signals) - self.mean - strength[:, None] * self.slope * model.field(signals))

    def whiten(self, shape: Complex) -> Floats:
        """Return residuals (..., block) as real and imaginary parts (..., 2 block) of unit covariance."""
        return np.asarray(as_real(shape) @ self.whitener.T)


def median(rows: Complex) -> Complex:
    """Return the median of real and of imaginary parts over the first axis."""
    return np.asarray(np.median(rows.real, axis=0) + 1j * np.median(rows.imag, axis=0))


def find_beam(model: CavityModel, residual: Complex) -> tuple[Array, bool]:
    """Return the blocks [first, last) in which healthy pulses have beam, and whether its current varies between
    them."""
    blocks = np.arange(residual.shape[1]) * model.length
    driven = np.flatnonzero((blocks >= model.filled) & (blocks + model.length < model.stop))
    loading = -residual[:, driven].real
    top = np.quantile(loading, 0.9, axis=0)
    if not len(driven) or np.median(top) < LEAST_BEAM:
        return np.zeros(2, np.int64), False
    beam = driven[top > 0.5 * np.median(top)]
    inside = -residual[:, beam].real.mean(axis=1)
    low, high = np.quantile(inside, [0.05, 0.95])
    return np.array([beam[0], beam[-1] + 1]), bool(high - low > VARYING * max(high, LEAST_BEAM))


def windows(beam: Array, blocks: int) -> Floats:
    """Return the windows (window, block) of beam: 1 from the first block with beam to some later one, in half
    blocks."""
    ends = np.arange(beam[0] + 1, beam[1] + 1.01, 0.5)
    return np.clip(ends[:, None] - np.arange(blocks), 0, 1) * (np.arange(blocks) >= beam[0])


def fitted_beam(residual: Complex, beam: Array) -> Floats:
    """Return the beam of each pulse (n, block): a constant current, near the crest, over the best window."""
    shapes = windows(beam, residual.shape[1])
    power = (shapes**2).sum(axis=1)
    along = residual.real @ shapes.T
    best = (along**2 / power).argmax(axis=1)
    size = along[np.arange(len(residual)), best] / power[best]
    return np.asarray(size[:, None] * shapes[best])


def flat_top(model: CavityModel, signals: RfSignals) -> Floats:
    """Return the amplitude of the field behind the fill (n, blocks), relative to its first block, less 1."""
    blocks = np.arange(len(model.detuning)) * model.length
    driven = np.flatnonzero((blocks >= model.filled) & (blocks + model.length < model.stop))
    amplitude = np.abs(model.field(signals)[:, driven])
    return np.asarray(amplitude / np.maximum(amplitude[:, :1], 0.05) - 1)[:, 1:]


def _shrunk(deviation: Floats, floor: float) -> Floats:
    """Return the covariance of (n, dimension), drawn to its diagonal the more the fewer pulses there are, and with a
    floor."""
    n, dimension = deviation.shape
    own = deviation.T @ deviation / max(n, 1)
    weight = min(1.0, dimension / (4 * max(n, 1)))
    return (1 - weight) * own + np.diag(weight * np.diag(own) + floor**2)


def _whitener(covariance: Floats) -> Floats:
    """Return the inverse Cholesky factor of a covariance, which makes its dimensions uncorrelated, of unit variance."""
    return np.linalg.inv(np.linalg.cholesky(covariance))


def as_real(residual: Complex) -> Floats:
    """Return real parts, then imaginary parts, along the last axis."""
    return np.concatenate([residual.real, residual.imag], axis=-1)


def beam_shape(model: CavityModel, spread: EquationSpread) -> Complex:
    """Return what the beam takes from the field of a healthy pulse (block,); 0 where it is too weak to distinguish from
    none."""
    inside = np.arange(len(spread.mean)) * model.length
    driven = (inside >= model.filled) & (inside < model.stop)
    shape = np.where(driven, spread.mean, 0)
    return np.asarray(shape if driven.any() and np.abs(shape[driven].mean()) > LEAST_BEAM else np.zeros_like(shape))
