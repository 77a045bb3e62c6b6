"""Events of Pythia as flat arrays, and what jets are labelled by: partons, decays, hadrons with b or c, taus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.jets.decays.decay import ancestor_of
from lynkeus.simulate.jets.four_vectors import pt_of
from lynkeus.simulate.jets.particles import BEAUTY, CHARM, NEUTRINOS, Particles

HEAVY_PT = 5.0  # GeV, of a hadron that gives a jet its flavour
HARD_STATUS = 23  # what leaves the hard process


@dataclass(frozen=True)
class Record:
    """All entries of n events one after the other: `event` (m,), `pdg`, `status`, first and last `daughter` (m, 2) as
    numbers of entries here (-1: none), `p` (m, 4) GeV, `origin` (m, 3) mm."""

    event: Array
    pdg: Array
    status: Array
    daughter: Array
    p: Floats
    origin: Floats
    events: int

    @property
    def stable(self) -> Particles:
        """Return the particles that are left."""
        rows = np.flatnonzero(self.status > 0)
        return Particles(self.event[rows], self.pdg[rows], self.p[rows], self.origin[rows], np.zeros(len(rows), int))

    def last_copies(self, code: int) -> Array:
        """Return the entries of particles of a code, each where it is itself for the last time."""
        rows = np.flatnonzero(np.abs(self.pdg) == code)
        return rows[~self._continues(rows)]

    def last_of(self, rows: Array) -> Array:
        """Return, of each entry, its last copy."""
        rows, pdg = rows.copy(), self.pdg[rows]
        for _ in range(200):
            first, last = self.daughter[rows].T
            one = np.where((first >= 0) & (self.pdg[first] == pdg), first, rows)
            onward = np.where((one == rows) & (last >= 0) & (self.pdg[last] == pdg), last, one)
            if (onward == rows).all():
                break
            rows = onward
        return rows

    def _continues(self, rows: Array) -> Array:
        first, last = self.daughter[rows].T
        own = self.pdg[rows]
        return ((first >= 0) & (self.pdg[first] == own)) | ((last >= 0) & (self.pdg[last] == own))


def record_of(batch: Any) -> Record:
    """Return a batch of Pythia (`nextBatch`) as arrays."""
    import awkward as ak

    entries = batch.prt
    sizes = np.asarray(ak.num(entries.id))
    start = np.repeat(np.cumsum(sizes) - sizes, sizes)

    def flat(column: Any, missing: float = 0.0) -> Array:
        return np.asarray(ak.to_numpy(ak.fill_none(ak.flatten(column), missing)))

    pair = np.stack([flat(entries.daughter1), flat(entries.daughter2)], axis=1).astype(np.int64)
    pair[:, 1] = np.where(pair[:, 1] > 0, pair[:, 1], pair[:, 0])
    daughter = np.where(pair > 0, pair + start[:, None], -1)
    p = np.stack([flat(entries.p[name]) for name in ("px", "py", "pz", "e")], axis=1)
    origin = np.stack([flat(entries.vProd[name]) for name in ("px", "py", "pz")], axis=1)
    event = np.repeat(np.arange(len(sizes)), sizes)
    return Record(
        event, flat(entries.id).astype(int), flat(entries.status).astype(int), daughter, p, origin, len(sizes)
    )


class Seeds(NamedTuple):
    """n objects that jets are matched to: `event`, `p` (n, 4) GeV, `flavour` (n,), `prongs` (n, k, 4) (k may be 0),
    `decay_mode` (n,) of taus, -1 of others."""

    event: Array
    p: Floats
    flavour: Array
    prongs: Floats
    decay_mode: Array


def partons(record: Record) -> Seeds:
    """Return the quarks and gluons that leave the hard process."""
    code = np.abs(record.pdg)
    rows = np.flatnonzero((np.abs(record.status) == HARD_STATUS) & ((code <= BEAUTY) | (code == 21)))
    none = np.zeros((len(rows), 0, 4))
    return Seeds(record.event[rows], record.p[rows], code[rows], none, np.full(len(rows), -1))


def decaying(record: Record, code: int) -> Seeds:
    """Return the W (24), Z (23), H (25) or tops (6) with their quarks: those that the last copies decay to."""
    rows = record.last_copies(code)
    first, last = record.daughter[rows].T
    if code == 6:
        is_w = np.abs(record.pdg[first]) == 24
        w, other = record.last_of(np.where(is_w, first, last)), np.where(is_w, last, first)
        prongs = np.stack([other, *record.daughter[w].T], axis=1)
    else:
        prongs = np.stack([first, last], axis=1)
    whole = (prongs >= 0).all(axis=1) & (np.abs(record.pdg[prongs]) <= BEAUTY).all(axis=1)
    rows, prongs = rows[whole], prongs[whole]
    return Seeds(record.event[rows], record.p[rows], np.full(len(rows), code), record.p[prongs], np.full(len(rows), -1))


def leptons(record: Record, code: int) -> Seeds:
    """Return prompt electrons, muons or taus; of taus the visible four-vector and the decay mode (-1: to leptons)."""
    rows = record.last_copies(code)
    rows = rows[(record.origin[rows] ** 2).sum(axis=1) < 1e-12]
    p, mode = record.p[rows].copy(), np.full(len(rows), -1)
    if code == 15:
        for k, (first, last) in enumerate(record.daughter[rows].tolist()):
            products = np.arange(first, last + 1)
            pdg = np.abs(record.pdg[products])
            p[k] = record.p[products[~np.isin(pdg, NEUTRINOS)]].sum(axis=0)
            if not np.isin(pdg, (11, 13)).any():
                charged = int(np.isin(pdg, (211, 321)).sum())
                mode[k] = 5 * (charged - 1) + int((pdg == 111).sum()) if charged else -1
    return Seeds(record.event[rows], p, np.full(len(rows), code), np.zeros((len(rows), 0, 4)), mode)


def heavy_hadrons(record: Record) -> Seeds:
    """Return the hadrons with b (flavour 5) or c (4), above a pt, that decay without another one of their kind."""
    kind = ancestor_of(record.pdg)
    rows = np.flatnonzero(
        ((kind == BEAUTY) | (kind == CHARM)) & (pt_of(record.p) > HEAVY_PT) & (np.abs(record.pdg) > 100)
    )
    first, last = record.daughter[rows].T
    same = (kind[np.maximum(first, 0)] == kind[rows]) | (kind[np.maximum(last, 0)] == kind[rows])
    rows = rows[~same]
    return Seeds(record.event[rows], record.p[rows], kind[rows], np.zeros((len(rows), 0, 4)), np.full(len(rows), -1))
