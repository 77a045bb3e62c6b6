import numpy as np
import pytest

from lynkeus.core import Batch, Book, Plot, SchemaError
from lynkeus.sources import InMemory
from lynkeus.transforms.plot_reference import PlotReference, merged

BOOK = Book((Plot("a", ("x",), ((0.0, 1.0, 2.0, 3.0),)), Plot("b", ("x", "y"), ((0.0, 1.0, 2.0), (0.0, 1.0)))))
SHARE = np.array([0.0, 0.2, 0.3, 0.5, 0.0])


def runs(counts: np.ndarray) -> InMemory:
    """The counts in the first plot; the second is empty."""
    return InMemory(Batch(BOOK.schema, np.hstack([counts, np.zeros((len(counts), 12))])))


def test_shape_and_counting_are_learned_from_runs_of_any_size():
    rng = np.random.default_rng(0)
    sizes = rng.integers(100, 5000, 400)
    reference = PlotReference.fit(runs(np.array([rng.multinomial(n, SHARE) for n in sizes], float)), "it")
    np.testing.assert_allclose(reference.share[:5], SHARE, atol=0.003)
    np.testing.assert_allclose(reference.fano, [1.0, 1.0])
    assert not reference.variation[:5].any()
    assert np.isnan(reference.enough_events(np.zeros((1, 17)))).all()


def test_what_runs_do_by_themselves_is_told_from_counting():
    rng = np.random.default_rng(1)
    moving = 0.3 * (1 + 0.1 * rng.normal(size=400))
    rows = [rng.multinomial(10_000, [0, 0.5 - share, share, 0.5, 0]) for share in moving]
    variation = PlotReference.fit(runs(np.array(rows, float)), "it").variation[:5]
    assert np.sqrt(variation[2]) == pytest.approx(0.03, rel=0.15)
    assert variation[3] == 0


def test_what_is_scaled_is_known_in_units_of_one_entry():
    """Whole multiples by what they are multiples of, sums of weights by how much they scatter."""
    rng = np.random.default_rng(2)
    counts = np.array([rng.multinomial(1000, SHARE) for _ in range(300)], float)
    weighted = np.array(
        [[rng.gamma(4.0, 0.25, k).sum() for k in run] for run in counts.astype(int)]
    )  # worth 4 / 5 of as many
    for scale, rows, tolerance in ((1.0, counts, 0), (2.0, counts, 0), (2.5, counts, 0.15), (1.25, weighted, 0.15)):
        rows = rows if rows is weighted else scale * rows
        reference = PlotReference.fit(runs(rows), "it")
        assert reference.unit[0] == pytest.approx(scale, rel=tolerance)
        assert reference.events[0] == pytest.approx(rows.sum() / scale, rel=tolerance)
        np.testing.assert_allclose(reference.share[:5], SHARE, atol=0.003)
        assert reference.variation[:5].max() < 5e-5  # counting: 2e-4
        np.testing.assert_allclose(
            reference.entries(np.hstack([rows, np.zeros((300, 12))]))[:, :5], rows / reference.unit[0]
        )


def test_pulls_are_signed_and_sound_where_no_good_run_has_events():
    rng = np.random.default_rng(3)
    reference = PlotReference.fit(runs(np.array([rng.multinomial(1000, SHARE) for _ in range(50)], float)), "it")
    pulls = reference.pulls(np.hstack([[[0.0, 260.0, 300.0, 437.0, 3.0]], np.zeros((1, 12))]))[0]
    assert pulls[1] == pytest.approx(60 / np.sqrt(200), rel=0.1)
    assert pulls[3] == pytest.approx(-63 / np.sqrt(500), rel=0.1)
    assert 4 < pulls[4] < 8  # three events where fifty runs have none
    assert not pulls[5:].any()


def test_merged_groups_expect_enough_and_keep_full_bins_apart():
    expected = np.random.default_rng(4).gamma(0.3, 4.0, 500)
    groups = merged(expected, 5.0)
    assert (np.bincount(groups, expected) >= 5.0).all()
    full = groups[expected >= 5.0]
    assert len(np.unique(full)) >= len(full) - 1


def test_nothing_to_learn_from_is_said():
    with pytest.raises(SchemaError, match="20 events"):
        PlotReference.fit(runs(np.ones((5, 5))), "it")


def test_bins_that_happened_to_stay_empty_are_no_region_of_their_own():
    """Eight runs of 160 events in 1,024 bins: in the order of their counts the empty ones would be one region."""
    rng = np.random.default_rng(0)
    share = np.full(1024, 1 / 1024)
    counts, others = rng.multinomial(8 * 160, share), rng.multinomial(160, share, 200)
    expected = counts / 8
    for poor, odd in ((None, True), (counts < 10, False)):
        groups = merged(expected, 1.0, poor)
        usual, found = np.bincount(groups, expected), np.stack([np.bincount(groups, run) for run in others])
        assert usual.min() >= 1.0
        away = (found.mean(axis=0) - usual) / np.sqrt(usual / 8)
        assert (away.max() > 8.0) == odd
