"""Events of hits: circles of the right radius, diffusion that grows with the root of the drift, charges, and a tracker
that finds tracks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lynkeus.core import Batch, SettingsError, concatenate
from lynkeus.metrics.rates import auroc
from lynkeus.simulate.tpc.hits.charge import deposit, ionise
from lynkeus.simulate.tpc.hits.clusters import digitise, find_clusters
from lynkeus.simulate.tpc.hits.momentum import fitted_momentum
from lynkeus.simulate.tpc.hits.noise import NoiseRates, electronic, hot_pads
from lynkeus.simulate.tpc.hits.source import SCALARS, TpcHits
from lynkeus.simulate.tpc.hits.tracker import find_tracks
from lynkeus.simulate.tpc.hits.tracks import Crossings, Tracks, crossings, draw_tracks
from lynkeus.simulate.tpc.hits.volume import Volume

VOLUME = Volume()


@pytest.fixture(scope="module")
def hits() -> Batch:
    """Three events with labels of which three in a hundred are turned over."""
    return concatenate(list(TpcHits(events=3, flips=0.03, seed=4)))


def row_charges(drift_mm: float, many: int = 300) -> Crossings:
    """Straight tracks that cross one row each, far apart from one another in time to come."""
    flat = np.zeros(many)
    x = np.random.default_rng(1).uniform(300, 340, many)
    return Crossings(np.arange(many), np.full(many, 10), x, flat + drift_mm, flat, flat, flat + 1.0)


@pytest.mark.parametrize("momentum", [0.9, 1.5, 4.0])
def test_the_radius_is_the_momentum_over_the_field(momentum: float) -> None:
    one = np.ones(1)
    tracks = Tracks(momentum * one, -one, 0.1 * one, 0.05 * one, one)
    found = crossings(VOLUME, tracks, np.array([320.0, 300.0]))
    z = VOLUME.target_mm + VOLUME.pitch_mm * found.row
    # Circle through three points (Menger curvature).
    a, b, c = (np.array([z[k], found.x_mm[k]]) for k in (0, len(z) // 2, -1))
    sides = [np.linalg.norm(p - q) for p, q in ((a, b), (b, c), (a, c))]
    area = 0.5 * abs((b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0])
    radius_mm = np.prod(sides) / (4 * area)
    assert radius_mm == pytest.approx(1000 * momentum / (0.299792458 * VOLUME.field_t), rel=1e-3)
    assert fitted_momentum(VOLUME, found.row, found.x_mm / VOLUME.pad_mm) == pytest.approx(momentum, rel=1e-3)


def test_without_a_field_tracks_are_straight() -> None:
    straight = replace(VOLUME, field_t=0.0)
    found = crossings(straight, draw_tracks(straight, 5, np.random.default_rng(0)), np.array([320.0, 300.0]))
    for track in np.unique(found.track):
        own = found.track == track
        if own.sum() > 2:
            np.testing.assert_allclose(np.diff(found.x_mm[own], 2), 0.0, atol=1e-6)


def test_a_track_that_turns_round_leaves_the_volume() -> None:
    one = np.ones(1)
    near = replace(VOLUME, target_mm=50.0)
    found = crossings(near, Tracks(0.15 * one, one, 0 * one, 0 * one, one), np.array([320.0, 300.0]))
    assert len(found.row) > 3
    assert (near.target_mm + near.pitch_mm * found.row < near.radius_mm(0.15)).all()
    assert (np.diff(found.row) == 1).all()


def test_diffusion_grows_with_the_root_of_the_drift() -> None:
    def variance(drift_mm: float) -> float:
        quiet = replace(VOLUME, pads=128, noise=0.0)
        total = np.zeros((1, quiet.pads, quiet.times), np.float32)
        flat = row_charges(drift_mm)
        found = flat._replace(row=np.zeros(len(flat.row), int))
        deposit(total, quiet, found, np.full(len(found.row), 200.0), np.random.default_rng(2))
        profile = total.sum(axis=(0, 2))
        centre = (np.arange(quiet.pads) + 0.5) * quiet.pad_mm
        mean = np.average(centre, weights=profile)
        return float(np.average((centre - mean) ** 2, weights=profile))

    near, middle, far = (variance(drift) for drift in (50.0, 300.0, 600.0))
    assert (far - middle) / (middle - near) == pytest.approx(300.0 / 250.0, rel=0.15)
    assert far - near == pytest.approx(VOLUME.diffusion_mm**2 * 0.55, rel=0.15)


def test_the_charge_of_a_cluster_is_that_of_the_track() -> None:
    quiet = replace(VOLUME, noise=0.0)
    frame = np.zeros((quiet.rows, quiet.pads, quiet.times), np.float32)
    one = Crossings(*(np.array([value]) for value in (0, 10, 320.0, 200.0, 0.0, 0.0, 1.0)))
    deposit(frame, quiet, one, np.array([150.0]), np.random.default_rng(0))
    assert frame.sum() == pytest.approx(150.0, rel=0.03)
    found = find_clusters(quiet, digitise(quiet, frame))
    assert found.row.tolist() == [10]
    assert found.pad[0] == pytest.approx(320.0 / quiet.pad_mm, abs=0.3)
    assert found.time[0] == pytest.approx(200.0 / quiet.bin_mm, abs=0.6)
    assert found.charge[0] == pytest.approx(150.0, rel=0.15)


def test_ionisation_has_a_tail_as_landau() -> None:
    charges = ionise(VOLUME, row_charges(100.0, 4000), np.ones(4000), np.random.default_rng(3))
    low, middle, high = np.quantile(charges, (0.1, 0.5, 0.9))
    assert high - middle > 1.5 * (middle - low)
    assert VOLUME.mip < middle < 1.5 * VOLUME.mip


def test_noise_is_as_large_as_it_is_said_and_larger_on_hot_pads() -> None:
    random = np.random.default_rng(0)
    hot = hot_pads(VOLUME, NoiseRates(hot=0.05), random)
    assert 0.02 < (hot > 1).mean() < 0.1
    rms = electronic(VOLUME, hot, random).std(axis=2)
    assert np.median(rms[hot == 1]) == pytest.approx(VOLUME.noise, rel=0.1)
    assert np.median(rms[hot > 1]) > 2 * VOLUME.noise


def test_the_tracker_finds_tracks_and_makes_mistakes(hits: Batch) -> None:
    true, found = hits.meta["true_track"], hits.meta["found_track"]
    efficiency = (found[true >= 0] >= 0).mean()
    assert 0.8 < efficiency < 1.0
    whole = np.unique(np.stack([hits.meta["event"], true])[:, true >= 0], axis=1, return_counts=True)[1]
    assert len(np.unique(np.stack([hits.meta["event"], found])[:, found >= 0], axis=1).T) >= 0.8 * (whole > 15).sum()
    turned = (found >= 0) != (hits.meta["on_track"] == 1)
    assert 0.015 < turned.mean() < 0.05


def test_truth_tells_tracks_from_all_kinds_of_noise(hits: Batch) -> None:
    kinds = set(hits.meta["kind"].tolist())
    assert {"track", "burst", "noise", "delta"} <= kinds
    np.testing.assert_array_equal(hits.truth == 0, hits.meta["kind"] == "track")
    assert hits.truth is not None
    charge = hits.values[:, SCALARS.index("charge")]
    assert auroc(hits.truth == 0, charge.astype(float)) > 0.7


def test_empty_events_and_few_hits_are_no_tracks() -> None:
    assert find_tracks(np.zeros(0, int), np.zeros(0), np.zeros(0)).tolist() == []
    assert (find_tracks(np.arange(3), np.arange(3.0), np.arange(3.0)) == -1).all()
    assert len(concatenate(list(TpcHits(events=2, tracks=0, seed=1)))) > 0


def test_seeds_and_detectors_differ_and_repeat() -> None:
    small = {"events": 1, "rows": 10, "pads": 40, "tracks": 4}
    first, again, other = (concatenate(list(TpcHits(**small, seed=seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.values, again.values)
    assert len(first) != len(other) or (first.values != other.values).any()


@pytest.mark.parametrize(
    ("options", "word"),
    [({"n": 0}, "n must"), ({"tracks": -1}, "tracks"), ({"flips": 0.7}, "flips"), ({"rows": 2}, "rows"),
     ({"noise": -1}, "scale"), ({"seed": "x"}, "seed"), ({"field": "x"}, "field")],
)  # fmt: skip
def test_values_out_of_range_are_refused(options: dict, word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        TpcHits(**options)
