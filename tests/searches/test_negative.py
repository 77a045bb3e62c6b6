"""Events of negative weight: counts and variances are sums over signs, what fluctuated below nothing is nothing."""

from __future__ import annotations

import numpy as np
import pytest

from lynkeus.core import SettingsError
from lynkeus.searches.events import Events
from lynkeus.searches.negative import require_positive, says, settled, to_learn_from

PROCESSES, CELLS = ("signal", "tt"), ("SR, bin 1", "CR")
EVENTS = 600


@pytest.fixture(scope="module")
def events() -> Events:
    """A fifth of the events of `tt`, at random, have negative weights, as of a generator of next-to-leading order."""
    rng = np.random.default_rng(5)
    process = np.where(np.arange(EVENTS) % 2, "tt", "signal")
    weight = np.where((process == "tt") & (rng.random(EVENTS) < 0.2), -0.5, 0.5)
    return Events("nlo.parquet", {"process": process, "met": rng.exponential(100.0, EVENTS)}, weight)


def test_what_fluctuated_below_nothing_is_nothing_and_is_named() -> None:
    counts, variance = np.array([[3.0, -0.2], [-0.4, 5.0]]), np.array([[1.0, 0.1], [0.2, 2.0]])
    found, below = settled(counts, variance, PROCESSES, CELLS)
    np.testing.assert_allclose(found, [[3.0, 0.0], [0.0, 5.0]])
    assert below == ("signal in CR", "tt in SR, bin 1")
    with pytest.raises(SettingsError, match=r"region SR, bin 1: the weights of tt add up to -0.4 ± 0.1:"):
        settled(counts, np.where(variance == 0.2, 0.01, variance), PROCESSES, CELLS)


def test_a_variation_of_less_than_nothing_is_refused() -> None:
    both = np.array([[[1.0, 2.0], [-0.1, 3.0]], [[1.0, 2.0], [0.1, 3.0]]])
    np.testing.assert_allclose(require_positive("btag", both, PROCESSES), np.maximum(both, 0))
    with pytest.raises(SettingsError, match=r"systematics.btag: down, the weights of signal add up to -3"):
        require_positive("btag", both * np.array([1, -1])[:, None, None], PROCESSES)


def test_a_classifier_learns_from_positive_weights_with_the_same_sums(events: Events) -> None:
    truth = (events.columns["process"] == "tt").astype(int)
    found = to_learn_from(events, ("met",), truth, PROCESSES)
    assert (found.weight >= 0).all()
    for k in (0, 1):
        assert found.weight[truth == k].sum() == pytest.approx(events.weight[truth == k].sum())
    np.testing.assert_array_equal(found.weight[truth == 0], events.weight[truth == 0])
    # Weights move to neighbours only: the spectrum stays what it was, better than events of one sign would have it.
    cut = events.columns["met"] > 100.0
    for weight in (events.weight, found.weight):
        share = weight[cut & (truth == 1)].sum() / weight[truth == 1].sum()
        assert share == pytest.approx(np.exp(-1.0), abs=0.12)
    kept = found.weight[cut & (truth == 1)].sum()
    assert abs(kept - events.weight[cut & (truth == 1)].sum()) < 3.0  # of some 30 that are there
    with pytest.raises(SettingsError, match=r"nlo.parquet: the weights of signal add up to -150: there is nothing"):
        to_learn_from(Events(events.name, events.columns, -events.weight), ("met",), truth, PROCESSES)


def test_what_becomes_of_them_is_said(events: Events) -> None:
    count = int((events.weight < 0).sum())
    (line,) = says(events, None)
    assert line.startswith(f"nlo.parquet: {count} of {EVENTS} events have negative weights: counts are sums")
    assert says(events.cut(events.weight > 0), events.cut(events.weight > 0)) == []
