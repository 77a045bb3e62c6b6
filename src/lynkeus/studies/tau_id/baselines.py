"""What a tagger of taus must beat: one cut on a number of the candidate, and counting tracks and photons."""

from __future__ import annotations

import numpy as np
import torch

from lynkeus.core import Array, Batch, Floats
from lynkeus.networks.taggers.taus.candidate import SIGNAL, Candidate, Columns

GROUP = "particles"
KINDS = ("isChargedHadron", "isPhoton", "isElectron", "isMuon")
MODES = {0: "1-prong", 1: "1-prong + pi0", 2: "1-prong + 2 pi0", 10: "3-prong", 11: "3-prong + pi0"}


def candidates(batch: Batch) -> Candidate:
    """Return the candidates of jets with particles as JetClass has them: the features are charge and KINDS."""
    names = [name.partition("/")[2] for name in batch.schema.names if name.startswith(f"{GROUP}/")]
    values, offsets = batch.packed.groups[GROUP]
    column = {name: torch.from_numpy(values[:, k].astype(np.float64)) for k, name in enumerate(names)}

    def of(*wanted: str) -> torch.Tensor:
        return torch.stack([column[f"part_{name}"] for name in wanted], dim=1)

    at = torch.from_numpy(offsets)
    groups = {"points": of("deta", "dphi"), "features": of("charge", *KINDS), "vectors": of("px", "py", "pz", "energy")}
    return Candidate.of({name: (value, at) for name, value in groups.items()}, Columns(charge=0))


def isolation(batch: Batch) -> Floats:
    """Return minus the share of pT (n,) that is in the isolation ring around the signal cone."""
    found: Floats = -candidates(batch).numbers()[:, 4:6].sum(dim=1).numpy()
    return found


def leading_track(batch: Batch) -> Floats:
    """Return the share of pT (n,) that the hardest track has."""
    found: Floats = candidates(batch).numbers()[:, 1].numpy()
    return found


def counted_modes(batch: Batch) -> Array:
    """Return (n,) the place in MODES by counting: two tracks or more within the signal cone are three prongs; two
    photons are a pi0 (of one prong: more are two), one photon of at least a GeV, too."""
    of = candidates(batch)
    inside = torch.hypot(of.points[:, 0], of.points[:, 1]) < SIGNAL
    tracks = of.total((inside & (of.charged > 0)).double()).numpy()
    photons = of.total((inside & (of.features[:, 2] > 0) & (of.pt > 1.0)).double()).numpy()
    three = tracks >= 2
    return np.where(three, np.where(photons > 0, 4, 3), np.where(photons > 2, 2, np.where(photons > 0, 1, 0)))
