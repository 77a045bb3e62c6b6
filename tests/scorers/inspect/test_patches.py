"""The good patches most like a spot: against every patch of the bank, and where they come from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lynkeus.core import Batch, Schema, Spot
from lynkeus.scorers.inspect.features import smoothed
from lynkeus.scorers.inspect.grid import CENTRE, STRIDE
from lynkeus.scorers.inspect.novelty import Novelty
from lynkeus.scorers.inspect.patches import Taken, from_arrays, nearest_good, to_arrays

ROWS, COLUMNS, IMAGES = 7, 11, 10
TAKEN = [Taken(f"a/{number}.png") for number in range(IMAGES)]


def images(seed: int = 0, count: int = IMAGES) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).normal(size=(count, ROWS, COLUMNS, 70)).astype(np.float16))


def smooth(features: np.ndarray) -> torch.Tensor:
    return smoothed(torch.from_numpy(features).float())


@pytest.fixture(scope="module")
def novelty() -> Novelty:
    return Novelty.fit(images(), seed=0)


def spot(row: int, column: int) -> Spot:
    return Spot(STRIDE * column + CENTRE + 3, STRIDE * row + CENTRE - 3, 9.0, 64.0)


def test_every_patch_of_the_bank_is_the_cell_it_is_said_to_be(novelty: Novelty) -> None:
    whole = [novelty.white(smooth(one)).numpy() for one in images()]
    assert len(novelty.bank) == ROWS * COLUMNS * IMAGES
    said = [whole[image][tuple(cell)] for image, cell in zip(novelty.bank_image, novelty.bank_cell, strict=True)]
    np.testing.assert_allclose(novelty.bank, said, atol=1e-4)


@pytest.mark.parametrize("place", [(2, 9), (0, 0), (ROWS - 1, COLUMNS - 1)])
def test_the_nearest_patches_are_those_of_all_good_images(novelty: Novelty, place: tuple[int, int]) -> None:
    new = smooth(images(seed=1, count=1)[0])
    found = nearest_good(novelty, new, spot(*place), TAKEN)
    here = novelty.white(new).numpy()[place]
    far = [np.sqrt(((novelty.white(smooth(one)).numpy() - here) ** 2).sum(axis=2)) for one in images()]
    nearest = np.argsort([one.min() for one in far])[:3]
    assert [one.file for one in found] == [TAKEN[number].file for number in nearest]
    for one, number in zip(found, nearest, strict=True):
        row, column = np.unravel_index(far[number].argmin(), far[number].shape)
        assert (one.x, one.y) == (STRIDE * column + CENTRE, STRIDE * row + CENTRE)
        assert one.distance == pytest.approx(far[number].min(), rel=1e-3)


def test_an_image_that_was_learned_from_is_not_its_own_good_patch(novelty: Novelty) -> None:
    known = smooth(images()[4])
    assert nearest_good(novelty, known, spot(3, 3), TAKEN)[0].file == "a/4.png"
    assert nearest_good(novelty, known, spot(3, 3), TAKEN)[0].distance == pytest.approx(0, abs=1e-3)
    assert "a/4.png" not in [one.file for one in nearest_good(novelty, known, spot(3, 3), TAKEN, own=4)]


def test_tiles_of_one_file_count_once_and_nameless_images_each(novelty: Novelty) -> None:
    new = smooth(images(seed=1, count=1)[0])
    tiles = [Taken(f"{number % 2}.png") for number in range(IMAGES)]
    assert {one.file for one in nearest_good(novelty, new, spot(2, 2), tiles)} == {"0.png", "1.png"}
    assert len(nearest_good(novelty, new, spot(2, 2), [Taken("")] * IMAGES)) == 3


def test_places_are_those_of_the_file_that_a_crop_was_cut_from() -> None:
    values = np.zeros((2, 1, 16, 16), np.uint8)
    meta = {"file": np.array(["a.png", "b.png"]), "crop_x": np.array([0, 100]), "crop_y": np.array([0, 50])}
    batch = Batch(Schema("image", ("grey",), shape=(1, 16, 16)), values, meta=meta | {"crop_scale": np.array([1, 2.0])})
    assert Taken.of(batch, 0).pixel(1, 2) == (2 * STRIDE + CENTRE, STRIDE + CENTRE)
    assert Taken.of(batch, 1) == Taken("b.png", 100, 50, 2)
    assert Taken.of(batch, 1).pixel(0, 1) == (100 + 23.5, 50 + 7.5)  # pixels 16 ... 31 and 0 ... 15 of the file
    assert Taken.of(Batch(batch.schema, values), 1) == Taken("")


def test_names_of_any_kind_come_back() -> None:
    taken = [Taken("ä b/[1]\n'\".png", 1.5, 2, 0.5), Taken("")]
    assert from_arrays(to_arrays(taken)["taken"]) == taken
