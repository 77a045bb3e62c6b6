"""Classes of jets that can be asked for, and what each is made of."""

from __future__ import annotations

from typing import NamedTuple


class JetClass(NamedTuple):
    """`flavours`: code of the parton (or particle) that the jet comes from -> share; `large`: wants R = 0.8; what it
    `is` in words."""

    flavours: dict[int, float]
    large: bool
    what: str


LIGHT = {1: 1.0, 2: 2.0, 3: 0.5}
CLASSES: dict[str, JetClass] = {
    "qcd": JetClass({21: 0.47, 2: 0.3, 1: 0.15, 3: 0.03, 4: 0.03, 5: 0.02}, True, "a parton of any flavour"),
    "top": JetClass({6: 1.0}, True, "t -> b q q'"),
    "w": JetClass({24: 1.0}, True, "W -> q q'"),
    "z": JetClass({23: 1.0}, True, "Z -> q qbar"),
    "higgs": JetClass({25: 1.0}, True, "H -> b bbar"),
    "light": JetClass(LIGHT, False, "u, d or s, without a b or c hadron"),
    "gluon": JetClass({21: 1.0}, False, "a gluon, without a b or c hadron"),
    "c": JetClass({4: 1.0}, False, "with a c hadron and no b hadron"),
    "b": JetClass({5: 1.0}, False, "with a b hadron"),
    "tau": JetClass({15: 1.0}, False, "a tau that decays to hadrons"),
    "electron": JetClass({11: 1.0}, False, "a prompt electron"),
    "muon": JetClass({13: 1.0}, False, "a prompt muon"),
}
RADIUS_LARGE, RADIUS_SMALL = 0.8, 0.4
TAU_MODES = {0: "h", 1: "h pi0", 2: "h 2pi0", 10: "3h", 11: "3h pi0"}
