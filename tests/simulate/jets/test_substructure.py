"""Clustering, soft drop and N-subjettiness: closed forms of two and three particles, and FastJet where it is there."""

from __future__ import annotations

import numpy as np
import pytest

from lynkeus.simulate.jets.four_vectors import mass_of, of_pt_eta_phi, pt_of, sums
from lynkeus.simulate.jets.substructure.cluster import cluster
from lynkeus.simulate.jets.substructure.shapes import exclusive_axes, pad, soft_drop_mass, substructure

RADIUS = 0.8


def at(*places: tuple[float, float, float]) -> np.ndarray:
    return of_pt_eta_phi(*np.array(places).T)


def one(p: np.ndarray) -> tuple[float, np.ndarray]:
    mass, tau = substructure(p, np.zeros(len(p), int), 1, RADIUS)
    return mass[0], tau[0]


def test_two_particles_have_their_mass_where_the_softer_has_a_tenth() -> None:
    kept, dropped = at((90, 0.0, 0.0), (11, 0.0, 0.3)), at((95, 0.0, 0.0), (9, 0.0, 0.3))
    assert one(kept)[0] == pytest.approx(np.sqrt(2 * 90 * 11 * (1 - np.cos(0.3))))
    assert one(dropped)[0] == 0.0
    assert one(at((50, 0.0, 0.0)))[0] == 0.0


def test_a_soft_particle_far_away_is_dropped_and_the_pair_kept() -> None:
    pair = at((60, 0.0, 0.0), (40, 0.1, 0.1))
    jet = np.concatenate([pair, at((3, 0.7, 0.0))])
    assert one(jet)[0] == pytest.approx(mass_of(pair.sum(axis=0)[None])[0])


def test_subjettiness_of_points_is_their_distance_to_the_axis() -> None:
    d = 0.2
    _, tau = one(at((50, -d / 2, 0.0), (50, d / 2, 0.0)))
    assert tau[0] == pytest.approx(d / 2 / RADIUS, rel=1e-3)
    assert tau[1:].tolist() == [0, 0, 0]
    _, three = one(at((60, 0.0, 0.0), (30, 0.0, 0.4), (10, 0.0, 0.5)))
    axis = (30 * 0.4 + 10 * 0.5) / 40  # kT joins the two that are near; azimuths add about by pt
    expected = (30 * abs(axis - 0.4) + 10 * abs(axis - 0.5)) / (100 * RADIUS)
    assert three[1] == pytest.approx(expected, rel=0.02)
    assert three[2] == 0


def test_the_edge_of_azimuth_is_none() -> None:
    here, there = at((60, 0.3, 0.2), (40, 0.1, -0.2)), at((60, 0.3, np.pi - 0.2), (40, 0.1, -np.pi + 0.2))
    assert one(here)[0] == pytest.approx(one(there)[0])
    np.testing.assert_allclose(one(here)[1], one(there)[1], atol=1e-9)


def random_jets(jets: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 40, jets)
    owner = np.repeat(np.arange(jets), sizes)
    n = len(owner)
    p = of_pt_eta_phi(rng.exponential(5, n) + 0.5, rng.normal(0, 0.3, n), rng.normal(3.0, 0.3, n), 0.14)
    return p, owner


@pytest.mark.parametrize("power", [0, 1])
def test_clustering_keeps_the_sum_and_every_particle(power: int) -> None:
    p, owner = random_jets()
    sizes = np.bincount(owner)
    padded, real = pad(p, np.cumsum(sizes) - sizes, sizes)
    history = cluster(padded, real, power)
    width, rows = real.shape[1], np.arange(len(sizes))
    assert history.merges.tolist() == (sizes - 1).tolist()
    last = np.where(sizes > 1, width + sizes - 2, 0)
    np.testing.assert_allclose(history.p[rows, last], sums(p, owner, len(sizes)), rtol=1e-9, atol=1e-9)
    for k, size in enumerate(sizes):
        used = history.parents[k, : size - 1].reshape(-1).tolist()
        assert sorted(used) == [*range(size), *range(width, width + size - 2)][: 2 * (size - 1)]


def test_a_jet_does_not_hang_on_those_beside_it() -> None:
    p, owner = random_jets()
    mass, tau = substructure(p, owner, 60, RADIUS)
    for k in (0, 7, 31):
        alone, shape = one(p[owner == k])
        assert alone == pytest.approx(mass[k], rel=1e-6)
        np.testing.assert_allclose(shape, tau[k], rtol=1e-6, atol=1e-9)


@pytest.mark.filterwarnings("ignore:dcut and exclusive jets")  # FastJet says so of kT, too
def test_fastjet_finds_the_same() -> None:
    fastjet, ak = pytest.importorskip("fastjet"), pytest.importorskip("awkward")
    p, owner = random_jets(40, seed=1)
    sizes = np.bincount(owner)
    many = sizes > 3
    names = dict(zip(("px", "py", "pz", "E"), p.T, strict=True))
    jets = ak.unflatten(ak.zip(names, with_name="Momentum4D"), sizes)[many]
    padded, real = pad(p, (np.cumsum(sizes) - sizes)[many], sizes[many])
    angle = fastjet.ClusterSequence(jets, fastjet.JetDefinition(fastjet.cambridge_algorithm, 1000.0))
    groomed = angle.exclusive_jets_softdrop_grooming(njets=1, beta=0.0, symmetry_cut=0.1, R0=RADIUS)
    mine = soft_drop_mass(cluster(padded, real, 0), real.shape[1], RADIUS)
    theirs = ak.to_numpy(groomed.msoftdrop).ravel()
    np.testing.assert_allclose(mine[mine > 0], theirs[mine > 0], rtol=1e-6)
    assert (theirs[mine == 0] < 0.2).all()  # one particle is left
    kt = fastjet.ClusterSequence(jets, fastjet.JetDefinition(fastjet.kt_algorithm, 1000.0))
    history = cluster(padded, real, 1)
    three = kt.exclusive_jets(n_jets=3)
    axes = exclusive_axes(history, real.shape[1], 3)
    for k in range(int(many.sum())):
        found = np.sort(pt_of(history.p[k, axes[k]]))
        expected = np.sort(np.hypot(ak.to_numpy(three.px[k]), ak.to_numpy(three.py[k])))
        np.testing.assert_allclose(found, expected, rtol=1e-6)
