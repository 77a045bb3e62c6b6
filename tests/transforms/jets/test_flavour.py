"""Inputs of taggers of flavour: by hand for one jet, and on simulated b and light jets."""

from __future__ import annotations

import numpy as np
import pytest

from lynkeus.core import Batch, Group, Packed, Schema, SchemaError, concatenate
from lynkeus.simulate.jets.source import JetSource
from lynkeus.transforms.jets.flavour import GROUPS, PARTICLE, VERTEX, flavour_groups


def by_hand(vertices: bool = True, left_out: tuple[str, ...] = ()) -> Batch:
    """Two jets along x: three tracks and a photon with a vertex; one track and nothing else."""
    rows = []
    #  pt, deta, dphi, charge, d0, its error, photon
    for pt, eta, phi, charge, d0, error, photon in (
        (10.0, 0.0, 0.1, 1, -0.5, 0.05, 0),  # crosses the axis in front of the collision: positive
        (20.0, 0.1, 0.0, -1, 0.0, 0.05, 0),
        (5.0, 0.0, 0.1, 1, 0.3, 0.05, 0),  # behind it: negative
        (8.0, 0.0, -0.1, 0, 0.0, 0.0, 1),
        (30.0, 0.0, 0.0, 1, 0.01, 0.02, 0),
    ):
        p = (pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta))
        rows.append((*p, eta, phi, charge, d0, error, 0.1 * d0, error, photon, 0, 0))
    particles = np.array(rows, np.float32)
    kept = [k for k, name in enumerate(PARTICLE) if name not in left_out]
    groups = {"particles": Group.of_lengths(particles[:, kept], np.array([4, 1]))}
    names = [f"particles/{PARTICLE[k]}" for k in kept]
    if vertices:
        one = np.array([[12.0, 1.7, 2, 1.5, 20.0, 2.0, 18.0, 0.999, 0.0, 0.1]], np.float32)
        groups["vertices"] = Group.of_lengths(one, np.array([1, 0]))
        names += [f"vertices/{name}" for name in VERTEX]
    return Batch(Schema("cloud", tuple(names), (), (None, None)), Packed(groups))


def column(packed: Packed, group: str, name: str) -> np.ndarray:
    return packed.groups[group].values[:, GROUPS[group].index(name)]


def test_tracks_come_by_the_significance_of_a_lifetime() -> None:
    found = flavour_groups(by_hand())
    assert found.groups["charged"].lengths.tolist() == [3, 1]
    np.testing.assert_allclose(np.sinh(column(found, "charged", "sip2d_sig")), [10.0, 0.0, -6.0, 0.5], atol=1e-4)
    np.testing.assert_allclose(np.exp(column(found, "charged", "log_pt")), [10.0, 20.0, 5.0, 30.0], rtol=1e-5)
    np.testing.assert_allclose(column(found, "charged", "dr_vertex"), [0.0, np.hypot(0.1, 0.1), 0.0, 0.8], atol=1e-6)
    assert found.groups["neutral"].lengths.tolist() == [1, 0]
    assert column(found, "neutral", "is_photon").tolist() == [1.0]


def test_what_is_known_of_the_jet() -> None:
    found = flavour_groups(by_hand())
    jet = {name: column(found, "global", name) for name in GROUPS["global"]}
    assert jet["charged"].tolist() == [3, 1]
    assert jet["vertices"].tolist() == [1, 0]
    assert jet["displaced"].tolist() == [1, 0]
    assert jet["vertex_category"].tolist() == [0, 2]
    np.testing.assert_allclose(np.exp(jet["log_pt"]), [43.0, 30.0], rtol=0.01)
    # The first two tracks have a mass of 2 sqrt(10 * 20 (cosh(0.1) - cos(0.1))) / sqrt 2 = 2 GeV, more than charm.
    np.testing.assert_allclose(np.sinh(jet["sip2d_sig_above_charm"]), [0.0, 0.0], atol=1e-4)
    heavier = by_hand()
    heavier.values.groups["particles"].values[1, 7] = -0.2  # now the second track is displaced as well
    heavier.values.groups["particles"].values[1, 5] = 0.05
    again = column(flavour_groups(heavier), "global", "sip2d_sig_above_charm")
    assert np.sinh(again[0]) == pytest.approx(4.0, abs=1e-3)


def test_momenta_along_and_across_the_jet_make_up_the_momentum() -> None:
    found = flavour_groups(by_hand())
    along = column(found, "charged", "along_share")[:3].sum() + 8.0 / 43.0  # and the photon, about
    assert along == pytest.approx(1.0, abs=0.02)
    assert column(found, "charged", "pt_rel")[3] == pytest.approx(0.0, abs=1e-3)


def test_jets_without_vertices_or_columns() -> None:
    found = flavour_groups(by_hand(vertices=False))
    assert found.groups["vertices"].values.shape == (0, len(GROUPS["vertices"]))
    assert (column(found, "charged", "dr_vertex") == 0.8).all()
    with pytest.raises(SchemaError, match="a tagger of flavour reads columns that the particles lack: part_d0err"):
        flavour_groups(by_hand(left_out=("part_d0err",)))


@pytest.fixture(scope="module")
def flavours() -> tuple[Packed, np.ndarray]:
    batch = concatenate(list(JetSource("b,light", "50-150", n=600, seed=3)))
    return flavour_groups(batch), batch.truth


def test_tracks_of_b_jets_are_positive_and_of_light_jets_symmetric(flavours: tuple[Packed, np.ndarray]) -> None:
    found, truth = flavours
    tracks = found.groups["charged"]
    significance = np.sinh(column(found, "charged", "sip2d_sig"))
    of_b = truth[tracks.sample] == 0
    for own, low, high in ((of_b, 2.0, np.inf), (~of_b, 0.3, 3.0)):
        positive, negative = (significance[own] > 3).sum() + 1, (significance[own] < -3).sum() + 1
        assert low < positive / negative < high
    assert (significance[of_b] > 3).mean() > 5 * (significance[~of_b] > 3).mean()
    falling = np.diff(significance) <= 1e-4
    assert falling[tracks.sample[1:] == tracks.sample[:-1]].all()


def test_all_features_are_finite_and_of_moderate_size(flavours: tuple[Packed, np.ndarray]) -> None:
    for name, group in flavours[0].groups.items():
        assert np.isfinite(group.values).all(), name
        assert np.abs(group.values).max() < 200, name
        assert group.values.shape[1] == len(GROUPS[name])


def test_turning_jets_around_the_beam_changes_nothing() -> None:
    batch = by_hand()
    turned = by_hand()
    values = turned.values.groups["particles"].values
    values[:, :2] = values[:, :2] @ np.array([[np.cos(2), np.sin(2)], [-np.sin(2), np.cos(2)]], np.float32)
    before, after = flavour_groups(batch), flavour_groups(turned)
    for name, group in before.groups.items():
        np.testing.assert_allclose(after.groups[name].values, group.values, rtol=1e-4, atol=1e-4)
