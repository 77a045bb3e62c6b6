"""Substructure observables of jets from the four-vectors of their particles, for all jets at once.

They do not depend on the order of the particles, nor on how jets are cut into batches.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from lynkeus.core import Floats, Group, Packed
from lynkeus.transforms.jets.clustering import Clustering, groomed
from lynkeus.transforms.jets.correlations import correlations
from lynkeus.transforms.jets.four_vectors import FourVectors, apart, four_vectors, mass, rapidity, turned

NUMBERS = 1_500_000  # pairs of particles that are in memory at a time
AXES = 4  # N-subjettiness up to this many
LEADING = 3
OBSERVABLES = (
    "pt", "mass", "sdmass", "sd_z", "sd_angle", "tau1", "tau2", "tau3", "tau4", "tau21", "tau32", "tau43", "c2", "d2",
    "n2", "multiplicity", "ptd", "width", "lha", "pull", "fraction1", "fraction2", "fraction3",
)  # fmt: skip
Integers = npt.NDArray[np.int64]


QUICK = OBSERVABLES[:5]  # those that need no axes and no triples of particles


def observables(
    packed: Packed, names: tuple[str, ...], radius: float = 0.8, z_cut: float = 0.1, quick: bool = False
) -> Floats:
    """Return (n, len(OBSERVABLES)) of jets with particles of these names; NaN for a jet without particles.

    `pt` (GeV), `mass` and soft-drop `sdmass` (GeV; beta 0, `z_cut`) with share `sd_z` and `sd_angle` of the splitting;
    N-subjettiness `tau1` to `tau4` about winner-take-all kT axes (arXiv:1011.2268, beta 1) and their ratios; energy
    correlations `c2` (arXiv:1305.0007, beta 1), `d2` (arXiv:1409.6298, beta 1) and `n2` (arXiv:1609.07483, beta 1);
    `multiplicity`; `ptd` sqrt(sum pT^2) / sum pT; `width` and `lha`, the generalised angularities with beta 1 and 1/2
    (arXiv:1408.3122); `pull`, the length of the pull vector (arXiv:1001.5027); shares of pT of the hardest particles.
    A ratio whose denominator is 0 is 0. `radius` of the jets scales angles. `quick`: only QUICK, the first of them.
    """
    p4 = four_vectors(packed, names)
    wanted = QUICK if quick else OBSERVABLES
    found = np.full((len(packed), len(wanted)), np.nan)
    for jets, padded, lengths in _chunks(p4):
        own = _masses(padded, lengths, radius, z_cut)
        own |= {} if quick else _shapes(padded, lengths, radius)
        found[jets] = np.stack([own[name] for name in wanted], axis=1)
    return found


def _chunks(p4: FourVectors) -> Iterator[tuple[Integers, Floats, Integers]]:
    """Yield jets of similar length: their numbers, (b, P, 4) in descending order of pT, lengths in descending order."""
    order = np.argsort(-p4.lengths, kind="stable")
    order = order[p4.lengths[order] > 0]
    first = 0
    while first < len(order):
        longest = int(p4.lengths[order[first]])
        last = first + max(1, NUMBERS // longest**2)
        jets = order[first:last]
        packed = Packed({"p4": Group(p4.values, p4.offsets)})[jets]
        padded, mask = packed.padded("p4")
        transverse = np.where(mask, np.hypot(padded[..., 0], padded[..., 1]), -1.0)
        # Particles of equal pT are ordered by their momenta, so that their order in the file does not matter.
        by = np.lexsort((padded[..., 0], padded[..., 1], padded[..., 2], -transverse), axis=1)
        yield jets, np.take_along_axis(padded, by[..., None], axis=1), p4.lengths[jets]
        first = last


def _masses(p4: Floats, lengths: Integers, radius: float, z_cut: float) -> dict[str, Floats]:
    jet = p4.sum(axis=1)
    merges = Clustering(p4, lengths, winner=False).run().merges
    drop = dict(zip(("sdmass", "sd_z", "sd_angle"), groomed(merges, lengths, z_cut, 0.0, radius), strict=True))
    return {"pt": np.hypot(jet[:, 0], jet[:, 1]), "mass": mass(jet), **drop}


def _shapes(p4: Floats, lengths: Integers, radius: float) -> dict[str, Floats]:
    there = np.arange(p4.shape[1]) < lengths[:, None]
    jet = p4.sum(axis=1)
    pt = np.where(there, np.hypot(p4[..., 0], p4[..., 1]), 0.0)
    share = pt / pt.sum(axis=1)[:, None]
    y, phi = rapidity(p4), np.arctan2(p4[..., 1], p4[..., 0])
    away = np.stack([y - rapidity(jet)[:, None], turned(phi - np.arctan2(jet[:, 1], jet[:, 0])[:, None])], axis=-1)
    angle = np.where(there, np.hypot(away[..., 0], away[..., 1]), 0.0)
    pull = ((share * angle)[..., None] * away).sum(axis=1)
    e2, e3, n3 = correlations(share, y, phi)
    tau = _subjettiness(p4, lengths, share, (y, phi), radius)
    found = {f"tau{k + 1}": tau[k] for k in range(AXES)}
    found |= {f"tau{k + 1}{k}": _ratio(tau[k], tau[k - 1]) for k in range(1, AXES)}
    found |= {"c2": _ratio(e3, e2**2), "d2": _ratio(e3, e2**3), "n2": _ratio(n3, e2**2)}
    found |= {"multiplicity": lengths.astype(float), "ptd": np.sqrt((share**2).sum(axis=1))}
    found |= {"width": (share * angle).sum(axis=1) / radius, "lha": (share * np.sqrt(angle / radius)).sum(axis=1)}
    found["pull"] = np.hypot(pull[:, 0], pull[:, 1])
    for k in range(LEADING):
        found[f"fraction{k + 1}"] = share[:, k] if share.shape[1] > k else np.zeros(len(share))
    return found


def _subjettiness(
    p4: Floats, lengths: Integers, share: Floats, place: tuple[Floats, Floats], radius: float
) -> list[Floats]:
    """Return tau1 to tau4, each (b,): the mean distance by pT, in radii, of particles to the nearest of so many axes.

    0 where there are no more particles than axes.
    """
    axes = Clustering(p4, lengths, winner=True, axes=AXES).run().axes
    y, phi = place
    found, nearest = [], None
    for count in range(1, AXES + 1):
        own = axes[count][:, :count]
        away = np.hypot(y[:, :, None] - own[:, None, :, 0], apart(phi[:, :, None], own[:, None, :, 1]))
        nearest = np.where(np.isnan(away), np.inf, away).min(axis=2)
        tau = (share * np.where(np.isfinite(nearest), nearest, 0.0)).sum(axis=1) / radius
        found.append(np.where(lengths > count, tau, 0.0))
    return found


def _ratio(above: Floats, below: Floats) -> Floats:
    small = below < 1e-12
    found: Floats = np.where(small, 0.0, above / np.where(small, 1.0, below))
    return found
