"""What networks of taus read of a jet: particles with features of their own, places from the jet axis, momenta."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Batch, Floats, Group, Packed
from lynkeus.transforms.jets.columns import named_columns

FEATURES = (
    "log_pt", "log_energy", "log_pt_share", "charge", "is_charged_hadron", "is_neutral_hadron", "is_photon",
    "is_electron", "is_muon", "d0_sig", "dz_sig", "d0",
)  # fmt: skip
CHARGE = FEATURES.index("charge")
TYPES = (
    (FEATURES.index("is_electron"), FEATURES.index("is_photon")),
    (FEATURES.index("is_muon"),),
    (FEATURES.index("is_charged_hadron"), FEATURES.index("is_neutral_hadron")),
)
PARTICLE = (
    "part_px", "part_py", "part_pz", "part_energy", "part_deta", "part_dphi", "part_charge", "part_isChargedHadron",
    "part_isNeutralHadron", "part_isPhoton", "part_isElectron", "part_isMuon", "part_d0val", "part_d0err", "part_dzval",
    "part_dzerr",
)  # fmt: skip
SMALL, LEAST_ERROR, MOST_SIGNIFICANT = 1e-6, 1e-4, 200.0


def tau_groups(batch: Batch) -> Packed:
    """Return the groups "points" (deta, dphi from the axis of the jet, rad), "features" (as in FEATURES) and "vectors"
    (px, py, pz, E in GeV), float32, of jets with particles as JetClass names them.

    Significances of impact parameters are asinh of value / error, 0 without a track; d0 is asinh of mm. Missing
    numbers: see `named_columns`. Raises SchemaError where a column is missing.
    """
    p, jet = named_columns(batch, "particles", PARTICLE, "a tagger of taus")
    momentum = np.stack([p[f"part_{name}"] for name in ("px", "py", "pz", "energy")], axis=1)
    points = np.stack([p["part_deta"], p["part_dphi"]], axis=1)
    pt = np.hypot(momentum[:, 0], momentum[:, 1])
    total = np.bincount(jet, pt, len(batch))[jet]
    flags = [p[f"part_is{name}"] for name in ("ChargedHadron", "NeutralHadron", "Photon", "Electron", "Muon")]
    features = np.stack(
        [_log(pt), _log(momentum[:, 3]), _log(pt / np.maximum(total, SMALL)), p["part_charge"], *flags,
         _significance(p["part_d0val"], p["part_d0err"]), _significance(p["part_dzval"], p["part_dzerr"]),
         np.arcsinh(p["part_d0val"])], axis=1
    )  # fmt: skip
    lengths = np.bincount(jet, minlength=len(batch))
    made = {"points": points, "features": features, "vectors": momentum}
    return Packed({name: Group.of_lengths(x.astype(np.float32), lengths) for name, x in made.items()})


def _log(values: Floats) -> Floats:
    return np.log(np.maximum(values, SMALL))


def _significance(value: Floats, error: Floats) -> Floats:
    """Return asinh of a significance; 0 where there is no error, as of what has no track."""
    there = error > LEAST_ERROR
    return np.arcsinh(np.clip(np.where(there, value / np.where(there, error, 1.0), 0.0), -MOST_SIGNIFICANT,
                              MOST_SIGNIFICANT))  # fmt: skip
