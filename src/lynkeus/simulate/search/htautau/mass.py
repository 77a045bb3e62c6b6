"""pair_mass: the mass of a pair of taus from what is seen of them and the missing momentum.

As SVfit does it (Bianchini et al. 2014, in its simplest form): neutrinos fly along with what is seen; of all shares of
energy that are seen, each as likely as in a decay and as the missing momentum allows it, the mean mass; large masses
are less likely by a power, since more shares of energy lead there.
"""

from __future__ import annotations

import numpy as np

from lynkeus.core.batch import Floats

STEPS = 14
STEEP = (3.0, 4.0, 5.0)  # powers by which large masses are less likely, by how many of both decay to hadrons


def share_density(x: Floats, hadronic: bool) -> Floats:
    """Return how likely a share x of the energy of a tau is seen: flat for hadrons from a mass on, (1 - x)^2 (1 + 2 x)
    of a lepton, unpolarised."""
    if hadronic:
        return np.where(x > 0.25, 1.0, 4.0 * x)
    return (1 - x) * (5 + 5 * x - 4 * x**2) / 3


def pair_mass(first: Floats, second: Floats, met: Floats, resolution: Floats, hadronic: tuple[bool, bool]) -> Floats:
    """Return (n,) masses in GeV of momenta (n, 4), missing momentum (n, 2) and its resolution (n,) in GeV."""
    x = (np.arange(STEPS) + 0.5) / STEPS
    prior = share_density(x, hadronic[0])[:, None] * share_density(x, hadronic[1])  # (steps, steps)
    more = 1 / x - 1
    visible = first + second
    m2 = np.maximum(visible[:, 3] ** 2 - (visible[:, :3] ** 2).sum(axis=1), 1.0)
    neutrinos = first[:, None, None, :2] * more[:, None, None] + second[:, None, None, :2] * more[:, None]
    off = ((neutrinos - met[:, None, None]) ** 2).sum(axis=-1) / (2 * resolution[:, None, None] ** 2)
    mass = np.sqrt(m2[:, None, None] / (x[:, None] * x))
    weight = prior * np.exp(-(off - off.min(axis=(1, 2), keepdims=True))) * (100.0 / mass) ** STEEP[sum(hadronic)]
    return np.asarray((weight * mass).sum(axis=(1, 2)) / weight.sum(axis=(1, 2)))
