import numpy as np
import pytest

from lynkeus.core import Plot
from lynkeus.fitting.evidence.plot_change import change_of

AREA = Plot("S2 area [SS]", ("area",), (tuple(np.geomspace(10, 1e5, 61)),), log=(True,), unit="phd")
BOTH = Plot("a : b", ("a", "b"), (tuple(np.linspace(0, 10, 31)), tuple(np.linspace(0, 10, 31))))
EVENTS = 2000


def spectrum(rng, count, line=800.0, share=0.25, more=0):
    """(bins,) of a continuum and a line."""
    lines = rng.random(count) < share
    area = np.where(lines, line * np.exp(rng.normal(0, 0.08, count)), np.exp(rng.normal(8.0, 1.0, count)))
    area = np.concatenate([area, 40 * np.exp(rng.normal(0, 0.2, more))])
    return np.histogram(area, np.concatenate([[-np.inf], AREA.edges[0], [np.inf]]))[0].astype(float)


def blobs(rng, count, place=(7.0, 3.0), share=0.3, more=0):
    points = rng.normal([4.0, 6.0], [1.0, 1.0], (count, 2))
    chosen = rng.random(count) < share
    points[chosen] = rng.normal(place, 0.35, (chosen.sum(), 2))
    points = np.vstack([points, rng.normal([1.0, 1.0], 0.4, (more, 2))])
    edges = [np.concatenate([[-np.inf], axis, [np.inf]]) for axis in BOTH.edges]
    return np.histogram2d(*points.T, bins=edges)[0].ravel()


def changes(plot, make, expected, **fault):
    rng = np.random.default_rng(5)
    usual = make(np.random.default_rng(0), 400_000) / 400_000
    found = []
    for _ in range(10):
        counts = make(rng, EVENTS, **fault)
        mean = usual * counts.sum()
        found.append(change_of(plot, counts, mean, mean))
    return [change for change in found if change.kind == expected], found


@pytest.mark.parametrize("ratio", [0.9, 1.07, 1.4])
def test_a_line_that_moved_is_said_by_how_much(ratio):
    right, _ = changes(AREA, spectrum, "shifted", line=800.0 * ratio)
    assert len(right) >= 9
    assert np.median([change.size for change in right]) == pytest.approx(ratio, rel=0.03)
    assert {change.unit for change in right} == {"x"}
    assert right[0].variable == "area"
    assert all(change.region["area"][0] < 800 < change.region["area"][1] for change in right)
    if abs(ratio - 1) > 0.08:  # of a continuum so small a shift cannot be seen: all may have moved with the line
        assert sum(change.region["area"][1] < 3000 for change in right) >= 7


def test_a_line_that_is_gone_is_said_where():
    right, _ = changes(AREA, spectrum, "gone", share=0.0)
    assert len(right) >= 9
    assert right[0].size > 0.9
    low, high = right[0].region["area"]
    assert 500 < low < 800 < high < 1300
    assert right[0].where.startswith("area ")


def test_new_events_are_counted_where_they_are():
    right, _ = changes(AREA, spectrum, "new", more=60)
    assert len(right) >= 9
    assert np.median([change.size for change in right]) == pytest.approx(60, rel=0.25)
    low, high = right[0].region["area"]
    assert low < 40 < high < 120


@pytest.mark.parametrize(
    ("kind", "fault"),
    [("shifted", {"place": (7.4, 3.0)}), ("gone", {"share": 0.0}), ("new", {"more": 50})],
)
def test_plots_of_two_variables_too(kind, fault):
    right, _ = changes(BOTH, blobs, kind, **fault)
    assert len(right) >= 9
    assert set(right[0].region) == {"a", "b"}
    if kind == "shifted":
        assert {change.variable for change in right} == {"a"}
        assert np.median([change.size for change in right]) == pytest.approx(0.4, rel=0.2)
    if kind == "new":
        assert right[0].region["a"][0] < 1.0 < right[0].region["a"][1]


def test_good_runs_have_no_change():
    for plot, make in ((AREA, spectrum), (BOTH, blobs)):
        _, found = changes(plot, make, "none")
        assert sum(change.kind != "none" for change in found) <= 1


def test_an_empty_plot_has_no_change():
    nothing = np.zeros(AREA.bins)
    assert change_of(AREA, nothing, nothing, nothing).kind == "none"


def test_a_dead_part_is_named_bin_by_bin() -> None:
    """It is no population that is gone: its place is that of the empty bins."""
    rng = np.random.default_rng(2)
    line = blobs(np.random.default_rng(0), 400_000).reshape(32, 32).sum(axis=1) / 400_000 * EVENTS
    one = Plot("x", ("x",), BOTH.edges[:1])
    counts = rng.poisson(line).astype(float)
    counts[11:14] = 0
    found = change_of(one, counts, line * counts.sum() / line.sum(), line)
    assert (found.kind, found.region["x"]) == ("gone", (pytest.approx(10 / 3), pytest.approx(13 / 3)))
    usual = np.full((32, 32), 20.0)
    flat = rng.poisson(usual).astype(float)
    flat[5:8, 20:22] = 0
    found = change_of(BOTH, flat.ravel(), usual.ravel(), usual.ravel())
    assert found.kind == "gone"
    assert found.region == {"a": pytest.approx((4 / 3, 7 / 3)), "b": pytest.approx((19 / 3, 7.0))}
