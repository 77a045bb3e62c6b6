"""From Pythia's record to the columns of the search: the detector, jets, the lepton, tags, tracks."""

from __future__ import annotations

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.jets.detector.detect import detect
from lynkeus.simulate.jets.detector.response import Response
from lynkeus.simulate.jets.detector.seen import ELECTRON, MUON, Seen
from lynkeus.simulate.jets.four_vectors import eta_of, mass_of, phi_of, pt_of, sums, wrapped
from lynkeus.simulate.jets.pythia.anti_kt import anti_kt
from lynkeus.simulate.jets.pythia.events import Record, heavy_hadrons
from lynkeus.simulate.search.one_lepton import detector as fast
from lynkeus.simulate.search.one_lepton.mt2 import mt2
from lynkeus.simulate.search.one_lepton.pythia.slha import NEUTRALINO

RADIUS, JET_LEAST = 0.4, 20.0
ISOLATION_CONE, ISOLATION = 0.3, 0.15  # pt of other tracks in a cone around a lepton, over its own
MATCH, TOP_MASS, TOP_WINDOW = 0.3, 172.5, 25.0  # GeV
JEC = 0.03  # one sigma of the energies of jets


def observe(record: Record, scale: float, rng: np.random.Generator) -> tuple[dict[str, Floats], Array]:
    """Return the columns (events,) of a record, and which events (events,) are selected."""
    stable = record.stable
    seen = detect(stable.cut(np.abs(stable.pdg) != NEUTRALINO), Response(), rng)
    lepton, lost, second = _leptons(seen, record.events)
    others = np.ones(len(seen), bool)
    others[lepton[lepton >= 0]] = False
    _, p, event = anti_kt(seen.cut(others), record.events, RADIUS, JET_LEAST)
    found = dict[str, Floats]()
    selected = np.zeros(record.events, bool)
    chance = rng.random((3, len(p)))
    for name, factor in (("", 1.0), ("_jec_up", 1 + JEC), ("_jec_down", 1 - JEC)):
        own, good = _columns(seen, p * scale * factor, event, lepton, (record, chance), p)
        found |= {f"{key}{name}": column for key, column in own.items()}
        if not name:
            selected = good & ~second
    w = decaying_w(record)
    tracks = _tracks(seen, lost, lepton, found["_mx"], found["_my"], selected)
    return {k: v for k, v in (found | tracks).items() if not k.startswith("_")} | {
        "truth_w_pt": w, "truth_recoil": np.zeros(record.events)}, selected  # fmt: skip


def decaying_w(record: Record) -> Floats:
    """Return (events,) the transverse momentum of the hardest W."""
    rows = record.last_copies(24)
    found = np.zeros(record.events)
    np.maximum.at(found, record.event[rows], pt_of(record.p[rows]))
    return found


def _leptons(seen: Seen, events: int) -> tuple[Array, Array, Array]:
    """Return the number of the lepton of each event (-1: none), which tracks (n,) may be lost leptons or taus, and
    whether there is a second lepton (events,)."""
    pt, eta, phi = pt_of(seen.p), eta_of(seen.p), phi_of(seen.p)
    charged = seen.charge != 0
    candidates = np.flatnonzero(charged & (pt > fast.TRACK_PT) & (np.abs(eta) < fast.LEPTON_ETA))
    order = np.argsort(seen.owner, kind="stable")
    start = np.searchsorted(seen.owner[order], np.arange(events + 1))
    isolated = np.zeros(len(seen), bool)
    for k in candidates.tolist():
        near = order[start[seen.owner[k]] : start[seen.owner[k] + 1]]
        away = np.hypot(eta[near] - eta[k], wrapped(phi[near] - phi[k]))
        beside = (away < ISOLATION_CONE) & (near != k) & charged[near]
        isolated[k] = pt[near][beside].sum() < ISOLATION * pt[k]
    is_lepton = np.isin(seen.kind, (ELECTRON, MUON)) & isolated
    hard = is_lepton & (pt > fast.LEPTON_PT)
    lepton = np.full(events, -1)
    rows = np.flatnonzero(hard)
    rows = rows[np.argsort(pt[rows])]
    lepton[seen.owner[rows]] = rows
    count = np.bincount(seen.owner[is_lepton & (pt > fast.VETO_PT)], minlength=events)
    lost = isolated.copy()
    lost[lepton[lepton >= 0]] = False
    return lepton, lost, count > 1


def _columns(
    seen: Seen, p: Floats, event: Array, lepton: Array, drawn: tuple[Record, Floats], raw: Floats
) -> tuple[dict[str, Floats], Array]:
    record, chance = drawn
    events, there = record.events, lepton >= 0
    own = np.where(there[:, None], seen.p[np.maximum(lepton, 0)], 0.0)
    pt, eta = pt_of(p), eta_of(p)
    good = (pt > fast.JET_PT) & (np.abs(eta) < fast.JET_ETA)
    # Missing momentum: of everything that is seen, and of what the scale of jets adds.
    total = sums(seen.p, seen.owner, events) + sums(p - raw, event, events)
    missing = -total[:, :2]
    met, lepton_pt, w = np.hypot(*missing.T), pt_of(own), missing + own[:, :2]
    cosine = (own[:, :2] * missing).sum(axis=1) / np.maximum(lepton_pt * met, 1e-9)
    ht, n_jet = np.bincount(event[good], pt[good], events), np.bincount(event[good], minlength=events)
    first, next_one = _hardest(pt, event, good, events)
    tagged = good & (chance[0] < _tag_chance(record, p, event))
    lt = lepton_pt + met
    columns = {
        "met": met, "mt": np.sqrt(np.maximum(2 * lepton_pt * met * (1 - cosine), 0.0)), "lt": lt, "ht": ht,
        "dphi_w_l": np.abs(wrapped(np.arctan2(w[:, 1], w[:, 0]) - phi_of(own))), "lepton_pt": lepton_pt,
        "lepton_eta": eta_of(own), "n_jet": n_jet.astype(float),
        "n_b": np.bincount(event[tagged], minlength=events).astype(float),
        "n_top": _tops(p, event, good & ~tagged, good & tagged, events), "jet1_pt": first, "jet2_pt": next_one,
        "_mx": missing[:, 0], "_my": missing[:, 1],
    }  # fmt: skip
    selected = there & (ht > fast.LEAST_HT) & (lt > fast.LEAST_LT) & (n_jet >= fast.LEAST_JETS)
    return columns, selected


def _hardest(pt: Floats, event: Array, good: Array, events: int) -> tuple[Floats, Floats]:
    found = np.zeros((events, 2))
    rows = np.flatnonzero(good)
    for k in rows[np.argsort(pt[rows])].tolist():
        found[event[k]] = pt[k], found[event[k], 0]
    return found[:, 0], found[:, 1]


def _tag_chance(record: Record, p: Floats, event: Array) -> Floats:
    """Return the chance of a b tag of each jet, by the heaviest hadron within its cone."""
    hadrons, flavour = heavy_hadrons(record), np.ones(len(p), int)
    order = np.argsort(event, kind="stable")
    start = np.searchsorted(event[order], np.arange(record.events + 1))
    eta, phi = eta_of(p), phi_of(p)
    for k, own in enumerate(hadrons.event.tolist()):
        jets = order[start[own] : start[own + 1]]
        here = hadrons.p[k : k + 1]
        away = np.hypot(eta[jets] - eta_of(here), wrapped(phi[jets] - phi_of(here)))
        if len(jets) and away.min() < MATCH:
            at = jets[np.argmin(away)]
            flavour[at] = max(flavour[at], int(hadrons.flavour[k]))
    return fast._tag_chance(flavour, pt_of(p))


def _tops(p: Floats, event: Array, light: Array, tagged: Array, events: int) -> Floats:
    """Return how many b jets have two others with which they make about the mass of a top, each jet used once."""
    found = np.zeros(events)
    for number in np.unique(event[tagged]).tolist():
        free = np.flatnonzero(light & (event == number)).tolist()
        for b in np.flatnonzero(tagged & (event == number)).tolist():
            pairs = [(i, j) for n, i in enumerate(free) for j in free[n + 1 :]]
            if not pairs:
                break
            mass = mass_of(np.array([p[b] + p[i] + p[j] for i, j in pairs]))
            best = int(np.argmin(np.abs(mass - TOP_MASS)))
            if abs(mass[best] - TOP_MASS) < TOP_WINDOW:
                found[number] += 1
                free = [one for one in free if one not in pairs[best]]
    return found


def _tracks(seen: Seen, lost: Array, lepton: Array, mx: Floats, my: Floats, selected: Array) -> dict[str, Floats]:
    events, pt = len(lepton), pt_of(seen.p)
    rows = np.flatnonzero(lost)
    best = np.full(events, -1)
    best[seen.owner[rows[np.argsort(pt[rows])]]] = rows[np.argsort(pt[rows])]
    there = best >= 0
    value, asked = np.zeros(events), there & selected
    missing = np.stack([mx, my], axis=1)
    value[asked] = mt2(seen.p[lepton[asked], :2], seen.p[best[asked], :2], missing[asked])
    return {
        "n_iso_track": np.bincount(seen.owner[rows], minlength=events).astype(float),
        "iso_track_pt": np.where(there, pt[np.maximum(best, 0)], 0.0), "iso_track_mt2": value,
    }  # fmt: skip
