"""detect: what the parametric detector sees of particles."""

from __future__ import annotations

import numpy as np

from lynkeus.simulate.jets.detector.response import Response
from lynkeus.simulate.jets.detector.seen import Seen
from lynkeus.simulate.jets.detector.towers import measure_towers
from lynkeus.simulate.jets.detector.tracks import charge_of, track
from lynkeus.simulate.jets.particles import Particles


def detect(particles: Particles, response: Response, rng: np.random.Generator) -> Seen:
    """Return tracks and towers of stable particles; a charged particle without a track is seen by the calorimeters.

    As particle flow would have it: what has a track adds nothing to towers.
    """
    charge = charge_of(particles.pdg)
    charged = np.flatnonzero(charge)
    tracks, found = track(particles.cut(charged), charge[charged], response, rng)
    without = np.ones(len(particles), bool)
    without[charged[found]] = False
    return Seen.join([tracks, measure_towers(particles.cut(without), response, rng)])
