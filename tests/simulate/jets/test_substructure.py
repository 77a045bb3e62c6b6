"""Soft-drop mass and N-subjettiness that jets are made with: closed forms of two and three particles."""

from __future__ import annotations

import numpy as np
import pytest

from lynkeus.simulate.jets.four_vectors import mass_of, of_pt_eta_phi
from lynkeus.transforms.jets.four_vectors import FourVectors
from lynkeus.transforms.jets.observables import groomed_mass_and_subjettiness

RADIUS = 0.8


def at(*places: tuple[float, float, float]) -> np.ndarray:
    return of_pt_eta_phi(*np.array(places).T)


def of(*jets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.concatenate([[0], np.cumsum([len(jet) for jet in jets])])
    values = np.concatenate(jets)
    return groomed_mass_and_subjettiness(FourVectors(values, offsets, np.arange(len(values))), RADIUS)


def one(p: np.ndarray) -> tuple[float, np.ndarray]:
    mass, tau = of(p)
    return mass[0], tau[0]


def test_two_particles_have_their_mass_where_the_softer_has_a_tenth() -> None:
    kept, dropped = at((90, 0.0, 0.0), (11, 0.0, 0.3)), at((95, 0.0, 0.0), (9, 0.0, 0.3))
    assert one(kept)[0] == pytest.approx(np.sqrt(2 * 90 * 11 * (1 - np.cos(0.3))))
    assert one(dropped)[0] == pytest.approx(0.0, abs=1e-3)
    assert one(at((50, 0.0, 0.0)))[0] == pytest.approx(0.0, abs=1e-3)


def test_a_soft_particle_far_away_is_dropped_and_the_pair_kept() -> None:
    pair = at((60, 0.0, 0.0), (40, 0.1, 0.1))
    jet = np.concatenate([pair, at((3, 0.7, 0.0))])
    assert one(jet)[0] == pytest.approx(mass_of(pair.sum(axis=0)[None])[0])


def test_subjettiness_of_points_is_their_distance_to_the_axes() -> None:
    """The axis of two particles is the harder one (winner-take-all)."""
    _, two = one(at((50.1, -0.1, 0.0), (49.9, 0.1, 0.0)))
    assert two[0] == pytest.approx(0.499 * 0.2 / RADIUS, rel=1e-3)
    assert two[1:].tolist() == [0, 0, 0]
    _, three = one(at((60, 0.0, 0.0), (30, 0.0, 0.4), (10, 0.0, 0.5)))
    np.testing.assert_allclose(three, [(0.3 * 0.4 + 0.1 * 0.5) / RADIUS, 0.1 * 0.1 / RADIUS, 0, 0], rtol=1e-5)


def test_neither_the_edge_of_azimuth_nor_other_jets_matter() -> None:
    here, there = at((60, 0.3, 0.2), (40, 0.1, -0.2)), at((60, 0.3, np.pi - 0.2), (40, 0.1, -np.pi + 0.2))
    mass, tau = of(here, np.zeros((0, 4)), at((5, 0, 0), (4, 0, 0.1), (3, 0.2, 0)), there)
    assert mass[[0, 3]] == pytest.approx(one(here)[0])
    np.testing.assert_allclose(tau[0], tau[3], atol=1e-6)
    np.testing.assert_allclose(tau[0], one(here)[1], atol=1e-6)
    assert mass[1] == 0
    assert not tau[1].any()
