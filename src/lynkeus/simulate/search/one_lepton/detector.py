"""What a parametric detector makes of partons: jets, b tags, resolved tops, one lepton, isolated tracks, missing pt.

Partons are jets here, and one jet where they are closer than a radius: what anti-kT would make of them. Numbers are
chosen so that each column is spread as that of engine=pythia (docs/explanations/search_simulator.md compares them).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.jets.four_vectors import wrapped
from lynkeus.simulate.search.one_lepton.decays import BEAUTY, CHARM, TAU_JET, Partons
from lynkeus.simulate.search.one_lepton.mt2 import mt2

JET_PT, JET_ETA, SEEN_ETA = 30.0, 2.4, 4.7
LEPTON_PT, VETO_PT, TRACK_PT, LEPTON_ETA = 25.0, 10.0, 10.0, 2.4
LEPTON_EFFICIENCY, VETO_EFFICIENCY, TRACK_EFFICIENCY = 0.85, 0.92, 0.25
TAU_TRACK = 0.25  # chance that a tau of one prong leaves an isolated track
SOFT = 22.0  # GeV of what is in no jet, each way
TAIL, TAIL_SCALE = 0.05, 3.0  # share of jets that are measured much worse
RADIUS, ROUNDS = 0.4, 5  # within which partons are one jet, and how many are joined at most
FAKE_TRACK = 0.05  # chance of an isolated track that is no lepton and no tau, and its mean transverse momentum
FAKE_TRACK_PT = 12.0  # GeV above the least
TAG = {BEAUTY: 0.68, CHARM: 0.12}
MISTAG, TAU_TAG = 0.01, 0.03
TOP_TAG, TOP_MISTAG = 0.27, 0.012  # of a top whose three jets are seen; of each pair of jets beside a b tag
LEAST_HT, LEAST_LT, LEAST_JETS = 500.0, 300.0, 3


@dataclass(frozen=True)
class Shaken:
    """Chance of what was measured, drawn once, so that another energy scale changes the same events: `response`
    (n, j) of jets, `tag` (n, j), `soft` (n, 2), `lepton` (n, l, 3), `top` (n, tops), `fake_top`
    (n,), `track` (n, l), `fake_track` (n, 3): whether there is one, its size and its direction."""

    response: Floats
    tag: Floats
    soft: Floats
    lepton: Floats
    top: Floats
    fake_top: Floats
    track: Floats
    fake_track: Floats

    @classmethod
    def of(cls, made: Partons, rng: np.random.Generator) -> Shaken:
        """Draw it for these events."""
        count, jets = made.flavour.shape
        leptons, tops = made.leptons.shape[1], int(made.top.max(initial=0))
        pt = np.hypot(made.jets[..., 0], made.jets[..., 1])
        width = np.sqrt((0.85**2) / np.maximum(pt, 5.0) + 0.05**2)
        width = width * np.where(rng.random(pt.shape) < TAIL, TAIL_SCALE, 1.0)
        response = np.clip(1.0 + width * rng.standard_normal(pt.shape), 0.1, 3.0)
        return cls(
            response, rng.random((count, jets)), rng.normal(0, SOFT, (count, 2)), rng.random((count, leptons, 3)),
            rng.random((count, max(tops, 1))), np.asarray(rng.random(count)), rng.random((count, leptons)),
            rng.random((count, 3)),
        )  # fmt: skip

    def cut(self, rows: Array) -> Shaken:
        """Return that of the events of these numbers."""
        return Shaken(*(getattr(self, one.name)[rows] for one in fields(self)))


def measure(made: Partons, chance: Shaken, scale: float = 1.0, tracks: bool = True) -> tuple[dict[str, Floats], Array]:
    """Return the columns of the events (n,) each, and which of them (n,) are selected: one lepton, no other, LT and HT
    and jets above what is asked; `scale` of the jets' energies. Isolated tracks take longest: `tracks` False leaves
    them out."""
    jets = made.jets * (chance.response * scale)[..., None]
    pt, eta = _pt_eta(jets)
    lepton, lost, veto = _leptons(made, chance)
    in_sight = (made.flavour > 0) & (np.abs(eta) < SEEN_ETA)
    seen = (jets[..., :2] * in_sight[..., None]).sum(axis=1) + made.leptons[..., :2].sum(axis=1)
    # Joined jets have no more HT than their parts: only events that have enough are worth it.
    whole = np.flatnonzero(np.where(in_sight, pt, 0.0).sum(axis=1) > LEAST_HT)
    jets, flavour, top = joined(jets, made.flavour, made.top, whole)
    pt, eta = _pt_eta(jets)
    good = (flavour > 0) & (pt > JET_PT) & (np.abs(eta) < JET_ETA)
    missing = -seen + chance.soft
    met, w = np.hypot(*missing.T), missing + lepton[:, :2]
    lepton_pt = np.hypot(lepton[:, 0], lepton[:, 1])
    cosine = (lepton[:, :2] * missing).sum(axis=1) / np.maximum(lepton_pt * met, 1e-9)
    ordered = -np.sort(-np.where(good, pt, 0.0), axis=1)
    n_jet, ht, lt = good.sum(axis=1), np.where(good, pt, 0.0).sum(axis=1), lepton_pt + met
    tagged = good & (chance.tag < _tag_chance(flavour, pt))
    columns = {
        "met": met, "mt": np.sqrt(np.maximum(2 * lepton_pt * met * (1 - cosine), 0.0)), "lt": lt, "ht": ht,
        "dphi_w_l": np.abs(wrapped(np.arctan2(w[:, 1], w[:, 0]) - np.arctan2(lepton[:, 1], lepton[:, 0]))),
        "lepton_pt": lepton_pt, "lepton_eta": np.arcsinh(lepton[:, 2] / np.maximum(lepton_pt, 1e-9)), "n_jet": n_jet,
        "n_b": tagged.sum(axis=1), "n_top": _tops(top, chance, good, np.where(tagged.any(axis=1), n_jet, 0)),
        "jet1_pt": ordered[:, 0], "jet2_pt": ordered[:, 1],
    }  # fmt: skip
    selected = (lepton_pt > LEPTON_PT) & ~veto & (ht > LEAST_HT) & (lt > LEAST_LT) & (n_jet >= LEAST_JETS)
    return columns | (_tracks(made, chance, lost, lepton, missing, selected) if tracks else {}), selected


def joined(jets: Floats, flavour: Array, top: Array, rows: Array) -> tuple[Floats, Array, Array]:
    """Return jets (n, j, 4), their flavour and their top (n, j), with those of the events `rows` that are closer than
    RADIUS joined, the closest first; a top that shares a jet is not resolved."""
    jets, flavour, top = jets.copy(), flavour.copy(), top.copy()
    for _ in range(ROUNDS):
        (_, eta), phi = _pt_eta(jets[rows]), np.arctan2(jets[rows, :, 1], jets[rows, :, 0])
        apart = (eta[:, :, None] - eta[:, None]) ** 2 + wrapped(phi[:, :, None] - phi[:, None]) ** 2
        there = flavour[rows] > 0
        both = np.triu(np.ones(apart.shape[1:], bool), 1) & there[:, :, None] & there[:, None]
        flat = np.where(both, apart, np.inf).reshape(len(rows), -1)
        closest = flat.argmin(axis=1)
        near = flat[np.arange(len(rows)), closest] < RADIUS**2
        rows = rows[near]
        if not len(rows):
            break
        one, other = np.divmod(closest[near], jets.shape[1])
        jets[rows, one] += jets[rows, other]
        jets[rows, other] = 0.0
        flavour[rows, one] = np.maximum(flavour[rows, one], flavour[rows, other])
        flavour[rows, other] = top[rows, one] = top[rows, other] = 0
    return jets, flavour, top


def _pt_eta(p: Floats) -> tuple[Floats, Floats]:
    pt = np.hypot(p[..., 0], p[..., 1])
    return pt, np.arcsinh(p[..., 2] / np.maximum(pt, 1e-9))


def _leptons(made: Partons, chance: Shaken) -> tuple[Floats, Array, Array]:
    """Return the lepton (n, 4) that is found, which others (n, l) leave a track only, and whether there is a second
    lepton (n,) that is seen."""
    pt, eta = _pt_eta(made.leptons)
    inside = np.abs(eta) < LEPTON_ETA
    found = (pt > LEPTON_PT) & inside & (chance.lepton[..., 0] < LEPTON_EFFICIENCY)
    first = np.argmax(np.where(found, pt, -1.0), axis=1) if found.shape[1] else np.zeros(len(made), int)
    rows = np.arange(len(made))
    own = np.zeros_like(found)
    own[rows, first] = found[rows, first]
    veto = ~own & (pt > VETO_PT) & inside & (found | (chance.lepton[..., 1] < VETO_EFFICIENCY))
    lost = ~own & (pt > TRACK_PT) & inside & (chance.track < TRACK_EFFICIENCY)
    return np.where(own[rows, first][:, None], made.leptons[rows, first], 0.0), lost, np.asarray(veto.any(axis=1))


def _tag_chance(flavour: Array, pt: Floats) -> Floats:
    """Return the chance of a b tag, lower for very soft and very hard jets."""
    shape = np.clip(1.0 - np.exp(-pt / 35.0), 0.0, 1.0) * np.clip(1.15 - pt / 2500.0, 0.4, 1.0)
    base = np.full(flavour.shape, MISTAG)
    for code, chance in (*TAG.items(), (TAU_JET, TAU_TAG)):
        base[flavour == code] = chance
    return base * shape


def _tops(top: Array, chance: Shaken, good: Array, n_jet: Array) -> Floats:
    """Return how many resolved tops are found, by their three jets or by others."""
    found = np.zeros(len(top))
    for k in range(min(int(top.max(initial=0)), chance.top.shape[1])):
        whole = (good & (top == k + 1)).sum(axis=1) == 3
        found += whole & (chance.top[:, k] < TOP_TAG)
    return found + (chance.fake_top < TOP_MISTAG * n_jet * (n_jet - 1) / 2)


def _tracks(
    made: Partons, chance: Shaken, lost: Array, lepton: Floats, missing: Floats, selected: Array
) -> dict[str, Floats]:
    """Return number, transverse momentum and MT2 with the lepton of isolated tracks: leptons that were lost, taus of
    one prong, which are jets as well, and what is neither; 0 where there is none."""
    pt, _ = _pt_eta(made.leptons)
    tau_pt = np.hypot(made.jets[..., 0], made.jets[..., 1])
    taus = (made.flavour == TAU_JET) & (tau_pt > 2 * TRACK_PT) & (chance.tag > 1 - TAU_TRACK)
    there, size, angle = chance.fake_track.T
    fake = np.where(there < FAKE_TRACK, TRACK_PT - FAKE_TRACK_PT * np.log(np.maximum(size, 1e-9)), 0.0)
    around = 2 * np.pi * angle
    direction = np.stack([np.cos(around), np.sin(around), np.zeros(len(made)), np.ones(len(made))], axis=1)
    every = np.concatenate([made.leptons, made.jets, direction[:, None]], axis=1)
    chosen = np.concatenate([np.where(lost, pt, 0.0), np.where(taus, 0.6 * tau_pt, 0.0), fake[:, None]], axis=1)
    at, rows = np.argmax(chosen, axis=1), np.arange(len(made))
    track_pt = chosen[rows, at]
    size = np.hypot(every[rows, at, 0], every[rows, at, 1])
    track = every[rows, at, :2] * (track_pt / np.maximum(size, 1e-9))[:, None]
    value = np.zeros(len(made))
    asked = selected & (track_pt > 0)
    value[asked] = mt2(lepton[asked, :2], track[asked], missing[asked])
    return {"n_iso_track": (chosen > 0).sum(axis=1).astype(float), "iso_track_pt": track_pt, "iso_track_mt2": value}
