"""Tables whose columns are pixels, and arrays of images, become images; nothing else does."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from lynkeus.core import SchemaError
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.sources import open_source
from lynkeus.sources.wrappers.picture_side import picture_side
from lynkeus.sources.wrappers.pictures import Pictures, as_pictures


@pytest.fixture(scope="module")
def digits():
    """(1797, 16, 16): scikit-learn's digits, each pixel as four."""
    return np.kron(load_digits().images, np.ones((2, 2)))


def written(folder, name, **arrays):
    np.savez(folder / name, **arrays)
    return str(folder / name)


def test_digits_written_as_rows_are_images(digits):
    assert picture_side(digits.reshape(len(digits), -1)) == 16


def test_what_is_written_along_one_axis_is_no_image(digits):
    random = np.random.default_rng(0)
    walks = np.cumsum(random.normal(size=(300, 256)), axis=1)
    phase = random.uniform(0, 2 * np.pi, (300, 1))
    waves = np.sin(2 * np.pi * np.arange(256) / 16 + phase)  # one period in each line of a square
    shuffled = digits.reshape(len(digits), -1)[:, random.permutation(256)]
    for rows in (walks, waves, shuffled, random.normal(size=(300, 256)), np.zeros((300, 256)), waves[:, :250]):
        assert picture_side(rows) == 0


def test_rows_and_arrays_of_images_are_read_alike(tmp_path, digits):
    flat = as_pictures(open_source(written(tmp_path, "flat.npz", X=digits.reshape(len(digits), -1))))
    grey = open_source(written(tmp_path, "grey.npz", X=digits))
    assert flat.schema.kind == grey.schema.kind == "image"
    assert flat.schema.shape == grey.schema.shape == (1, 16, 16)
    assert np.array_equal(next(iter(flat)).values, next(iter(grey)).values)


def test_colours_may_be_written_first_or_last(tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (5, 3, 20, 30), dtype=np.uint8)
    first = open_source(written(tmp_path, "first.npz", X=colours))
    last = open_source(written(tmp_path, "last.npz", X=np.moveaxis(colours, 1, 3)))
    assert last.schema == first.schema
    batch = next(iter(last))
    assert batch.values.dtype == np.uint8
    assert np.array_equal(batch.values, colours)


def test_a_fit_on_rows_of_pixels_scores_rows_of_pixels(tmp_path, digits):
    labels = load_digits().target
    zeros = digits[labels == 0].reshape(-1, 256)
    source = open_source(written(tmp_path, "zeros.npz", X=zeros))
    fit(source, FitSettings("nearest_neighbours")).save(tmp_path / "model")
    model = Fitted.load(tmp_path / "model")
    assert model.view.schema.shape == (1, 16, 16)
    others = open_source(written(tmp_path, "others.npz", X=digits[labels == 4].reshape(-1, 256)[:40]))
    (scored,) = model.score(others)
    assert scored.p_values.max() < 0.05
    assert scored.where(0)[0].startswith("x ")
    narrow = open_source(written(tmp_path, "narrow.npz", X=digits.reshape(len(digits), -1)[:, :225]))
    with pytest.raises(SchemaError, match="16 x 16 pixels have 256 columns"):
        list(model.score(narrow))


def test_a_wrong_number_of_columns_is_refused(tmp_path):
    with pytest.raises(SchemaError, match="have 256 columns"):
        Pictures(open_source(written(tmp_path, "x.npz", X=np.ones((10, 20)))), 16)
