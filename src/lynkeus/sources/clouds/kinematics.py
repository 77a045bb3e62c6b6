"""Kinematics of jets from the momenta of their particles, in the names and units of JetClass (GeV, radians)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lynkeus.core.batch import Array
from lynkeus.sources.clouds.columns import Jagged, Table

# Masses in GeV, charges and kinds of the particles that reconstruction tells apart (PDG, Review of Particle Physics).
MASSES = {
    11: 0.000511, 13: 0.10566, 22: 0.0, 130: 0.49761, 211: 0.13957, 310: 0.49761, 321: 0.49368, 2112: 0.93957,
    2212: 0.93827,
}  # fmt: skip
CHARGED_HADRONS, NEUTRAL_HADRONS = (211, 321, 2212), (130, 310, 2112)


def particles_of(px: Array, py: Array, pz: Array, energy: Array, lengths: Array) -> Table:
    """Return the columns of jets whose particles have these momenta, one after the other: `part_px`, ...,
    `part_deta` and `part_dphi` relative to the jet axis, and `jet_pt`, `jet_eta`, `jet_phi`, `jet_energy`, `jet_mass`,
    `jet_nparticles`.

    `part_deta` is counted away from the beam pipe as in JetClass: it has the sign of the jet's eta. A jet without
    particles has NaN for an axis.
    """
    jet = np.repeat(np.arange(len(lengths)), lengths)
    sums = [np.bincount(jet, weights=part, minlength=len(lengths)) for part in (px, py, pz, energy)]
    axis = axis_of(*sums[:3])
    pt, eta, phi = (np.where(lengths > 0, part, np.nan) for part in axis)
    sign = np.where(eta < 0, -1.0, 1.0)
    own = axis_of(px, py, pz)
    deta, dphi = (own[1] - eta[jet]) * sign[jet], delta_phi(own[2], phi[jet])
    lists = {"px": px, "py": py, "pz": pz, "energy": energy, "deta": deta, "dphi": dphi}
    found: Table = {f"part_{name}": Jagged.of_lengths(np.asarray(part), lengths) for name, part in lists.items()}
    square = sums[3] ** 2 - sums[0] ** 2 - sums[1] ** 2 - sums[2] ** 2
    whole = {"pt": pt, "eta": eta, "phi": phi, "energy": sums[3], "mass": np.sqrt(np.maximum(square, 0.0))}
    return found | {f"jet_{name}": part for name, part in whole.items()} | {"jet_nparticles": np.asarray(lengths)}


def axis_of(px: Array, py: Array, pz: Array) -> tuple[Array, Array, Array]:
    """Return transverse momentum, pseudorapidity and azimuth; a particle along the beam has eta +-inf."""
    pt = np.hypot(px, py)
    with np.errstate(divide="ignore", invalid="ignore"):
        eta = np.arcsinh(np.asarray(pz) / pt)
    return pt, np.where((pt == 0) & (np.asarray(pz) == 0), 0.0, eta), np.arctan2(py, px)


def delta_phi(first: Array, second: Array) -> npt.NDArray[np.floating]:
    """Return the difference of two azimuths, from -pi on up to pi."""
    return (np.asarray(first) - np.asarray(second) + np.pi) % (2 * np.pi) - np.pi


def of_pt_y_phi_pid(values: Array, lengths: Array) -> Table:
    """Return the columns of jets of particles (particles, 4): transverse momentum, rapidity, azimuth and the number of
    the Particle Data Group, by which they have masses, charges and kinds."""
    pt, rapidity, phi = (values[:, k].astype(float) for k in range(3))
    pid = values[:, 3].astype(np.int64)
    kind = np.abs(pid)
    mass = np.zeros(len(pid))
    for number, own in MASSES.items():
        mass[kind == number] = own
    transverse = np.hypot(pt, mass)
    found = particles_of(
        pt * np.cos(phi), pt * np.sin(phi), transverse * np.sinh(rapidity), transverse * np.cosh(rapidity), lengths
    )
    return found | {f"part_{name}": Jagged.of_lengths(part, lengths) for name, part in kinds_of(pid).items()}


def kinds_of(pid: Array) -> dict[str, Array]:
    """Return charge and kind, 0 or 1, of particles by their number of the Particle Data Group."""
    kind = np.abs(pid)
    hadron, lepton = np.isin(kind, CHARGED_HADRONS), np.isin(kind, (11, 13))
    charge = np.where(hadron, np.sign(pid), np.where(lepton, -np.sign(pid), 0))
    flags = {
        "isChargedHadron": hadron, "isNeutralHadron": np.isin(kind, NEUTRAL_HADRONS), "isPhoton": kind == 22,
        "isElectron": kind == 11, "isMuon": kind == 13,
    }  # fmt: skip
    return {"charge": charge.astype(np.float32)} | {name: flag.astype(np.float32) for name, flag in flags.items()}
