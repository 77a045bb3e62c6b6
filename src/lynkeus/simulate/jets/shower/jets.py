"""make_jets: jets of the fast generator as the detector sees them, until there are as many as asked for."""

from __future__ import annotations

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.core.errors import SettingsError
from lynkeus.simulate.jets.chunk import Jets
from lynkeus.simulate.jets.classes import CLASSES
from lynkeus.simulate.jets.detector.detect import detect
from lynkeus.simulate.jets.detector.response import Response
from lynkeus.simulate.jets.find_jets import cone_jets
from lynkeus.simulate.jets.four_vectors import eta_of, pt_of
from lynkeus.simulate.jets.settings import WHO, Wanted
from lynkeus.simulate.jets.shower.generate import Truth, Window, generate
from lynkeus.simulate.jets.shower.sudakov import Tune

MARGIN = (0.9, 1.25)  # of the pt that is generated, around what is wanted of the jet
TAU_MARGIN = (1.0, 2.5)  # a tau gives a part to its neutrino
GUESS, LEAST, MOST = 0.45, 16, 2000  # share of jets that pass, at first; the fewest and the most tried at once
HOPELESS = 0.004  # share of jets that pass, below which nobody wants to wait
WITHOUT_HEAVY = ("light", "gluon")


def make_jets(label: Array, wanted: Wanted, tune: Tune, response: Response, rng: np.random.Generator) -> Jets:
    """Return jets of the classes `label` (n,) of `wanted`, whose reconstructed pt is in its range, in that order.

    A jet of a W, Z, H or top has all its prongs within the radius. Raises SettingsError where none passes.
    """
    kept, places = list[Jets](), list[Array]()
    missing = np.arange(len(label))
    passed, tried = np.zeros(len(wanted.classes)), np.zeros(len(wanted.classes))
    while True:
        share = np.where(tried > 0, (passed + 0.5) / (tried + 1.0), GUESS)
        ask = np.bincount(label[missing], minlength=len(share))
        count = np.where(ask > 0, np.ceil(1.1 * ask / share).astype(np.int64) + LEAST, 0)
        count = np.minimum(count, MOST)
        drawn = np.repeat(np.arange(len(share)), count)
        jets, good = _try(drawn, wanted, tune, response, rng)
        tried += count
        passed += np.bincount(drawn[good], minlength=len(share))
        _refuse_hopeless(passed, tried, wanted)
        rows, place = _assign(drawn, good, label, missing)
        kept.append(jets.cut(rows))
        places.append(place)
        missing = np.setdiff1d(missing, place)
        if not len(missing):
            return Jets.join(kept).cut(np.argsort(np.concatenate(places)))


def _refuse_hopeless(passed: Floats, tried: Floats, wanted: Wanted) -> None:
    hopeless = np.flatnonzero((tried >= MOST) & (passed < HOPELESS * tried))
    if len(hopeless):
        raise SettingsError(
            f"{WHO}: of jets of the class {wanted.classes[hopeless[0]]} at pt={wanted.pt[0]:g}-{wanted.pt[1]:g} GeV "
            f"too few are within radius={wanted.radius:g}; take a higher or wider range of pt, or a larger radius"
        )


def _assign(drawn: Array, good: Array, label: Array, missing: Array) -> tuple[Array, Array]:
    """Return which of the jets that were drawn go where something of their class is missing, and to which places."""
    rows, places = [], []
    for kind in np.unique(label[missing]):
        want = missing[label[missing] == kind]
        have = np.flatnonzero(good & (drawn == kind))[: len(want)]
        rows.append(have)
        places.append(want[: len(have)])
    return np.concatenate(rows), np.concatenate(places)


def _try(drawn: Array, wanted: Wanted, tune: Tune, response: Response, rng: np.random.Generator) -> tuple[Jets, Array]:
    """Return a jet of each class `drawn` (n,), and which are as wanted (n,)."""
    count = len(drawn)
    flavour, pt = np.empty(count, np.int64), np.empty(count)
    for kind, name in enumerate(wanted.classes):
        chosen = np.flatnonzero(drawn == kind)
        shares = CLASSES[name].flavours
        weight = np.array(list(shares.values()))
        flavour[chosen] = rng.choice(list(shares), len(chosen), p=weight / weight.sum())
        low, high = TAU_MARGIN if name == "tau" else MARGIN
        pt[chosen] = rng.uniform(low * wanted.pt[0], high * wanted.pt[1], len(chosen))
    window = Window(wanted.pt, wanted.radius)
    particles, truth = generate(flavour, pt, rng.uniform(-wanted.eta, wanted.eta, count), tune, rng, window)
    seen, p = cone_jets(detect(particles, response, rng), truth.eta, truth.phi, wanted.radius)
    inside = (pt_of(p) > wanted.pt[0]) & (pt_of(p) < wanted.pt[1]) & (np.abs(eta_of(p)) < wanted.eta)
    good = inside & truth.fits & _as_called(drawn, truth, wanted.classes)
    return Jets(p, seen, _known(truth)), good


def _as_called(drawn: Array, truth: Truth, classes: tuple[str, ...]) -> Array:
    """Return where (n,) the hadrons of a jet are those of its class, and a tau decayed to hadrons."""
    name = np.array(classes)[drawn]
    bad = (np.isin(name, WITHOUT_HEAVY) & (truth.hadron_flavour > 0)) | ((name == "tau") & (truth.decay_mode < 0))
    bad |= ((name == "c") & (truth.hadron_flavour != 4)) | ((name == "b") & (truth.hadron_flavour != 5))
    return ~bad


def _known(truth: Truth) -> dict[str, Floats]:
    return {
        "truth_flavour": truth.flavour, "truth_hadron_flavour": truth.hadron_flavour,
        "truth_decay_mode": truth.decay_mode, "truth_pt": truth.pt, "truth_b_pt": truth.b_pt,
    }  # fmt: skip
