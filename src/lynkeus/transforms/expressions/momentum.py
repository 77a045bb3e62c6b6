"""Four-momenta of columns, of which an expression takes parts: `_p4_from_pxpypze(px, py, pz, energy).pt`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np


@dataclass(frozen=True)
class Momentum:
    """Momenta along the axes and energies, each a column of numbers or of lists."""

    px: Any
    py: Any
    pz: Any
    energy: Any

    @classmethod
    def of_pt_eta_phi_energy(cls, pt: Any, eta: Any, phi: Any, energy: Any) -> Self:
        """Return momenta from transverse momentum, pseudorapidity, azimuth and energy."""
        return cls(pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), energy)

    @classmethod
    def of_pt_eta_phi_mass(cls, pt: Any, eta: Any, phi: Any, mass: Any) -> Self:
        """Return momenta from transverse momentum, pseudorapidity, azimuth and mass."""
        return cls.of_pt_eta_phi_energy(pt, eta, phi, np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2))

    def part(self, name: str) -> Any:
        """Return a part by name; "E" and "e" are the energy, "m" the mass, whose square may be negative (0 then)."""
        if name in ("px", "py", "pz"):
            return getattr(self, name)
        if name in ("energy", "E", "e"):
            return self.energy
        pt = np.hypot(self.px, self.py)
        if name == "phi":
            return np.arctan2(self.py, self.px)
        if name == "eta":
            return np.arcsinh(self.pz / pt)
        if name == "rapidity":
            return 0.5 * np.log((self.energy + self.pz) / (self.energy - self.pz))
        whole = np.hypot(pt, self.pz)
        return pt if name == "pt" else whole if name == "p" else np.sqrt(np.maximum(self.energy**2 - whole**2, 0))

    def __getitem__(self, index: Any) -> Momentum:
        return Momentum(self.px[index], self.py[index], self.pz[index], self.energy[index])
