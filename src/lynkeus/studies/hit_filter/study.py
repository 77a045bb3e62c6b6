"""Noise hits of a TPC: who removes most at a loss of 5 % of the signal, and what becomes of the tracks."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import numpy as np

from lynkeus.core import Case, Check, Comparison, Floats, Part
from lynkeus.simulate.tpc.hits.source import NAMES, TpcHits
from lynkeus.sources.hits.prepared import PreparedHits
from lynkeus.studies.hit_filter.look import FilterLook

TRAIN, TEST, OTHER = 60, 60, 10  # events
SMOKE_TRAIN, SMOKE_TEST, SMOKE_OTHER = 16, 8, 4
FLIPS = 0.02  # of the labels, besides the mistakes of the tracker
METHODS = ("trees", "dense", "convolutional")
LESS = "hit_filter trees at 2 %"
CHANGES: dict[str, dict[str, Any]] = {
    "noise of cells 25 % up": {"electronic": 1.5},
    "twice as many bursts, sparks and hot pads": {"noise": 2.0},
    "half of the field": {"field": 0.6},
    "another chamber": {"detector": 1},
}


def hit_filter(smoke: bool = False) -> Comparison:
    """How much noise is removed at the stated loss, by which method, and do tracks survive?"""
    train, test, other = (SMOKE_TRAIN, SMOKE_TEST, SMOKE_OTHER) if smoke else (TRAIN, TEST, OTHER)
    labelled = PreparedHits(TpcHits(events=train, flips=FLIPS, seed=1), "on_track")
    later = TpcHits(events=test, flips=FLIPS, seed=2)
    known = PreparedHits(later, scales=labelled.scales, near=True)
    options: dict[str, Any] = {"trees": 60, "training": {"epochs": 2}} if smoke else {}
    methods = METHODS[:2] if smoke else METHODS
    changes = dict(list(CHANGES.items())[:1]) if smoke else CHANGES
    others = {name: TpcHits(events=other, seed=3, **what) for name, what in changes.items()}
    look = FilterLook(later, others, labelled.scales)
    part = Part(
        {"later events": Case(labelled, known)},
        {f"hit_filter {method}": {"method": method, **options} for method in methods}
        | {LESS: {"method": "trees", "signal_loss": 0.02, **options}},
        ("track", "noise"),
        {"little charge": little_charge, "narrow in time": narrow},
        groups="event",
        look=look,
        data=f"simulated events of a TPC, {train} to learn from with the labels of a tracker ({100 * FLIPS:g} % of "
        f"them turned over besides its own mistakes), {test} later ones with truth",
    )
    return Comparison("hit_filter", QUESTION, {"hits": part}, _checks("smoke" if smoke else "full"))


QUESTION = (
    "Hits of a time projection chamber that are noise are to be removed before tracking. What is noise is learned from "
    "what a tracker made of other events, mistakes and all. At a stated loss of 5 % of the signal: how much is lost, "
    "how much of the noise is removed, and what becomes of the tracks? The chamber, its events, the noise and the "
    "tracker are simulated (`sim://tpc_hits`); no data of NA61/SHINE are public."
)


def little_charge(good: Floats, test: Floats) -> Floats:
    """Return minus the charge (m,) of test samples."""
    return -test[:, NAMES.index("charge")].astype(float)


def narrow(good: Floats, test: Floats) -> Floats:
    """Return by how much the width in time (m,) is off that of good samples, in their spread."""
    column = NAMES.index("time_width")
    return np.abs(test[:, column] - np.median(good[:, column])).astype(float)


def _checks(which: str) -> tuple[Check, ...]:
    """Bounds from `expected.json`, beside this file."""
    bounds = json.loads(resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8"))[which]
    return tuple(Check(metric, bound.get("at_least"), bound.get("at_most")) for metric, bound in bounds.items())
