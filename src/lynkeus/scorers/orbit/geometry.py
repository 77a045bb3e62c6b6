"""What the channels of `orbit` say of each other, with some of them left out: the matrices for a set of masked ones.

A masked channel is compared with all that are in use, and none of these is compared with it. Leaving a channel out of
a Gaussian is its marginal: the covariance without its row and column (Lauritzen 1996, ch. 5).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt

from lynkeus.core import Floats
from lynkeus.scorers.orbit.thin import Beside, Thin
from lynkeus.transforms.conditional import ConditionalModel
from lynkeus.transforms.modes import Modes


@dataclass(frozen=True)
class Geometry:
    """Single-precision matrices (c, c) for the channels in use, `used` (c,): `to_residual` turns rows less the `centre`
    (c,) into conditional residuals, `to_jitter` these into the shift of each channel in jitters, `flip` (c, modes) into
    whitened modes; `correlation`: the share of a fault in channel i that shows in channel j; `sigma` (c,): the noise of
    each channel given the others, in the unit of the data. `to_spread`: for single shots, as `to_residual` or by modes
    that are nearly as good and cost less; `shadow` (c, c): the share of the noise of a fault in channel i that shows in
    the spread of channel j by it, as variances."""

    used: npt.NDArray[np.bool_]
    centre: Floats
    to_residual: Floats | Thin
    correlation: Floats
    to_jitter: Floats | Thin
    flip: Floats | Beside
    sigma: Floats
    exact: Floats = field(repr=False)  # to_residual in double precision
    to_spread: Floats | Thin
    shadow: Floats

    @classmethod
    def of(cls, model: ConditionalModel, used: npt.NDArray[np.bool_]) -> Self:
        """Return the matrices that go with some channels in use."""
        if model.modes is not None:
            return cls._of_modes(model, model.modes, used)
        channels, kept, left = len(used), np.flatnonzero(used), np.flatnonzero(~used)
        covariance = np.linalg.inv(model.precision)
        whole = model.precision if not len(left) else np.zeros((channels, channels))
        if len(left):
            whole[np.ix_(kept, kept)] = np.linalg.inv(covariance[np.ix_(kept, kept)])
        for channel in left:
            some = np.append(kept, channel)
            whole[some, channel] = np.linalg.inv(covariance[np.ix_(some, some)])[:, -1]
        sigma = 1.0 / np.sqrt(np.diag(whole))
        to_residual = whole * sigma
        values, vectors = np.linalg.eigh(covariance[np.ix_(kept, kept)])
        whiten = np.zeros((channels, len(kept)))
        whiten[kept] = vectors / np.sqrt(values)
        to_jitter = np.where(used, np.linalg.inv(to_residual) / model.jitter, 0.0)
        correlation, flip = whole * np.outer(sigma, sigma), np.linalg.solve(to_residual, whiten)
        single = [matrix.astype(np.float32) for matrix in (model.centre, to_residual, correlation, to_jitter, flip)]
        spread, shadow = single[1], single[2] ** 2
        if model.coarse is not None:
            spread, shadow = _coarse(model.coarse, covariance, used)
        return cls(used, single[0], single[1], single[2], single[3], single[4], sigma, to_residual, spread, shadow)

    @classmethod
    def _of_modes(cls, model: ConditionalModel, modes: Modes, used: npt.NDArray[np.bool_]) -> Self:
        """Return the same where a few modes are all that the channels share."""
        kept, scores = np.flatnonzero(used), modes.scores_of(used)
        explained = (modes.loadings / modes.noise[:, None] * scores).sum(axis=1)
        inner = np.linalg.inv(
            np.eye(scores.shape[1]) + modes.loadings[kept].T @ (modes.loadings / modes.noise[:, None])[kept]
        )
        of_left = modes.noise + ((modes.loadings @ inner) * modes.loadings).sum(axis=1)
        sigma = np.sqrt(np.where(used, modes.noise / np.maximum(1.0 - modes.noise * explained, 1e-12), of_left))
        scale = np.where(used, sigma / modes.noise, 1.0 / sigma)
        exact = Thin(scale, -scores, (modes.loadings * scale[:, None]).T)
        back = exact.inverse()
        # In units of their own noise all directions but those of the modes have variance 1.
        axes, variance = modes.axes(used)
        own = used / np.sqrt(modes.noise)
        rest = Thin(own, -own[:, None] * axes, axes.T)
        flip = Beside((back @ (own[:, None] * axes / np.sqrt(variance))).astype(np.float32), back.then(rest).single())
        dense = exact.dense()
        centre, correlation = model.centre.astype(np.float32), (dense * sigma[:, None]).astype(np.float32)
        to_jitter = back.times(np.where(used, 1.0 / model.jitter, 0.0))
        single = exact.single()
        return cls(
            used, centre, single, correlation, to_jitter.single(), flip, sigma, dense, single, correlation**2
        )  # fmt: skip

    def change_to(self, other: Geometry) -> Floats:
        """Return the matrix (c, c) that turns residuals, as `residuals @ matrix`, into those of another geometry."""
        return np.linalg.solve(self.exact, other.exact)


def _coarse(modes: Modes, covariance: Floats, used: npt.NDArray[np.bool_]) -> tuple[Thin, Floats]:
    """Return what turns rows into residuals of unit variance by some modes and the channels in use, and the squares
    (c, c) of the share of a fault in channel i that shows in channel j."""
    scale = np.where(used, 1.0 / modes.noise, 1.0)
    thin = Thin(scale, -modes.scores_of(used), (modes.loadings * scale[:, None]).T)
    dense = thin.dense()
    variance = (dense * (covariance @ dense)).sum(axis=0)
    shadow = np.square(dense / np.sqrt(variance) * (np.sqrt(variance) / np.diag(dense))[:, None])
    return thin.times(1.0 / np.sqrt(variance)).single(), shadow.astype(np.float32)
