"""Template variables: observers, features of the best vertex, and the probability of tracks to be prompt."""

import numpy as np
import pytest

from lynkeus.core import Batch, Group, Packed, Schema, SourceError
from lynkeus.scale_factors.template_values import LARGEST, template_values

TRACKS = ("part_d0val", "part_d0err", "part_dphi", "part_px", "part_py")
VERTICES = ("sv_mass", "sv_d3dsig")
NAMES = tuple(f"particles/{name}" for name in TRACKS) + tuple(f"vertices/{name}" for name in VERTICES)


def batch(tracks: list[list[list[float]]], vertices: list[list[list[float]]]) -> Batch:
    groups = {}
    for name, jets, width in (("particles", tracks, 5), ("vertices", vertices, 2)):
        rows = np.array([row for jet in jets for row in jet], float).reshape(-1, width)
        groups[name] = Group.of_lengths(rows, np.array([len(jet) for jet in jets]))
    n = len(tracks)
    schema = Schema("cloud", NAMES, ("",), (None, None), classes=("b",))
    return Batch(schema, Packed(groups), meta={"jet_sdmass": np.arange(n) * 10.0, "label": np.array(["b"] * n)})


def test_the_vertex_that_is_farthest_in_its_error_counts() -> None:
    found = batch([[], [], []], [[[1.0, 3.0], [2.5, 9.0]], [], [[0.0, 5.0]]])
    np.testing.assert_array_equal(template_values(found, "sv_mass", "x"), [2.5, np.nan, np.nan])
    np.testing.assert_array_equal(template_values(found, "sv_d3dsig", "x"), [9.0, np.nan, 5.0])
    np.testing.assert_array_equal(template_values(found, "jet_sdmass", "x"), [0.0, 10.0, 20.0])


def track(d0: float, dphi: float = -0.1, error: float = 0.02, px: float = 5.0) -> list[float]:
    return [d0, error, dphi, px, 0.0]


def test_jet_probability_by_hand() -> None:
    found = batch(
        [[track(0.02)], [track(-0.02)], [track(0.02), track(0.02)], [track(1.0)] * 30, [track(0.02, px=0.1)], []],
        [[]] * 6,
    )
    values = template_values(found, "jet_probability", "x")
    one = 0.31731  # two-sided chance of one sigma
    assert values[0] == pytest.approx(-np.log(one), abs=1e-4)  # of one track its own probability
    assert values[2] == pytest.approx(-np.log(one**2 * (1 - np.log(one**2))), abs=1e-4)
    assert values[3] == LARGEST
    assert np.isnan(values[[1, 4, 5]]).all()  # negative lifetime sign, soft, no track at all


def test_prompt_tracks_have_flat_probabilities() -> None:
    rng = np.random.default_rng(0)
    jets = [[track(0.02 * d0) for d0 in np.abs(rng.normal(size=5))] for _ in range(4000)]
    values = template_values(batch(jets, [[]] * 4000), "jet_probability", "x")
    assert np.exp(-values).mean() == pytest.approx(0.5, abs=0.02)


def test_a_variable_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(SourceError, match=r"x: no template variable 'jet_mass'; .* jet_sdmass, sv_mass, sv_d3dsig"):
        template_values(batch([[]], [[]]), "jet_mass", "x")
    table = Batch(Schema("table", ("a",), (), (1,)), np.zeros((2, 1)))
    with pytest.raises(SourceError, match="choose by --template one of none"):
        template_values(table, "sv_mass", "x")
    with pytest.raises(SourceError, match="jet_probability needs the features"):
        template_values(table, "jet_probability", "x")
