"""Partons of many events at once: tops and W to quarks, leptons and neutrinos; momentum is conserved at each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Self

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.simulate.jets.four_vectors import two_body
from lynkeus.simulate.search.one_lepton.columns import W

HADRONS, LEPTON, TAU_LEPTON, TAU_HADRONS = range(
    4
)  # what a W decays to: quarks, e or mu, tau to e or mu, tau to hadrons
W_SHARES = (0.674, 0.217, 0.038, 0.071)
TAU_LEPTON_SHARE, TAU_VISIBLE = (1.7, 3.2), (3.0, 2.0)  # beta distributions of the share of energy that is seen
ONE_PRONG = 0.77
NONE, LIGHT, CHARM, BEAUTY, TAU_JET = 0, 1, 4, 5, 15  # flavours of a jet


@dataclass(frozen=True)
class Partons:
    """n events: `jets` (n, j, 4) GeV with `flavour` (n, j) (0: there is none) and `top` (n, j), the number of the
    hadronic top that a jet is of, from 1; `leptons` (n, l, 4), all zero where there is none; `unseen` (n, 4), the sum
    of neutrinos and neutralinos; `w_pt` (n,) of the hardest leptonic W, `recoil` (n,) of the initial state."""

    jets: Floats
    flavour: Array
    top: Array
    leptons: Floats
    unseen: Floats
    w_pt: Floats
    recoil: Floats = field(default_factory=lambda: np.zeros(0))

    def __len__(self) -> int:
        return len(self.jets)

    def total(self) -> Floats:
        """Return (n, 4) the sum of everything."""
        found: Floats = self.jets.sum(axis=1) + self.leptons.sum(axis=1) + self.unseen
        return found

    def cut(self, rows: Array) -> Self:
        """Return the events of these numbers."""
        columns = (getattr(self, one.name) for one in fields(self))
        return type(self)(*(column[rows] if len(column) else column for column in columns))

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Return several parts of the same events together; tops are numbered on."""
        first = np.cumsum([0, *(int(part.top.max(initial=0)) for part in parts[:-1])])
        tops = [np.where(part.top > 0, part.top + start, 0) for part, start in zip(parts, first, strict=True)]
        return cls(
            np.concatenate([part.jets for part in parts], axis=1),
            np.concatenate([part.flavour for part in parts], axis=1),
            np.concatenate(tops, axis=1),
            np.concatenate([part.leptons for part in parts], axis=1),
            np.sum([part.unseen for part in parts], axis=0),
            np.max([part.w_pt for part in parts], axis=0),
        )


def only_jets(p: Floats, flavour: Array) -> Partons:
    """Return jets (n, j, 4) as events without leptons."""
    count = len(p)
    return Partons(
        p, flavour, np.zeros(flavour.shape, int), np.zeros((count, 0, 4)), np.zeros((count, 4)), np.zeros(count)
    )


def decay_w(w: Floats, mode: Array, rng: np.random.Generator, top: bool = False) -> Partons:
    """Return the products of W (n, 4): two jets, or a lepton, or a jet of a tau, and what is not seen."""
    count = len(w)
    zero = np.zeros(count)
    one, two = two_body(w, (zero, zero), rng.uniform(-1, 1, count), rng.uniform(-np.pi, np.pi, count))
    hadrons, tau_jet = mode == HADRONS, mode == TAU_HADRONS
    share = np.ones(count)
    share[mode == TAU_LEPTON] = rng.beta(*TAU_LEPTON_SHARE, size=int((mode == TAU_LEPTON).sum()))
    share[tau_jet] = rng.beta(*TAU_VISIBLE, size=int(tau_jet.sum()))
    seen = one * share[:, None]
    jets = np.stack([np.where((hadrons | tau_jet)[:, None], seen, 0.0), np.where(hadrons[:, None], two, 0.0)], axis=1)
    charm = np.where(rng.random(count) < 0.5, CHARM, LIGHT)
    flavour = np.stack(
        [np.where(hadrons, charm, np.where(tau_jet, TAU_JET, NONE)), np.where(hadrons, LIGHT, NONE)], axis=1
    )
    lepton = np.where((hadrons | tau_jet)[:, None], 0.0, seen)
    unseen = np.where(hadrons[:, None], 0.0, two + one - seen)
    own_top = np.where(hadrons[:, None] & top, 1, 0) * np.ones((1, 2), int)
    w_pt = np.where(hadrons, 0.0, np.hypot(w[:, 0], w[:, 1]))
    return Partons(jets, flavour, own_top, lepton[:, None], unseen, w_pt)


def decay_top(top: Floats, mode: Array, rng: np.random.Generator) -> Partons:
    """Return the products of tops (n, 4) whose W decay by `mode` (n,)."""
    count = len(top)
    w, b = two_body(
        top, (np.full(count, W), np.zeros(count)), rng.uniform(-1, 1, count), rng.uniform(-np.pi, np.pi, count)
    )
    from_w = decay_w(w, mode, rng, top=True)
    of_top = np.where(mode == HADRONS, 1, 0)[:, None]
    return Partons(
        np.concatenate([b[:, None], from_w.jets], axis=1),
        np.concatenate([np.full((count, 1), BEAUTY), from_w.flavour], axis=1),
        np.concatenate([of_top, from_w.top], axis=1), from_w.leptons, from_w.unseen, from_w.w_pt,
    )  # fmt: skip
