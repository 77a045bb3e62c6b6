import numpy as np
import pytest

from lynkeus.transforms.cell_resampling import positive_weights


def test_sums_and_shapes_stay_and_no_weight_is_negative() -> None:
    """Events of a line with weights of both signs: the histogram of the weights stays, coarsely."""
    rng = np.random.default_rng(0)
    values = np.stack([rng.normal(90, 5, 3000), rng.normal(size=3000)], axis=1)
    weight = np.where(rng.random(3000) < 0.15, -1.0, 1.0)
    found = positive_weights(values, weight)
    assert (found >= 0).all()
    assert found.sum() == pytest.approx(weight.sum())
    edges = np.linspace(75, 105, 7)
    before, after = (np.histogram(values[:, 0], edges, weights=own)[0] for own in (weight, found))
    assert np.abs(after - before).max() < 0.05 * before.max()


def test_positive_weights_are_left_alone_and_missing_values_do_no_harm() -> None:
    weight = np.array([1.0, 0.0, 2.5])
    np.testing.assert_array_equal(positive_weights(np.ones((3, 2)), weight), weight)
    values = np.array([[1.0, np.nan], [2.0, np.nan], [3.0, 1.0], [np.nan, 2.0]])
    found = positive_weights(values, np.array([1.0, -0.5, 1.0, 1.0]))
    assert (found >= 0).all()
    assert found.sum() == pytest.approx(2.5)
    assert positive_weights(values[:2], np.array([-1.0, 0.5])).tolist() == [0.0, 0.0]  # nothing makes up for it
