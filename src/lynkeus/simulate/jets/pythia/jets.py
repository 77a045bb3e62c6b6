"""make_jets: jets of Pythia as the detector sees them, until there are as many of each class as asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
PATIENCE = 20_000  # events without a jet of a class


@dataclass(frozen=True)
class Asked:
    """What is `wanted`, the `response` of the detector, and `more` settings of Pythia, a line each."""

    wanted: Wanted
    response: Response
    more: tuple[str, ...] = ()


def make_jets(label: Array, asked: Asked, seed: tuple[int, ...]) -> Jets:
    """Return jets of the classes `label` (n,) of what is wanted, in that order, from a seed.

    Classes of one process are taken from the same events, in the order in which they come. Raises SettingsError where
    Pythia is not installed, or gives no such jet.
    """
    classes = asked.wanted.classes
    parts, places = list[Jets](), list[Array]()
    for number, name in enumerate(dict.fromkeys(OF_CLASS[one] for one in classes)):
        missing = {k: np.flatnonzero(label == k) for k, one in enumerate(classes) if OF_CLASS[one] == name}
        tried = 0
        for jets, events in _jets_of(name, asked, (*seed, number), missing):
            tried += events
            for k, rows in missing.items():
                good = np.flatnonzero(_is(jets, classes[k]))[: len(rows)]
                parts.append(jets.cut(good))
                places.append(rows[: len(good)])
                missing[k] = rows[len(good) :]
            lacking = [classes[k] for k, rows in missing.items() if len(rows)]
            if not lacking:
                break
            if tried > PATIENCE and all(len(part) == 0 for part in parts):
                raise SettingsError(
                    f"{WHO}: {PATIENCE} collisions have no jet of the class {lacking[0]} at pt={asked.wanted.pt[0]:g}-"
                    f"{asked.wanted.pt[1]:g} GeV within radius={asked.wanted.radius:g}; take a higher or wider range of "
                    "pt, or a larger radius"
                )
    return Jets.join(parts).cut(np.argsort(np.concatenate(places), kind="stable"))


def _jets_of(name: str, asked: Asked, seed: tuple[int, ...], missing: dict[int, Array]) -> Iterator[tuple[Jets, int]]:
    """Yield jets that are matched in a process, and of how many events they are, as long as some are missing."""
    process = PROCESSES[name]
    rng = np.random.default_rng(seed)
    if not any(len(rows) for rows in missing.values()):
        return
    pythia = begin(settings_of(process, asked.wanted, int(rng.integers(1, 900_000_000)), asked.more))
    while True:
        left = max(len(rows) for rows in missing.values())
        events = int(np.clip(1.2 * left / process.jets, LEAST, MOST))
        record = record_of(pythia.nextBatch(events))
        yield _matched(record, process.particle, asked, rng), events


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
    known = {
        "truth_flavour": seeds.flavour[seed], "truth_hadron_flavour": flavour,
        "truth_decay_mode": seeds.decay_mode[seed], "truth_pt": pt_of(seeds.p[seed]), "truth_b_pt": b_pt,
    } if len(seeds.event) else {}  # fmt: skip
    return Jets(p, seen, known).cut(rows)


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
