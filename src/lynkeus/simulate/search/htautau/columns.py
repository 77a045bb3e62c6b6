"""Names, processes, final states and yields of pairs of taus; columns from what a detector sees of an event."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.search.htautau.mass import pair_mass

PROCESSES = ("ggh", "qqh", "ztt", "tt", "wjets", "fakes")
CHANNELS = ("em", "et", "mt", "tt")  # e mu, e tau, mu tau, tau tau
COLUMNS = (
    "m_vis", "m_sv", "pt_1", "pt_2", "pt_tt", "ptvis", "mt_1", "met", "njets", "nbtag", "mjj", "jdeta", "dijetpt",
    "jpt_1", "jpt_2", "bpt_1",
)  # fmt: skip
UNITS = ("GeV",) * 8 + ("", "", "GeV", "", "GeV", "GeV", "GeV", "GeV")
# Least transverse momenta of both, and whether each is a tau that decays to hadrons.
THRESHOLDS = {"em": (24.0, 13.0), "et": (26.0, 30.0), "mt": (22.0, 30.0), "tt": (40.0, 40.0)}
HADRONIC = {"em": (False, False), "et": (False, True), "mt": (False, True), "tt": (True, True)}
# Events in 36/fb: the order of magnitude of a loose selection, by hand; nothing is measured of them.
YIELDS = {
    "em": (130, 20, 28_000, 22_000, 2_500, 9_000), "et": (190, 28, 26_000, 4_500, 17_000, 12_000),
    "mt": (340, 50, 55_000, 8_000, 33_000, 17_000), "tt": (120, 22, 9_500, 900, 1_100, 17_000),
}  # fmt: skip
JET_PT, JET_ETA = 30.0, 4.7


@dataclass(frozen=True)
class Seen:
    """n events: both visible decays `first`, `second` (n, 4) as px, py, pz, E in GeV, missing momentum `met` (n, 2) and
    its resolution (n,), `jets` (n, j, 4) of which those that are not there are zero, `beauty` (n, j): tagged."""

    first: Floats
    second: Floats
    met: Floats
    resolution: Floats
    jets: Floats
    beauty: Array

    def cut(self, rows: Array) -> Seen:
        """Return the events of these numbers."""
        return Seen(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def columns_of(seen: Seen, hadronic: tuple[bool, bool]) -> Floats:
    """Return (n, COLUMNS); of jets that are not there 0."""
    both, met = seen.first + seen.second, seen.met
    pt_1, pt_2 = (np.hypot(one[:, 0], one[:, 1]) for one in (seen.first, seen.second))
    size = np.hypot(met[:, 0], met[:, 1])
    along = (seen.first[:, :2] * met).sum(axis=1)
    mt_1 = np.sqrt(np.maximum(2 * (pt_1 * size - along), 0.0))
    jet_pt = np.hypot(seen.jets[..., 0], seen.jets[..., 1])
    order = np.argsort(-jet_pt, axis=1)
    jets, jet_pt = np.take_along_axis(seen.jets, order[..., None], 1), np.take_along_axis(jet_pt, order, 1)
    beauty = np.take_along_axis(seen.beauty, order, 1) & (jet_pt > JET_PT)
    there = jet_pt > JET_PT
    eta = np.arcsinh(jets[..., 2] / np.maximum(jet_pt, 1e-9))
    two, pair = there[:, 1], jets[:, 0] + jets[:, 1]
    tagged = np.where(beauty, jet_pt, 0.0).max(axis=1)
    columns = (
        mass(both), pair_mass(seen.first, seen.second, met, seen.resolution, hadronic), pt_1, pt_2,
        np.hypot(*(both[:, :2] + met).T), np.hypot(both[:, 0], both[:, 1]), mt_1, size, there.sum(axis=1),
        beauty.sum(axis=1), np.where(two, mass(pair), 0.0), np.where(two, np.abs(eta[:, 0] - eta[:, 1]), 0.0),
        np.where(two, np.hypot(pair[:, 0], pair[:, 1]), 0.0), np.where(there[:, 0], jet_pt[:, 0], 0.0),
        np.where(two, jet_pt[:, 1], 0.0), tagged,
    )  # fmt: skip
    return np.stack(columns, axis=1).astype(float)


def mass(p: Floats) -> Floats:
    """Return the invariant mass of (..., 4)."""
    return np.asarray(np.sqrt(np.maximum(p[..., 3] ** 2 - (p[..., :3] ** 2).sum(axis=-1), 0.0)))
