"""Names and units of what is known of a jet, of its particles and of its vertices: those of JetClass."""

from __future__ import annotations

import numpy as np

from lynkeus.core.batch import Array, Floats, Schema
from lynkeus.simulate.jets.detector.seen import CHARGED_HADRON, ELECTRON, MUON, NEUTRAL_HADRON, PHOTON, Seen
from lynkeus.simulate.jets.four_vectors import eta_of, mass_of, phi_of, pt_of, wrapped

KINDS = {
    "isChargedHadron": CHARGED_HADRON, "isNeutralHadron": NEUTRAL_HADRON, "isPhoton": PHOTON, "isElectron": ELECTRON,
    "isMuon": MUON,
}  # fmt: skip
# In the order in which files of such columns are read (sources.clouds), so that a model of one reads the other.
PARTICLE = {
    "part_px": "GeV", "part_py": "GeV", "part_pz": "GeV", "part_energy": "GeV", "part_deta": "", "part_dphi": "",
    "part_d0val": "mm", "part_d0err": "mm", "part_dzval": "mm", "part_dzerr": "mm", "part_charge": "",
} | {f"part_{name}": "" for name in KINDS}  # fmt: skip
VERTEX = {
    "sv_deta": "", "sv_dphi": "", "sv_pt": "GeV", "sv_mass": "GeV", "sv_ntracks": "", "sv_dxy": "mm", "sv_dxysig": "",
    "sv_d3d": "mm", "sv_d3dsig": "", "sv_costhetasvpv": "",
}  # fmt: skip
GROUPS = {"particles": PARTICLE, "vertices": VERTEX}


def jet_schema(classes: tuple[str, ...]) -> Schema:
    """Return the schema of jets of these classes: a cloud of particles and one of vertices."""
    units = {f"{group}/{name}": unit for group, columns in GROUPS.items() for name, unit in columns.items()}
    return Schema("cloud", tuple(units), tuple(units.values()), (None, None), classes=classes)


def particle_columns(seen: Seen, jets: Floats) -> Array:
    """Return the features (n, PARTICLE) float32 of objects, relative to the axes of their `jets` (jets, 4)."""
    jet_eta, jet_phi = eta_of(jets)[seen.owner], phi_of(jets)[seen.owner]
    away = np.stack([eta_of(seen.p) - jet_eta, wrapped(phi_of(seen.p) - jet_phi)], axis=1)
    flags = np.stack([seen.kind == kind for kind in KINDS.values()], axis=1)
    return np.column_stack([seen.p, away, seen.impact, seen.charge, flags]).astype(np.float32)


def jet_columns(jets: Floats, sizes: Array, groomed: Floats, tau: Floats) -> dict[str, Array]:
    """Return the observers of jets (n, 4) by name, (n,) each, GeV and rad."""
    known = {
        "jet_pt": pt_of(jets), "jet_eta": eta_of(jets), "jet_phi": phi_of(jets), "jet_energy": jets[:, 3],
        "jet_nparticles": sizes.astype(np.float64), "jet_sdmass": groomed,
    }  # fmt: skip
    return known | {f"jet_tau{k + 1}": tau[:, k] for k in range(tau.shape[1])} | {"jet_mass": mass_of(jets)}
