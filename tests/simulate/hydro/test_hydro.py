"""Hydrodynamics: the exact flow of Gubser to second order, Bjorken's limit, entropy and energy; surfaces without holes,
as many particles as flow through them; spectra that are those of a thermal source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import SettingsError, SourceError
from lynkeus.simulate.hydro.eos import NAMES, equation_of_state
from lynkeus.simulate.hydro.freeze_out import PION, Bins, number, spectrum, thermal_density
from lynkeus.simulate.hydro.initial import GOLD, MODELS, initial_energy, positions
from lynkeus.simulate.hydro.source import HydroSource
from lynkeus.simulate.hydro.surface import Surface, isosurface

pytest.importorskip("numba")
from lynkeus.simulate.hydro.evolve import Fluid, evolve, gubser

IDEAL = equation_of_state("ideal")


def last(fluid: Fluid, until: float, eos: object = IDEAL) -> Fluid:
    *_, found = evolve(fluid, eos, until)  # type: ignore[arg-type]
    return found


@pytest.mark.slow
def test_the_flow_of_gubser_to_second_order() -> None:
    errors = []
    for dx in (0.4, 0.2):
        n = round(26 / dx)  # what happens at the edge has not come to r = 8 by then
        x = (np.arange(n) - 0.5 * (n - 1)) * dx
        grid = np.meshgrid(x, x, indexing="ij")
        fluid = last(Fluid.moving(*gubser(1.0, *grid, scale=100.0), 1.0, dx, IDEAL), 5.0)
        exact, vx, _ = gubser(fluid.tau, *grid, scale=100.0)
        inner = np.hypot(*grid) < 8
        errors.append(np.abs(fluid.e / exact - 1)[inner].mean())
        assert np.abs(fluid.vx - vx)[inner].max() < 0.01
    assert errors[1] < 0.0015
    assert errors[0] / errors[1] > 3.3  # 4 for second order


@pytest.mark.parametrize("name", NAMES)
def test_without_gradients_it_is_bjorken_and_entropy_stays(name: str) -> None:
    eos = equation_of_state(name)
    fluid = Fluid.at_rest(np.full((24, 24), 8.0), 1.0, 0.5, eos)
    before = float(eos.entropy(np.array(8.0)))
    fluid = last(fluid, 4.0, eos)
    after = float(eos.entropy(fluid.e[12, 12]))
    assert after * 4.0 == pytest.approx(before, rel=2e-3)
    assert np.abs(fluid.vx).max() < 1e-10
    if name == "ideal":
        assert fluid.e[12, 12] == pytest.approx(8.0 * 4 ** (-4 / 3), rel=1e-3)


def test_energy_goes_only_where_pressure_does_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lynkeus.simulate.hydro.evolve.COURANT", 0.01)  # so that the sum of the work is one of dt -> 0
    x = (np.arange(60) - 29.5) * 0.4
    blob = 20 * np.exp(-(x[:, None] ** 2 + x**2) / 8) + 1e-4
    fluid = Fluid.at_rest(blob, 1.0, 0.4, IDEAL)
    energy, entropy, work = fluid.energy(), fluid.entropy(IDEAL), 0.0
    tau, pressure = fluid.tau, IDEAL.pressure(fluid.e).sum() * 0.4**2
    for step in evolve(fluid, IDEAL, 1.5):
        now = IDEAL.pressure(step.e).sum() * 0.4**2
        work, tau, pressure = work + 0.5 * (now + pressure) * (step.tau - tau), step.tau, now
    assert fluid.energy() + work == pytest.approx(energy, rel=1e-6)
    assert fluid.entropy(IDEAL) == pytest.approx(entropy, rel=0.02)
    # What is the same seen from both sides stays so.
    np.testing.assert_allclose(fluid.e, fluid.e[::-1], rtol=1e-6)
    np.testing.assert_allclose(fluid.e, fluid.e.T, rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_equations_of_state_are_thermodynamics(name: str) -> None:
    eos = equation_of_state(name)
    e = np.geomspace(0.05, 100, 400)
    p, t = eos.pressure(e), eos.temperature_of(e)
    assert (np.diff(p) >= -1e-9).all()
    assert (p > 0).all()
    assert (p < e / 3 * 1.01).all()
    # s = dp/dT, which is 0/0 within the mixed phase.
    outside = np.gradient(t, e) > 1e-3 * t / e
    np.testing.assert_allclose(np.gradient(p, t)[outside], eos.entropy(e)[outside], rtol=0.08)
    assert eos.temperature_of(np.array(eos.energy_at(0.15))) == pytest.approx(0.15, rel=1e-3)
    with pytest.raises(SettingsError, match="beyond the tables"):
        eos.energy_at(9.0)


def test_the_first_order_one_is_soft_where_it_is_mixed() -> None:
    eos = equation_of_state("first_order")
    c2 = np.interp([0.2, 1.0, 10.0], eos.grid, eos.sound)
    np.testing.assert_allclose(c2, [0.15, 0.0, 1 / 3], atol=2e-3)
    assert float(eos.temperature_of(np.array(1.0))) == pytest.approx(0.164, rel=1e-3)
    crossover = equation_of_state("lattice")
    assert np.interp([0.3, 1.0, 3.0], crossover.grid, crossover.sound).min() > 0.1


def test_tables_of_files_are_read_and_gaps_are_named(tmp_path: Path) -> None:
    e = np.geomspace(1e-3, 500, 300)
    np.savetxt(tmp_path / "own.txt", np.stack([e, e / 3, (e / 10) ** 0.25], axis=1))
    own = equation_of_state(str(tmp_path / "own.txt"))
    assert float(own.pressure(np.array(5.0))) == pytest.approx(5 / 3, rel=1e-3)
    bad = np.stack([e, e / 3, e**0.25], axis=1)
    bad[7, 1] = np.nan
    np.savetxt(tmp_path / "gap.txt", bad)
    with pytest.raises(SourceError, match="row 8 has a gap"):
        equation_of_state(str(tmp_path / "gap.txt"))
    np.savetxt(tmp_path / "falls.txt", bad[::-1][:200])
    with pytest.raises(SourceError, match="e falls in row 2"):
        equation_of_state(str(tmp_path / "falls.txt"))
    whole = np.stack([e, e / 3, e**0.25], axis=1)
    for name, table, says in (
        ("leap", np.delete(whole, range(90, 120), axis=0), "gap between rows 90 and 91, from"),
        ("fast", whole * [1, 3.3, 1], "p rises faster than e after row 1: sound would be faster than light"),
        ("twice", whole[[0, *range(300)]], "e is the same in rows 1 and the next"),
    ):
        np.savetxt(tmp_path / f"{name}.txt", table)
        with pytest.raises(SourceError, match=says):
            equation_of_state(str(tmp_path / f"{name}.txt"))
    with pytest.raises(SettingsError, match=r"T = 0.09 GeV is beyond the rows of the equation of state own"):
        equation_of_state(str(tmp_path / "own.txt")).energy_at(0.09)
    with pytest.raises(SettingsError, match="eos must be"):
        equation_of_state("s95p")


def test_a_folder_as_s95p_is_published_is_read_as_it_says(tmp_path: Path) -> None:
    for part, low in ((1, 0.001), (2, 0.501)):
        e = low + np.arange(501) * 0.001 * 10 ** (part - 1)
        t = 0.12 * e**0.2  # out of equilibrium T does not follow from e and p
        for name, rows in (("dens", np.stack([e, e / 4, e * 3], axis=1)), ("par", np.stack([t, 0 * t], axis=1))):
            np.savetxt(tmp_path / f"x_{name}{part}.dat", rows[::-1], header="0.001\n0.001 501", comments="")
    own = equation_of_state(str(tmp_path))
    at = np.array([0.01, 0.3, 4.0])
    np.testing.assert_allclose(own.pressure(at), at / 4, rtol=1e-3)
    np.testing.assert_allclose(own.temperature_of(at), 0.12 * at**0.2, rtol=1e-3)
    assert own.known == pytest.approx((0.001, 5.501))
    (tmp_path / "x_par2.dat").unlink()
    with pytest.raises(SourceError, match=r"it needs x_par2\.dat"):
        equation_of_state(str(tmp_path))


def test_a_flow_that_is_not_causal_stops_and_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    x = (np.arange(30) - 14.5) * 0.5
    monkeypatch.setattr("lynkeus.simulate.hydro.evolve.COURANT", 2.5)  # further than sound goes in a cell
    fluid = Fluid.at_rest(30 * np.exp(-(x[:, None] ** 2 + x**2) / 4) + 1e-3, 0.6, 0.5, IDEAL)
    with pytest.raises(SettingsError, match=r"fm, near x = .*: it has|no solution in .* near x ="):
        last(fluid, 20.0)


def test_a_sphere_is_closed_and_has_its_area_and_volume() -> None:
    t = np.linspace(-2, 2, 41)
    f = 4 - (t[:, None, None] ** 2 + t[:, None] ** 2 + t**2) * 2
    found = isosurface(t, f, 0 * f, 0 * f, t, t, 1.0)
    radius = np.sqrt(1.5)
    assert np.abs(found.normal.sum(axis=0)).max() < 1e-10
    assert np.linalg.norm(found.normal, axis=1).sum() == pytest.approx(4 * np.pi * radius**2, rel=0.01)
    assert (found.normal * found.place).sum() / 3 == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.01)
    assert len(isosurface(t, f, f, f, t, t, 99.0).place) == 0


def test_a_moving_source_emits_what_flows_through_it() -> None:
    """A flat piece of fluid, all at once at tau = 5: an analytic blast wave."""
    n, v = 400, 0.5
    flat = Surface(np.tile([5.0, 0, 0], (n, 1)), np.tile([0.25, 0, 0], (n, 1)), np.full(n, v), np.zeros(n))
    bins = Bins(400, 48, 8.0)
    rate = spectrum(flat, 0.137, bins)
    total = (rate * bins.momenta[:, None]).sum() * (8.0 / 400) * (2 * np.pi / 48)
    assert total == pytest.approx(number(flat, 0.137), rel=2e-3)
    gamma = 1 / np.sqrt(1 - v**2)
    assert number(flat, 0.137) == pytest.approx(thermal_density(0.137) * 5.0 * gamma * 100.0)
    # dsigma_tau alone: m_T K_1(gamma m_T / T) exp(gamma p v cos(phi) / T), by the formula as it is written.
    from scipy.special import k1

    p, angle = bins.momenta[7], bins.angles[5]
    mt = np.hypot(p, PION)
    expected = 2 * 5.0 * 100.0 * mt * k1(gamma * mt / 0.137) * np.exp(gamma * p * v * np.cos(angle) / 0.137)
    assert rate[7, 5] == pytest.approx(expected / (2 * np.pi * 0.1973269804) ** 3, rel=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_initial_states_are_centred_and_elongated(model: str) -> None:
    x = (np.arange(80) - 39.5) * 0.25
    rng = np.random.default_rng(0)
    mean = np.mean([initial_energy(model, x, 7.0, rng) for _ in range(1 if model == "optical" else 20)], axis=0)
    weight = mean / mean.sum()
    assert abs((weight * x[:, None]).sum()) < 0.4
    assert (weight * x**2).sum() > 1.2 * (weight * x[:, None] ** 2).sum()  # out of the plane
    places = positions(GOLD, rng)
    assert places.shape == (197, 2)
    assert np.sqrt((places**2).sum(axis=1).mean()) == pytest.approx(5.4 * np.sqrt(2 / 3), rel=0.08)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which collisions are kept."""
    monkeypatch.setenv("LYNKEUS_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.slow
def test_collisions_have_truth_and_the_first_order_lives_longer(kept: Path) -> None:
    source = HydroSource(n=4, size=50, dx=0.6, b="0-3", seed=1, tau0=0.6, freeze_out=0.137, peak=30)
    (batch,) = list(source)
    folder = next((kept / "hydro").iterdir())
    assert [path.name for path in folder.iterdir()] == ["000000.npz"]
    (again,) = list(source.of_length(3))  # from the disk
    np.testing.assert_array_equal(again.values, batch.values[:3])
    assert batch.values.shape == (4, 1, 15, 48)
    assert batch.truth is not None
    assert batch.truth.tolist() == [0, 1, 0, 1]
    np.testing.assert_allclose(batch.values.sum(axis=(1, 2, 3)), 1, rtol=1e-5)
    ends = batch.meta["tau_end"]
    assert ends[batch.truth == 1].mean() > ends[batch.truth == 0].mean() + 1
    assert (np.diff(batch.values.sum(axis=(1, 3))[:, 2:], axis=1) < 0).all()  # fewer at large p_T
    other = HydroSource(n=1, size=50, dx=0.6, b="0-3", seed=1, eos="lattice", particles=400, initial="any")
    event = other.event(0)
    assert event["b"] == pytest.approx(batch.meta["b"][0])
    assert (event["spectrum"] == 0).any()
    assert event["initial"] in MODELS
    for name, (low, high) in (("tau0", (0.4, 1.0)), ("freeze_out", (0.125, 0.15)), ("peak", (20, 45))):
        assert low <= event[name] <= high


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"b": "9-3"}, "rising"), ({"nucleus": "iron"}, "gold, lead"), ({"initial": "smooth"}, "optical"),
     ({"bins": "15"}, "bins must"), ({"freeze_out": 0.5}, "from 0.08"), ({"tau0": "1-a"}, "tau0 must"),
     ({"n": 0}, "n must")],
)  # fmt: skip
def test_bad_settings_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        HydroSource(**settings)  # type: ignore[arg-type]


def test_a_collision_that_is_too_dilute_says_so() -> None:
    with pytest.raises(SettingsError, match="too dilute"):
        HydroSource(n=1, size=40, dx=0.6, b=14.0, peak=2.0, initial="optical").event(0)


def test_a_collision_that_is_larger_than_the_grid_says_so() -> None:
    with pytest.raises(SettingsError, match=r"larger than the grid of 20 x 0\.05 = 1 fm: take a larger size"):
        HydroSource(n=1, size=20, dx=0.05, initial="optical").event(0)
