"""make_jets: jets of Pythia as the detector sees them, until there are as many of each class as asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lynkeus.core.batch import Array
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.jets.chunk import Jets
from lynkeus.simulate.jets.detector.detect import detect
from lynkeus.simulate.jets.detector.response import Response
from lynkeus.simulate.jets.four_vectors import eta_of, pt_of
from lynkeus.simulate.jets.pythia.anti_kt import anti_kt
from lynkeus.simulate.jets.pythia.events import Record, Seeds, decaying, heavy_hadrons, leptons, partons, record_of
from lynkeus.simulate.jets.pythia.match import leading, nearest, reach
from lynkeus.simulate.jets.pythia.processes import OF_CLASS, PROCESSES, begin, settings_of
from lynkeus.simulate.jets.settings import WHO, Wanted

MATCH, HADRON_MATCH = 0.3, 0.3  # distance of a parton or lepton from a jet of R = 0.4, and of a hadron
LEAST, MOST = 20, 400  # events that are asked for at once
PATIENCE, HOPELESS = 2000, 0.004  # events, and jets an event below which nobody wants to wait


@dataclass(frozen=True)
class Asked:
    """What is `wanted`, the `response` of the detector, and `more` settings of Pythia, a line each."""

    wanted: Wanted
    response: Response
    more: tuple[str, ...] = ()


def make_jets(label: Array, asked: Asked, seed: tuple[int, ...]) -> Jets:
    """Return jets of the classes `label` (n,) of what is wanted, in that order, from a seed.

    Raises SettingsError where Pythia is not installed, or next to no collision gives such a jet.
    """
    parts, places = list[Jets](), list[Array]()
    for k, name in enumerate(asked.wanted.classes):
        rows = np.flatnonzero(label == k)
        if len(rows):
            parts.append(_of_class(name, len(rows), asked, (*seed, k)))
            places.append(rows)
    return Jets.join(parts).cut(np.argsort(np.concatenate(places)))


def _of_class(name: str, count: int, asked: Asked, seed: tuple[int, ...]) -> Jets:
    """Return so many jets of a class, in the order in which they come."""
    process, rng = PROCESSES[OF_CLASS[name]], np.random.default_rng(seed)
    pythia = begin(settings_of(process, asked.wanted, int(rng.integers(1, 900_000_000)), asked.more))
    found, have, tried = list[Jets](), 0, 0
    while have < count:
        events = int(np.clip(1.2 * (count - have) / process.jets, LEAST, MOST))
        jets = _matched(record_of(pythia.nextBatch(events)), process.particle, asked, rng)
        jets = jets.cut(np.flatnonzero(_is(jets, name))[: count - have])
        found.append(jets)
        have, tried = have + len(jets), tried + events
        if have < count and tried >= PATIENCE and have < HOPELESS * tried:
            low, high = asked.wanted.pt
            raise SettingsError(
                f"{WHO}: {tried} collisions have {have} jets of the class {name} at pt={low:g}-{high:g} GeV within "
                f"radius={asked.wanted.radius:g}; take a higher or wider range of pt, or a larger radius"
            )
    return Jets.join(found)


def _matched(record: Record, particle: int, asked: Asked, rng: np.random.Generator) -> Jets:
    """Return the jets of events that are where they should be and what is known of them by matching."""
    wanted = asked.wanted
    seen, p, event = anti_kt(detect(record.stable, asked.response, rng), record.events, wanted.radius, wanted.pt[0])
    seeds = _seeds(record, particle)
    order = np.argsort(seeds.event, kind="stable")
    seeds = Seeds(*(column[order] for column in seeds))
    large = bool(seeds.prongs.shape[1])
    seed = nearest(p, event, seeds, wanted.radius if large else MATCH)
    good = (seed >= 0) & (pt_of(p) < wanted.pt[1]) & (np.abs(eta_of(p)) < wanted.eta)
    rows = np.flatnonzero(good)
    rows = rows[reach(p[rows], seeds.prongs[seed[rows]]) < wanted.radius]
    hadrons = heavy_hadrons(record)
    order = np.argsort(hadrons.event, kind="stable")
    hadrons = Seeds(*(column[order] for column in hadrons))
    flavour, b_pt = leading(p, event, hadrons, max(HADRON_MATCH, 0.75 * wanted.radius))
    jets, own = Jets(p, seen, {"truth_hadron_flavour": flavour, "truth_b_pt": b_pt}).cut(rows), seed[rows]
    more = {"truth_flavour": seeds.flavour[own], "truth_decay_mode": seeds.decay_mode[own]}
    return replace(jets, known={**jets.known, **more, "truth_pt": pt_of(seeds.p[own])})


def _seeds(record: Record, particle: int) -> Seeds:
    if not particle:
        return partons(record)
    return leptons(record, particle) if particle in (11, 13, 15) else decaying(record, particle)


def _is(jets: Jets, name: str) -> Array:
    """Return which jets (n,) of the process of a class are of that class."""
    flavour, hadron = jets.known["truth_flavour"], jets.known["truth_hadron_flavour"]
    if name == "light":
        return (flavour < 4) & (hadron == 0)
    if name == "gluon":
        return (flavour == 21) & (hadron == 0)
    if name in ("b", "c"):
        return hadron == {"b": 5, "c": 4}[name]
    if name == "tau":
        return np.asarray(jets.known["truth_decay_mode"] >= 0)
    return np.ones(len(jets), bool)
