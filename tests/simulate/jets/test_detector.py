"""The parametric detector: resolutions, efficiencies and thresholds are those of its closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from lynkeus.simulate.jets.detector.detect import detect
from lynkeus.simulate.jets.detector.response import Response
from lynkeus.simulate.jets.detector.seen import (
    CHARGED_HADRON,
    ELECTRON,
    MUON,
    NEUTRAL_HADRON,
    PHOTON,
    Seen,
)
from lynkeus.simulate.jets.detector.tracks import impact_parameters
from lynkeus.simulate.jets.detector.vertices import find_vertices
from lynkeus.simulate.jets.four_vectors import eta_of, of_pt_eta_phi, pt_of
from lynkeus.simulate.jets.particles import Particles

N = 20_000
EXACT = Response(tail=0.0)


def see(pdg: int, pt: float, eta: float = 0.3, origin: tuple[float, float, float] = (0, 0, 0), **more: float) -> Seen:
    """N particles, each in an event of its own."""
    rng, many = np.random.default_rng(0), np.ones(N)
    mass = {211: 0.13957, 13: 0.10566, 11: 0.000511, 130: 0.4976}.get(abs(pdg), 0.0)
    p = of_pt_eta_phi(pt * many, eta * many, rng.uniform(-np.pi, np.pi, N), mass * many)
    owner = np.arange(N)
    particles = Particles(owner, np.full(N, pdg), p, np.tile(np.array(origin, float), (N, 1)), np.zeros(N, int))
    return detect(particles, Response(**({"tail": 0.0} | more)), rng)


def tracks(seen: Seen) -> Seen:
    return seen.cut(seen.charge != 0)


def binomial(share: float) -> float:
    return 5 * np.sqrt(share * (1 - share) / N) + 1e-9


@pytest.mark.parametrize(("pt", "eta"), [(1.0, 0.0), (5.0, 1.8), (50.0, 0.5)])
def test_efficiency_and_resolution_of_tracks(pt: float, eta: float) -> None:
    found = tracks(see(211, pt, eta))
    share = float(EXACT.efficiency(np.array([pt]), np.array([eta]), np.zeros(1))[0])
    assert len(found) / N == pytest.approx(share, abs=binomial(share))
    curvature = pt / pt_of(found.p) - 1
    expected = float(EXACT.pt_resolution(np.array([pt]), np.array([eta]))[0])
    assert curvature.std() == pytest.approx(expected, rel=0.05)
    assert abs(curvature.mean()) < 5 * expected / np.sqrt(N)
    assert (eta_of(found.p) - eta).std() == pytest.approx(float(EXACT.angle_resolution(np.array([pt]))[0]), rel=0.05)
    for k, error in ((0, EXACT.d0_error), (2, EXACT.dz_error)):
        pull = found.impact[:, k] / found.impact[:, k + 1]
        assert found.impact[0, k + 1] == pytest.approx(float(error(np.array([pt]), np.array([eta]))[0]))
        assert pull.std() == pytest.approx(1.0, rel=0.05)


def test_what_data_do_otherwise_shows() -> None:
    usual, other = tracks(see(211, 5.0)), tracks(see(211, 5.0, tracking=0.9, d0_scale=1.3))
    assert len(other) / len(usual) == pytest.approx(0.9, abs=0.02)
    pull = other.impact[:, 0] / other.impact[:, 1]
    assert pull.std() == pytest.approx(1.3, rel=0.05)  # the errors that are quoted do not know of it
    tails = tracks(see(211, 5.0, tail=0.1))
    assert (np.abs(tails.impact[:, 0] / tails.impact[:, 1]) > 4).mean() == pytest.approx(0.1 * 0.253, abs=0.006)


def test_impact_parameters_have_the_sign_and_size_of_the_geometry() -> None:
    p = of_pt_eta_phi(np.array([10.0, 10.0]), np.array([0.0, 1.0]), np.array([0.0, np.pi / 2]))
    d0, dz = impact_parameters(p, np.array([[5.0, 0.2, 0.0], [0.2, 5.0, 1.0]]))
    np.testing.assert_allclose(d0, [0.2, -0.2], atol=1e-12)
    np.testing.assert_allclose(dz, [0.0, 1.0 - 5.0 * np.sinh(1.0)], atol=1e-9)
    late = tracks(see(211, 5.0, origin=(150.0, 0.0, 0.0)))
    assert len(late) / N == pytest.approx(0.5 * 0.97, abs=0.02)  # half way to where no track begins


@pytest.mark.parametrize(("pdg", "energy", "kind"), [(22, 20.0, PHOTON), (130, 40.0, NEUTRAL_HADRON)])
def test_towers_have_the_resolution_of_their_calorimeter(pdg: int, energy: float, kind: int) -> None:
    found = see(pdg, energy / np.cosh(0.3))
    assert set(np.unique(found.kind).tolist()) == {kind}
    sigma = EXACT.photon_resolution if kind == PHOTON else EXACT.hadron_resolution
    scale = np.sqrt(energy**2 + (0.4976**2 if pdg == 130 else 0))
    assert found.p[:, 3].std() / scale == pytest.approx(float(sigma(np.array([scale]))[0]), rel=0.05)
    assert found.p[:, 3].mean() == pytest.approx(scale, rel=0.01)
    assert not found.impact.any()


def test_thresholds_neutrinos_and_the_ends_of_the_detector() -> None:
    assert len(see(12, 50.0)) == 0
    assert len(see(22, 0.2)) < 0.02 * N
    assert len(tracks(see(211, 0.4))) == 0
    assert len(tracks(see(211, 10.0, eta=2.7))) == 0
    assert len(see(211, 10.0, eta=2.7)) > 0.9 * N  # the calorimeter sees it
    assert len(see(22, 10.0, eta=3.5)) == 0
    lost = see(211, 20.0)
    assert len(lost) == pytest.approx(N, abs=0.02 * N)  # what has no track is a tower
    assert (lost.kind == NEUTRAL_HADRON).mean() == pytest.approx(0.03, abs=0.01)


def test_leptons_are_identified_and_hadrons_seldom_taken_for_them() -> None:
    for pdg, kind, share in ((11, ELECTRON, 0.92), (-13, MUON, 0.96), (211, CHARGED_HADRON, 0.994)):
        found = tracks(see(pdg, 20.0))
        assert (found.kind == kind).mean() == pytest.approx(share, abs=0.01)
        assert set(found.charge.tolist()) == {{11: -1, -13: 1, 211: 1}[pdg]}
    assert (tracks(see(211, 20.0)).kind == ELECTRON).mean() == pytest.approx(0.004, abs=0.002)


def test_photons_of_one_cell_are_one_tower() -> None:
    p = of_pt_eta_phi(np.array([10.0, 5.0, 7.0]), np.array([0.001, 0.002, 1.0]), np.array([0.001, 0.002, 1.0]))
    particles = Particles(np.zeros(3, int), np.full(3, 22), p, np.zeros((3, 3)), np.zeros(3, int))
    found = detect(particles, EXACT, np.random.default_rng(0))
    assert len(found) == 2
    assert sorted(found.p[:, 3].round(-1).tolist()) == [10, 20]


def vertex_tracks(place: np.ndarray, count: int, jets: int) -> tuple[Seen, np.ndarray]:
    """Tracks from a place in each jet along x, and as many from the collision."""
    rng = np.random.default_rng(3)
    many = jets * count
    p = of_pt_eta_phi(rng.uniform(3, 10, 2 * many), rng.normal(0, 0.2, 2 * many), rng.normal(0, 0.2, 2 * many), 0.14)
    origin = np.zeros((2 * many, 3))
    origin[:many] = place
    owner = np.tile(np.repeat(np.arange(jets), count), 2)
    particles = Particles(owner, np.full(2 * many, 211), p, origin, np.zeros(2 * many, int))
    seen = detect(particles, Response(tail=0.0, tracking=1.03), rng)
    seen = seen.cut(np.argsort(seen.owner, kind="stable"))
    return seen, np.tile([100.0, 0.0, 0.0, 100.0], (jets, 1))


def test_a_vertex_is_found_where_it_is() -> None:
    place = np.array([4.0, 0.0, 0.0])
    values, found = find_vertices(*vertex_tracks(place, 4, 200))
    assert (found > 0).mean() > 0.9
    first = values[(np.cumsum(found) - found)[found > 0]]
    dxy, significance, d3d = first[:, 5], first[:, 6], first[:, 7]
    assert np.median(dxy) == pytest.approx(4.0, abs=0.1)
    assert np.median(d3d) == pytest.approx(4.0, abs=0.1)
    pull = (dxy - 4.0) * significance / dxy
    assert np.percentile(np.abs(pull), 68) == pytest.approx(1.0, abs=0.35)
    assert np.median(first[:, 9]) > 0.95  # it flies where its tracks go
    assert np.median(first[:, 4]) >= 2
    assert np.isfinite(values).all()


def test_none_is_found_at_the_collision_or_behind_it() -> None:
    _, none = find_vertices(*vertex_tracks(np.zeros(3), 4, 200))
    assert (none > 0).mean() < 0.03
    _, behind = find_vertices(*vertex_tracks(np.array([-4.0, 0.0, 0.0]), 4, 200))
    assert (behind > 0).mean() < 0.1
    seen, jets = vertex_tracks(np.zeros(3), 2, 3)
    values, empty = find_vertices(seen.cut(np.zeros(len(seen), bool)), jets)
    assert values.shape == (0, 10)
    assert empty.tolist() == [0, 0, 0]
