"""Observables of jets: closed forms, FastJet, and what they must not depend on."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.jets import NAMES, jets

from lynkeus.core import Group, Packed, SchemaError
from lynkeus.transforms.jets.four_vectors import four_vectors, momentum_group
from lynkeus.transforms.jets.observables import OBSERVABLES, QUICK, observables

FOUR = NAMES[:4]


def massless(rows: list[tuple[float, float, float]]) -> np.ndarray:
    """(k, 4) of particles given by pT, rapidity and azimuth."""
    pt, eta, phi = np.array(rows, float).reshape(-1, 3).T
    return np.column_stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta)])


def of(*each: np.ndarray, **more: float) -> dict[str, np.ndarray]:
    """Each observable (n,) of these jets."""
    group = Group.of_lengths(np.concatenate(each), np.array([len(one) for one in each]))
    return dict(zip(OBSERVABLES, observables(Packed({"particles": group}), FOUR, **more).T, strict=True))


def test_two_prongs_have_the_values_that_one_computes_by_hand() -> None:
    one, other, angle = 300.0, 100.0, 0.4
    found = of(massless([(one, 0.1, 3.0), (other, 0.1 + 0.6 * angle, 3.0 + 0.8 * angle)]))
    expected_mass = np.sqrt(2 * one * other * (np.cosh(0.6 * angle) - np.cos(0.8 * angle)))
    assert found["mass"][0] == pytest.approx(expected_mass)
    assert found["sdmass"][0] == pytest.approx(expected_mass)
    assert found["sd_z"][0] == pytest.approx(0.25)
    assert found["sd_angle"][0] == pytest.approx(angle, rel=1e-5)
    assert found["tau1"][0] == pytest.approx(0.25 * angle / 0.8, rel=1e-5)
    assert [found[name][0] for name in ("tau2", "tau3", "tau4", "tau21", "tau32", "c2", "d2", "n2")] == [0.0] * 8
    assert found["ptd"][0] == pytest.approx(np.hypot(one, other) / 400)
    assert [found[f"fraction{k}"][0] for k in (1, 2, 3)] == pytest.approx([0.75, 0.25, 0.0])
    assert found["multiplicity"][0] == 2


def test_three_prongs_at_equal_angles_have_the_energy_correlations_of_the_formula() -> None:
    side = 0.3
    corners = [(100.0, 0.0, 0.0), (100.0, side, 0.0), (100.0, side / 2, side * np.sqrt(3) / 2)]
    found = of(massless(corners))
    e2, e3, n3 = 3 * side / 9, side**3 / 27, side**2 / 27
    assert found["c2"][0] == pytest.approx(e3 / e2**2, rel=1e-4)
    assert found["d2"][0] == pytest.approx(e3 / e2**3, rel=1e-4)
    assert found["n2"][0] == pytest.approx(n3 / e2**2, rel=1e-4)
    assert found["tau3"][0] == 0.0
    assert found["tau2"][0] == pytest.approx(side / 3 / 0.8, rel=1e-5)


def test_soft_drop_takes_what_is_soft_off_and_keeps_the_rest() -> None:
    hard = [(300.0, 0.0, 0.0), (200.0, 0.3, 0.0)]
    groomed, alone = of(massless([*hard, (10.0, 0.2, 0.5)])), of(massless(hard))
    assert groomed["mass"][0] > alone["mass"][0]
    assert groomed["sdmass"][0] == pytest.approx(alone["mass"][0])
    nothing_hard = of(massless([(300.0, 0.0, 0.0), (10.0, 0.3, 0.0)]))
    assert nothing_hard["sdmass"][0] == 0.0


def test_jets_of_none_one_and_five_hundred_particles(agree: Callable[..., None]) -> None:
    rng = np.random.default_rng(0)
    many = massless([(rng.exponential(5), *rng.normal(0, 0.2, 2)) for _ in range(500)])
    found = of(many, np.empty((0, 4)), massless([(50.0, 0.0, 0.0)]))
    each = np.stack(list(found.values()), axis=1)
    assert np.isfinite(each[[0, 2]]).all()
    assert np.isnan(each[1]).all()
    assert found["mass"][2] < 0.01
    agree(each[0], np.stack(list(of(many).values()), axis=1)[0], single=True)


def test_order_of_particles_and_the_other_jets_of_a_batch_do_not_matter(agree: Callable[..., None]) -> None:
    batch = jets(60, 1)
    found = observables(batch.packed, NAMES)
    group = batch.packed.groups["particles"]
    shuffled = np.lexsort((np.random.default_rng(2).permutation(len(group.values)), group.sample))
    other = observables(Packed({"particles": Group(group.values[shuffled], group.offsets)}), NAMES)
    agree(other, found, single=True)
    agree(observables(batch.packed[7:9], NAMES), found[7:9], single=True)
    agree(observables(batch.packed, NAMES, quick=True), found[:, : len(QUICK)])


def test_particles_without_a_momentum_are_dropped_and_counted() -> None:
    batch = jets(5, 3)
    values = batch.packed.groups["particles"].values.copy()
    values[3, 0] = np.nan
    values[4, :2] = 0.0
    damaged = Packed({"particles": batch.packed.groups["particles"]._replace(values=values)})
    assert four_vectors(damaged, NAMES).dropped == 2
    found = observables(damaged, NAMES)
    assert np.isfinite(found).all()
    assert found[0, OBSERVABLES.index("multiplicity")] == batch.packed.groups["particles"].lengths[0] - 2


def test_four_vectors_are_found_by_their_names_or_by_the_name_of_an_input() -> None:
    assert momentum_group(NAMES) == ("particles", [0, 1, 2, 3])
    inputs = ("pf_features/a", *(f"pf_vectors/{k}" for k in range(4)))
    assert momentum_group(inputs) == ("pf_vectors", [0, 1, 2, 3])
    assert momentum_group(tuple(f"charged/Cpfcan_{one}" for one in ("E", "px", "py", "pz")))[1] == [1, 2, 3, 0]
    with pytest.raises(SchemaError, match=r"no group of particles has px.*there are: tracks"):
        momentum_group(("tracks/pt",))


def test_fastjet_finds_the_same_masses_and_axes() -> None:
    fastjet = pytest.importorskip("fastjet", reason="FastJet is not installed")
    batch = jets(40, 5)
    found = dict(zip(OBSERVABLES, observables(batch.packed, NAMES).T, strict=True))
    group = batch.packed.groups["particles"]
    for jet in range(40):
        own = group.values[slice(*group.offsets[jet : jet + 2]), :4]
        particles = [fastjet.PseudoJet(*map(float, one)) for one in own]
        angles = fastjet.ClusterSequence(particles, fastjet.JetDefinition(fastjet.cambridge_algorithm, 10.0))
        mass = _soft_drop(fastjet, angles.inclusive_jets()[0], 0.1)
        assert found["sdmass"][jet] == pytest.approx(mass, rel=1e-3, abs=0.1)
        kt = fastjet.JetDefinition(fastjet.kt_algorithm, 10.0, fastjet.WTA_pt_scheme)
        winners = fastjet.ClusterSequence(particles, kt)
        for count in (1, 2, 3, 4):
            axes = winners.exclusive_jets(count)
            tau = sum(p.perp() * min(p.delta_R(axis) for axis in axes) for p in particles)
            tau /= 0.8 * sum(p.perp() for p in particles)
            assert found[f"tau{count}"][jet] == pytest.approx(tau, rel=1e-3)


def _soft_drop(fastjet, jet, z_cut: float) -> float:
    harder, softer = fastjet.PseudoJet(), fastjet.PseudoJet()
    while jet.has_parents(harder, softer):
        if harder.perp() < softer.perp():
            harder, softer = softer, harder
        if softer.perp() > z_cut * (harder.perp() + softer.perp()):
            return jet.m()
        jet = fastjet.PseudoJet(harder)
    return 0.0
