"""Spinodal clumping: charge is conserved, waves grow as the closed form says, clumps are seen in space, and in momentum
only in cumulants of many events."""

import numpy as np
import pytest

from lynkeus.core import SettingsError, concatenate
from lynkeus.simulate.spinodal.source import CELLS, LENGTH, SpinodalSource
from lynkeus.transforms.clumping import clumping, clumps, cumulant_test, minkowski, pair_differences, pairs_apart

pytest.importorskip("numba")
from lynkeus.simulate.spinodal.separate import DENSE, MIDDLE, THIN, growth_rate, separate


@pytest.mark.parametrize(("rho", "mode"), [(MIDDLE, 2), (MIDDLE, 4), (1.3, 3), (2.3, 1), (0.2, 2)])
def test_small_waves_grow_as_the_closed_form_says(rho: float, mode: int) -> None:
    n, length = 40, 16.0
    dx, time = length / n, 0.1
    x = np.arange(n) * dx
    k = 2 * np.pi * mode / length
    u = np.tile(rho + 1e-5 * np.cos(k * x), (n, 1))
    assert separate(u, dx, 0.0, time, True) > 0
    size = 2 * ((u[0] - rho) * np.cos(k * x)).mean()
    on_grid = 2 * np.sin(0.5 * k * dx) / dx  # what differences make of a wave number
    assert np.log(size / 1e-5) / time == pytest.approx(float(growth_rate(np.array(on_grid), rho)), rel=0.02)


def test_charge_is_conserved_and_maxwells_construction_drives_nothing_apart() -> None:
    rng = np.random.default_rng(0)
    source = SpinodalSource()
    for spinodal in (True, False):
        u = source.density(spinodal, 0.1, 0.15, rng)
        assert u.mean() == pytest.approx(1.6, rel=1e-12)
        assert (u.std() / u.mean() > 0.3) == spinodal
    flat = np.full((20, 20), 1.0)
    separate(flat, LENGTH / CELLS, 0.0, 5.0, True)  # nothing to grow from
    np.testing.assert_allclose(flat, 1.0)
    mixed = np.where(rng.random((20, 20)) < 0.5, THIN, DENSE)
    before = mixed.std()
    separate(mixed, LENGTH / CELLS, 0.0, 3.0, False)
    assert mixed.std() < 0.5 * before


def test_events_have_truth_and_are_the_same_for_a_seed() -> None:
    (batch,) = list(SpinodalSource(n=6, seed=3))
    assert batch.values.shape == (6, 1, 20, 20)
    assert batch.truth.tolist() == [0, 1] * 3
    np.testing.assert_allclose(batch.values.mean(axis=(1, 2, 3)), 1, rtol=1e-5)
    np.testing.assert_array_equal(SpinodalSource(n=2, seed=3).event(1)[0].astype(np.float32), batch.values[1, 0])
    (moving,) = list(SpinodalSource(n=6, seed=3, space="momentum", reach=5.0, baryons=50))
    np.testing.assert_array_equal(moving.values.sum(axis=(1, 2, 3)), moving.meta["baryons"])


@pytest.mark.slow
def test_cumulants_of_many_events_separate_what_single_ones_do_not() -> None:
    batch = concatenate(list(SpinodalSource(n=500, seed=3, space="momentum")))
    windows = batch.values[:, 0, 4:16, 4:16].reshape(500, 3, 4, 3, 4)  # side by side around 0
    counts = windows.sum(axis=(2, 4)).reshape(500, 9)
    one, other, apart = cumulant_test(counts[batch.truth == 0], counts[batch.truth == 1])
    assert apart[0] > 2.5
    assert other[0] > one[0] > 0.9
    pairs = pair_differences(batch.values[:, 0])
    np.testing.assert_allclose(pairs.sum(axis=1), 1, rtol=1e-6)


def test_how_far_pairs_are_apart_hangs_on_no_place() -> None:
    rng = np.random.default_rng(0)
    maps = rng.random((3, 8, 10))
    found = pairs_apart(maps, (True, True))
    assert found.shape == (3, 5, 6)
    np.testing.assert_allclose(pairs_apart(np.roll(5 * maps, (2, 7), (1, 2)), (True, True)), found)
    density = maps / maps.mean(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(found[:, 0, 3], (density * np.roll(density, 3, axis=2)).mean(axis=(1, 2)))
    np.testing.assert_allclose(pairs_apart(np.full((2, 8, 10), 3.0), (False, True)), 1.0)
    steps = pairs_apart(maps, (False, False))
    assert steps.shape == (3, 8, 10)
    np.testing.assert_allclose(steps[:, 2, 0], (density[:, 2:] * density[:, :-2]).mean(axis=(1, 2)))


def test_clumps_and_minkowski_functionals_on_a_ring() -> None:
    here = np.zeros((8, 8), bool)
    here[0, :3] = here[7, :2] = here[4, 4] = True
    assert clumps(here) == 2  # the first goes over the edge
    area, perimeter, euler = minkowski(here)
    assert area * 64 == 6
    assert perimeter * 64 == 10 + 4
    assert euler * 64 == 2
    here[:] = True
    assert minkowski(here) == (1.0, 0.0, 0.0)
    assert clumping(np.ones((2, 8, 8))).shape == (2, 19)


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"eos": "ideal"}, "maxwell, spinodal"), ({"space": "phase"}, "coordinate, momentum"),
     ({"bins": 7}, "must divide"), ({"n": 0}, "n must"), ({"temperature": 3}, "temperature must")],
)  # fmt: skip
def test_bad_settings_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        SpinodalSource(**settings)  # type: ignore[arg-type]
