"""What taggers of flavour read of a jet: charged and neutral particles, vertices and the jet as a whole, in order.

Quantities of DeepJet (arXiv:2008.10519) and DeepCSV (arXiv:1712.07158) as far as JetClass columns say them; there is
no track fit quality, no PUPPI weight and no calorimeter share. Impact parameters have the sign of a lifetime: positive
where the track crosses the axis of the jet in front of the collision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lynkeus.core import Batch, Floats, Group, Packed
from lynkeus.transforms.jets.columns import named_columns

Array = npt.NDArray[Any]

CHARGED = (
    "log_pt", "pt_share", "deta", "dphi", "dr", "pt_rel", "along_share", "sip2d", "sip2d_sig", "dz", "dz_sig",
    "sip3d_sig", "jet_distance", "dr_vertex", "is_electron", "is_muon",
)  # fmt: skip
NEUTRAL = ("log_pt", "pt_share", "deta", "dphi", "dr", "dr_vertex", "is_photon")
VERTICES = (
    "log_pt", "pt_share", "dr", "mass", "tracks", "dxy", "dxy_sig", "d3d", "d3d_sig", "cos_angle", "energy_share",
)  # fmt: skip
WHOLE = (
    "log_pt", "eta", "charged", "neutral", "vertices", "track_pt_share", "track_dr", "vertex_category",
    "sip2d_sig_above_charm", "displaced", "leptons",
)  # fmt: skip
GROUPS = {"charged": CHARGED, "neutral": NEUTRAL, "vertices": VERTICES, "global": WHOLE}
PARTICLE = (
    "part_px", "part_py", "part_pz", "part_energy", "part_deta", "part_dphi", "part_charge", "part_d0val", "part_d0err",
    "part_dzval", "part_dzerr", "part_isPhoton", "part_isElectron", "part_isMuon",
)  # fmt: skip
VERTEX = (
    "sv_pt", "sv_mass", "sv_ntracks", "sv_dxy", "sv_dxysig", "sv_d3d", "sv_d3dsig", "sv_costhetasvpv", "sv_deta",
    "sv_dphi",
)  # fmt: skip
WHO = "a tagger of flavour"
SMALL, LEAST_ERROR = 1e-6, 1e-4
CHARM_GEV, DISPLACED = 1.5, 2.0  # mass up to which displaced tracks may be of charm; significance of a displaced track
MICROMETRES_50 = 0.05  # in mm: about the error of a soft track, up to which asinh is linear
FAR = 0.8  # from a vertex where a jet has none
MOST_SIGNIFICANT = 200.0  # significances are compressed as asinh; beyond this nothing more is learned


def flavour_groups(batch: Batch) -> Packed:
    """Return the groups "charged", "neutral", "vertices" and "global" (one row a jet), features as in GROUPS.

    Charged particles come by falling significance of their signed impact parameter, neutral ones by pT, vertices by
    falling significance of their distance. Significances are asinh, as are lengths in units of
    50 micrometres. Missing numbers: see
    `named_columns`. Raises SchemaError where the
    batch lacks a column of particles; without vertices there are none.
    """
    jets = _Jets(batch)
    charged, neutral = jets.charged(), jets.neutral()
    groups = {"charged": charged, "neutral": neutral, "vertices": jets.vertices()}
    groups["global"] = Group.of_lengths(jets.whole(groups), np.ones(len(batch), np.int64))
    return Packed(groups)


class _Jets:
    """The particles and vertices of a batch, with what is known of their jets."""

    def __init__(self, batch: Batch) -> None:
        self.count = len(batch)
        self.part, self.jet = named_columns(batch, "particles", PARTICLE, WHO)
        self.vertex, self.vertex_jet = named_columns(batch, "vertices", VERTEX, WHO)
        p = self.part
        self.pt = np.hypot(p["part_px"], p["part_py"])
        momentum = np.stack([p[f"part_{axis}"] for axis in ("px", "py", "pz")], axis=1)
        self.total = np.zeros((self.count, 3))
        np.add.at(self.total, self.jet, momentum)
        self.jet_pt = np.maximum(np.hypot(self.total[:, 0], self.total[:, 1]), SMALL)
        self.jet_energy = np.maximum(self._sum(p["part_energy"]), SMALL)
        length = np.maximum(np.linalg.norm(self.total, axis=1), SMALL)
        axis = (self.total / length[:, None])[self.jet]
        self.along = (momentum * axis).sum(axis=1)
        self.across = np.linalg.norm(momentum - self.along[:, None] * axis, axis=1)
        self.jet_p = length
        self.is_charged = p["part_charge"] != 0
        self.dr = np.hypot(p["part_deta"], p["part_dphi"])
        sign = np.where(p["part_d0val"] * np.sin(p["part_dphi"]) <= 0, 1.0, -1.0)
        self.d0 = np.abs(p["part_d0val"]) * sign
        self.significance = _significance(self.d0, p["part_d0err"]) * self.is_charged

    def _sum(self, values: Floats) -> Floats:
        return np.asarray(np.bincount(self.jet, values, self.count), float)

    def _sorted(self, values: Floats, chosen: Array, jet: Array, falling: Floats) -> Group:
        """Return rows of a mask as a group, each jet's by falling order."""
        rows = np.flatnonzero(chosen)
        rows = rows[np.lexsort((-falling[rows], jet[rows]))]
        return Group.of_lengths(values[rows].astype(np.float32), np.bincount(jet[rows], minlength=self.count))

    def charged(self) -> Group:
        """Tracks."""
        p, share = self.part, self.pt / self.jet_pt[self.jet]
        dz_sig = _significance(p["part_dzval"], p["part_dzerr"])
        both = np.sign(self.significance) * np.hypot(self.significance, dz_sig)
        # How far the track passes from the axis of the jet: what of d0 is across it.
        beside = np.abs(self.d0) * np.abs(np.cos(p["part_dphi"]))
        values = np.stack(
            [np.log(np.maximum(self.pt, SMALL)), share, p["part_deta"], p["part_dphi"], self.dr, self.across,
             self.along / self.jet_p[self.jet], _length(self.d0), _squeezed(self.significance),
             _length(p["part_dzval"]), _squeezed(dz_sig), _squeezed(both), _length(beside), self._to_vertex(),
             p["part_isElectron"], p["part_isMuon"]], axis=1
        )  # fmt: skip
        return self._sorted(values, self.is_charged, self.jet, self.significance)

    def neutral(self) -> Group:
        """Neutral particles."""
        p, share = self.part, self.pt / self.jet_pt[self.jet]
        values = np.stack(
            [np.log(np.maximum(self.pt, SMALL)), share, p["part_deta"], p["part_dphi"], self.dr, self._to_vertex(),
             p["part_isPhoton"]], axis=1
        )  # fmt: skip
        return self._sorted(values, ~self.is_charged, self.jet, self.pt)

    def _to_vertex(self) -> Floats:
        """Return the distance of each particle to the nearest vertex of its jet in eta and phi, FAR without one."""
        found = np.full(len(self.jet), FAR)
        first = np.searchsorted(self.vertex_jet, np.arange(self.count))
        many = np.bincount(self.vertex_jet, minlength=self.count)
        for place in range(int(many.max(initial=0))):
            rows = np.flatnonzero(many[self.jet] > place)
            at = first[self.jet[rows]] + place
            away = self.part["part_deta"][rows] - self.vertex["sv_deta"][at]
            aside = self.part["part_dphi"][rows] - self.vertex["sv_dphi"][at]
            found[rows] = np.minimum(found[rows], np.hypot(away, aside))
        return found

    def vertices(self) -> Group:
        """Secondary vertices."""
        v, jet = self.vertex, self.vertex_jet
        energy = np.hypot(v["sv_pt"] * np.cosh(v["sv_deta"]), v["sv_mass"])
        values = np.stack(
            [np.log(np.maximum(v["sv_pt"], SMALL)), v["sv_pt"] / self.jet_pt[jet], np.hypot(v["sv_deta"], v["sv_dphi"]),
             v["sv_mass"], v["sv_ntracks"], _length(v["sv_dxy"]), _squeezed(v["sv_dxysig"]), _length(v["sv_d3d"]),
             _squeezed(v["sv_d3dsig"]), v["sv_costhetasvpv"], energy / self.jet_p[jet]], axis=1
        ) if len(jet) else np.zeros((0, len(VERTICES)))  # fmt: skip
        return self._sorted(values, np.ones(len(jet), bool), jet, v["sv_dxysig"])

    def whole(self, groups: dict[str, Group]) -> Array:
        """Return (n, WHOLE): the jet, and tagging variables of DeepCSV."""
        many = {name: group.lengths.astype(float) for name, group in groups.items()}
        track_pt = self._sum(self.pt * self.is_charged)
        track_dr = self._sum(self.pt * self.dr * self.is_charged) / np.maximum(track_pt, SMALL)
        displaced = self._sum((self.significance > DISPLACED) * 1.0)
        # A vertex; displaced tracks without one; neither.
        category = np.where(many["vertices"] > 0, 0.0, np.where(displaced >= 2, 1.0, 2.0))
        leptons = self._sum(self.part["part_isElectron"] + self.part["part_isMuon"])
        eta = np.arcsinh(self.total[:, 2] / self.jet_pt)
        found = [
            np.log(self.jet_pt), eta, many["charged"], many["neutral"], many["vertices"], track_pt / self.jet_pt,
            track_dr, category, _squeezed(self._above_charm()), displaced, leptons,
        ]  # fmt: skip
        return np.stack(found, axis=1).astype(np.float32)

    def _above_charm(self) -> Floats:
        """Return (n,) the significance of the track at which tracks, the most significant first, together have more
        mass than a hadron with charm; 0 where they never do."""
        rows = np.flatnonzero(self.is_charged)
        rows = rows[np.lexsort((-self.significance[rows], self.jet[rows]))]
        jet = self.jet[rows]
        four = np.stack([self.part[f"part_{name}"][rows] for name in ("px", "py", "pz", "energy")], axis=1)
        summed = np.cumsum(four, axis=0)
        first = np.searchsorted(jet, np.arange(self.count))
        before = np.concatenate([np.zeros((1, 4)), summed])[first]
        own = summed - before[jet]
        square = own[:, 3] ** 2 - (own[:, :3] ** 2).sum(axis=1)
        above = np.flatnonzero(square > CHARM_GEV**2)
        found = np.zeros(self.count)
        found[jet[above][::-1]] = self.significance[rows[above]][::-1]  # the first one of each jet is written last
        return found


def _significance(value: Floats, error: Floats) -> Floats:
    return value / np.maximum(error, LEAST_ERROR)


def _length(value: Floats) -> Floats:
    return np.arcsinh(value / MICROMETRES_50)


def _squeezed(significance: Floats) -> Floats:
    return np.arcsinh(np.clip(significance, -MOST_SIGNIFICANT, MOST_SIGNIFICANT))
