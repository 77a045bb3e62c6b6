"""Response: the numbers of the parametric detector, as closed forms of transverse momentum and pseudorapidity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lynkeus.core.batch import Floats


@dataclass(frozen=True)
class Response:
    """A detector like CMS, as far as jets see it; angles in rad, lengths in mm, energies in GeV.

    `tracking` multiplies the efficiency of tracks, `d0_scale` the resolution of impact parameters (the errors that are
    quoted for them do not know of it), `momentum` the resolution of momenta; the scales are how data differ from
    simulation.
    """

    tracking: float = 1.0
    d0_scale: float = 1.0
    momentum: float = 1.0
    tail: float = 0.03  # share of tracks with a wrong hit, whose impact parameters are off by more than is quoted
    tail_scale: float = 3.5
    track_pt: float = 0.5
    track_eta: float = 2.5
    track_radius: float = 300.0  # mm from the beam at which a track must have begun
    photon_gev: float = 0.5
    neutral_gev: float = 1.0
    calorimeter_eta: float = 3.0
    electron: float = 0.92  # efficiency of identification
    muon: float = 0.96
    pion_as_electron: float = 0.004
    pion_as_muon: float = 0.002

    def efficiency(self, pt: Floats, eta: Floats, radius: Floats) -> Floats:
        """Return the chance that a charged particle is seen as a track; `radius` in mm is where it was made."""
        ideal = 0.97 - 0.03 * np.clip(np.abs(eta) - 1.2, 0.0, None) / 1.3 - 0.12 * np.exp(-pt / 0.7)
        late = np.clip(1.0 - radius / self.track_radius, 0.0, 1.0)
        inside = (pt > self.track_pt) & (np.abs(eta) < self.track_eta)
        return np.where(inside, np.minimum(ideal * late * self.tracking, 1.0), 0.0)

    def pt_resolution(self, pt: Floats, eta: Floats) -> Floats:
        """Return sigma(pt) / pt of tracks: scattering and curvature, worse forward."""
        forward = 1.0 + 0.3 * np.square(eta)
        return self.momentum * forward * np.hypot(0.006, 1.0e-4 * pt)

    def angle_resolution(self, pt: Floats) -> Floats:
        """Return sigma of eta and of phi of tracks."""
        return np.hypot(3e-4, 2e-3 / pt)

    def d0_error(self, pt: Floats, eta: Floats) -> Floats:
        """Return the error in mm that is quoted for the transverse impact parameter."""
        return np.hypot(0.012, 0.065 / pt) * (1.0 + 0.1 * np.square(eta))

    def dz_error(self, pt: Floats, eta: Floats) -> Floats:
        """Return the error in mm that is quoted for the impact parameter along the beam."""
        return np.hypot(0.025, 0.085 / pt) * (1.0 + 0.35 * np.square(eta))

    def photon_resolution(self, energy: Floats) -> Floats:
        """Return sigma(E) / E of the electromagnetic calorimeter: stochastic, noise and constant terms."""
        return np.sqrt(0.03**2 / energy + (0.12 / energy) ** 2 + 0.006**2)

    def hadron_resolution(self, energy: Floats) -> Floats:
        """Return sigma(E) / E of the hadronic calorimeter."""
        return np.sqrt(1.0 / energy + 0.05**2)
