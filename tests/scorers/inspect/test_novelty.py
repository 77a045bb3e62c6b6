"""Novelty: each distance against its definition, and an image that was learned from as if it had not been."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from lynkeus.files.arrays import arrays_of, part_of
from lynkeus.scorers.inspect import novelty as inspect_novelty
from lynkeus.scorers.inspect.novelty import FLOOR, GRID, REFERENCE_SIZE, SIZE, UNIT, Novelty, Where

ROWS, COLUMNS, WIDTH, IMAGES = GRID, GRID + 2, 70, 14


def images(seed: int = 0, count: int = IMAGES) -> list[np.ndarray]:
    """Features of good images; each place has its own mean."""
    usual = np.random.default_rng(0).normal(size=(ROWS, COLUMNS, WIDTH))
    noise = np.random.default_rng([1, seed]).normal(size=(count, ROWS, COLUMNS, WIDTH))
    return list((usual + 0.5 * noise).astype(np.float16))


@pytest.fixture(scope="module")
def novelty() -> Novelty:
    return Novelty.fit(images(), seed=0)


def white(novelty: Novelty, features: np.ndarray) -> torch.Tensor:
    return novelty.white(inspect_novelty.smoothed(torch.from_numpy(features).float()))


def distances(novelty: Novelty, features: np.ndarray, own: int = -1) -> np.ndarray:
    whole = white(novelty, features)
    found = novelty.distances(whole, Where.whole(whole), novelty.nearest_references(whole, own), own)
    return np.exp(found.numpy()) - FLOOR


@pytest.mark.slow(3)
def test_the_distance_to_the_bank_is_that_to_its_nearest_patch(novelty: Novelty) -> None:
    new = images(seed=1, count=1)[0]
    flat = white(novelty, new).numpy().reshape(-1, SIZE)
    for own in (-1, 3):
        bank = novelty.bank[novelty.bank_image != own]
        expected = np.sqrt(((flat[:, None] - bank[None]) ** 2).sum(axis=2).min(axis=1))
        np.testing.assert_allclose(distances(novelty, new, own)[..., 0].ravel(), expected, rtol=1e-3, atol=1e-2)


def test_the_distance_to_the_place_is_mahalanobis(novelty: Novelty) -> None:
    new = images(seed=1, count=1)[0]
    whole = white(novelty, new).numpy()
    expected = np.empty((ROWS, COLUMNS))
    for row, column in np.ndindex(ROWS, COLUMNS):
        place = int((row + 0.5) / ROWS * GRID), int((column + 0.5) / COLUMNS * GRID)
        off = whole[row, column] - novelty.place_mean[place]
        expected[row, column] = np.sqrt(off @ novelty.place_precision[place] @ off)
    np.testing.assert_allclose(distances(novelty, new)[..., 1], expected, rtol=1e-3)


@pytest.mark.slow(3)
@pytest.mark.parametrize("count", [12, 30])
def test_leaving_an_image_out_of_its_gaussian_is_fitting_without_it(count: int) -> None:
    """Of cells that were learned from, of those beside them, and of what was planted into the image. But for the
    widening, which counts once less in the share."""
    every = images(count=count)
    novelty = Novelty.fit(every, seed=0)
    whole = [white(novelty, one) for one in every]
    learned = Novelty.at_places(whole[5])
    mean, precision = inspect_novelty._places(whole[:5] + whole[6:])
    rows, columns = (axis.numpy() for axis in Where.whole(whole[5]).places(GRID))
    planted = whole[5] + torch.from_numpy(np.random.default_rng(2).normal(size=SIZE)).float()
    for image in (whole[5], planted):
        off = (image.numpy() - mean[rows][:, columns])[..., None]
        refitted = np.sqrt((off.swapaxes(2, 3) @ precision[rows][:, columns] @ off)[..., 0, 0])
        own = novelty._from_place(image, Where.whole(image), learned).numpy()
        np.testing.assert_allclose(own / refitted, 1, atol=0.06)
    known = novelty._from_place(whole[5], Where.whole(whole[5]), None).numpy()
    assert np.median(known / own) < 0.95  # what it was fitted on it knows too well


def test_the_distance_to_the_same_place_looks_one_cell_around_in_the_references(novelty: Novelty) -> None:
    new = images(seed=1, count=1)[0]
    whole = white(novelty, new)
    chosen = novelty.nearest_references(whole)
    assert len(chosen) == 4
    ends = np.cumsum(np.prod(novelty.reference_shape, axis=1))
    part = whole.numpy()[..., :REFERENCE_SIZE]
    expected = np.full((ROWS, COLUMNS), np.inf)
    for index in chosen:
        one = novelty.references[ends[index] - ROWS * COLUMNS : ends[index]].reshape(ROWS, COLUMNS, -1) / UNIT
        for row, column in np.ndindex(ROWS, COLUMNS):
            around = one[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].reshape(-1, REFERENCE_SIZE)
            near = np.sqrt(((part[row, column] - around) ** 2).sum(axis=1)).min()
            expected[row, column] = min(expected[row, column], near)
    np.testing.assert_allclose(distances(novelty, new)[..., 2], expected, rtol=1e-3, atol=1e-3)


def test_an_image_is_not_compared_with_itself(novelty: Novelty) -> None:
    first = images()[0]
    alone, known = distances(novelty, first, own=0), distances(novelty, first)
    whole = white(novelty, first)
    assert novelty.nearest_references(whole)[0] == 0
    assert 0 not in novelty.reference_image[novelty.nearest_references(whole, own=0)]
    assert np.median(known[..., 2]) < 0.5 < np.median(alone[..., 2])
    assert (alone[..., 0] >= known[..., 0] - 1e-3).all()
    assert (alone[:, :GRID, 1] > known[:, :GRID, 1]).mean() > 0.9
    fresh = distances(novelty, images(seed=1, count=1)[0])
    assert np.median(alone[..., 2]) == pytest.approx(float(np.median(fresh[..., 2])), rel=0.15)


def test_references_that_are_allowed_are_preferred(novelty: Novelty) -> None:
    whole = white(novelty, images(seed=1, count=1)[0])
    allowed = np.isin(novelty.reference_image, [2, 5])
    of = [int(novelty.reference_image[index]) for index in novelty.nearest_references(whole, own=7, allowed=allowed)]
    assert sorted(of) == [2, 5]
    (nearest,) = novelty.nearest_references(whole, allowed=allowed)  # one that was learned from has one other
    assert novelty.reference_image[nearest] == of[0]
    nobody = np.zeros(len(allowed), bool)
    assert novelty.nearest_references(whole, allowed=nobody) == novelty.nearest_references(whole)
    only_itself = novelty.reference_image == 2
    assert len(novelty.nearest_references(whole, own=2, allowed=only_itself)) == 4


def test_a_strange_place_stands_out_in_all_three(novelty: Novelty) -> None:
    new = images(seed=1, count=1)[0].copy()
    new[8:11, 12:15] += 5
    found = distances(novelty, new)
    for number in range(3):
        assert np.unravel_index(found[..., number].argmax(), (ROWS, COLUMNS)) == pytest.approx((9, 13), abs=1)


def test_the_bank_and_the_references_are_bounded(monkeypatch: pytest.MonkeyPatch, agree: Callable[..., None]) -> None:
    monkeypatch.setattr(inspect_novelty, "BANK", 50)
    monkeypatch.setattr(inspect_novelty, "REFERENCE_BYTES", 5 * ROWS * COLUMNS * REFERENCE_SIZE)
    novelty = Novelty.fit(images(), seed=0)
    assert len(novelty.bank) == 50
    assert novelty.references.nbytes <= 5 * ROWS * COLUMNS * REFERENCE_SIZE
    assert novelty.reference_image.tolist() == [0, 3, 6, 9, 12]
    back = part_of(Novelty, arrays_of(novelty))
    new = images(seed=1, count=1)[0]
    agree(distances(back, new), distances(novelty, new), single=True)


def test_a_part_of_an_image_is_compared_with_its_own_places(novelty: Novelty) -> None:
    new = images(seed=1, count=1)[0]
    whole = white(novelty, new)
    alike = novelty.nearest_references(whole)
    everything = novelty.distances(whole, Where.whole(whole), alike)
    where = Where((ROWS, COLUMNS), (7, 9), (5, 6))
    part = novelty.distances(whole[5:12, 6:15], where, alike)
    torch.testing.assert_close(part, everything[5:12, 6:15], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(where.features(), Where.whole(whole).features()[5:12, 6:15])
