"""The surface simulator as a Source: determinism, truth, repeated positions, both surfaces, bad options."""

import time

import numpy as np
import pytest

from lynkeus.core.batch import Batch, concatenate
from lynkeus.core.errors import SettingsError
from lynkeus.core.protocols import Source
from lynkeus.simulate.surface import source as surface_source
from lynkeus.simulate.surface.source import CLASSES, SCHEMA, SurfaceSource, take
from lynkeus.simulate.surface.texture import TREATMENTS, VENDORS
from lynkeus.sources import open_source


def drawn(**options: object) -> Batch:
    return concatenate(list(SurfaceSource(**{"size": 64, **options})))


def shift_between(one: np.ndarray, two: np.ndarray) -> tuple[int, int]:
    """(x, y) by which `two` is moved, from the peak of the cross-correlation."""
    spectra = [np.fft.fft2(image.mean(0) - image.mean()) for image in (one, two)]
    peak = np.fft.ifft2(np.conj(spectra[0]) * spectra[1]).real
    y, x = np.unravel_index(int(np.argmax(peak)), peak.shape)
    rows, columns = peak.shape
    return int((x + columns // 2) % columns - columns // 2), int((y + rows // 2) % rows - rows // 2)


def test_it_is_a_source_of_colour_images():
    source = SurfaceSource(images=7, size="48x80", defects=0.5, batch=3)
    assert isinstance(source, Source)
    assert len(source) == 7
    batches = list(source)
    assert [len(batch) for batch in batches] == [3, 3, 1]
    images = concatenate(batches)
    assert images.schema == SCHEMA
    assert (SCHEMA.kind, SCHEMA.names, SCHEMA.shape) == ("image", ("red", "green", "blue"), (3, None, None))
    assert images.values.shape == (7, 3, 48, 80)
    assert images.values.dtype == np.uint8
    assert set(images.meta["vendor"]) <= set(VENDORS)
    assert set(images.meta["treatment"]) <= set(TREATMENTS)


@pytest.mark.parametrize("surface", ["niobium", "ball_screw"])
def test_the_same_seed_gives_the_same_images_however_they_are_cut(surface):
    options = {"images": 9, "surface": surface, "defects": 0.5, "positions": 2}
    one, two = drawn(**options, batch=4), drawn(**options, batch=9)
    np.testing.assert_array_equal(one.values, two.values)
    np.testing.assert_array_equal(one.truth, two.truth)
    alone = take(SurfaceSource(**options, size=64).shot(6))  # no other image was made before it
    np.testing.assert_array_equal(alone.pixels, one.values[6])
    assert not np.array_equal(drawn(**options, seed=2).values, one.values)


def test_truth_is_the_class_and_the_spot_lies_in_the_mask():
    source = SurfaceSource(images=60, size=96, defects=0.5, seed=3)
    images, pictures = concatenate(list(source)), list(source.pictures())
    np.testing.assert_array_equal(images.values, [picture.pixels for picture in pictures])
    assert 0.3 < (images.truth > 0).mean() < 0.7
    assert set(images.truth) == set(range(len(CLASSES)))
    for k, picture in enumerate(pictures):
        assert picture.mask.shape == (96, 96)
        assert picture.mask.any() == (images.truth[k] > 0)
        assert images.meta["kind"][k] == (CLASSES[images.truth[k]] if images.truth[k] else "")
        if picture.spots:
            x, y = images.meta["spot_x"][k], images.meta["spot_y"][k]
            assert picture.mask[round(y), round(x)]
    assert np.isnan(images.meta["spot_x"][images.truth == 0]).all()


def test_without_defects_the_same_seed_gives_the_same_images_good():
    bad, good = drawn(images=20, defects=0.6), drawn(images=20)
    assert (good.truth == 0).all()
    same = (bad.values == good.values).all((1, 2, 3))
    np.testing.assert_array_equal(same, bad.truth == 0)


def test_one_kind_vendor_and_treatment_may_be_asked_for():
    images = drawn(images=6, defects=1.0, kind="stain", vendor="b", treatment="ep")
    assert set(images.meta["kind"]) == {"stain"}
    assert set(images.meta["vendor"]) == {"b"}
    assert set(images.meta["treatment"]) == {"ep"}


@pytest.mark.parametrize("surface", ["niobium", "ball_screw"])
def test_a_place_seen_again_is_the_same_place_moved_by_the_shift_of_the_camera(surface):
    source = SurfaceSource(images=12, size=128, surface=surface, positions=3, treatment="bcp", vendor="a")
    images = concatenate(list(source))
    assert images.meta["position"].tolist() == [f"p{k % 3:06d}" for k in range(12)]
    assert images.meta["scan"].tolist() == [str(k // 3) for k in range(12)]
    assert sorted(images.meta["time"].tolist()) == images.meta["time"].tolist()
    for k in range(3, 12):
        first, now = source.shot(k % 3), source.shot(k)
        expected = (now.shift[0] - first.shift[0], now.shift[1] - first.shift[1])
        found = shift_between(images.values[k % 3].astype(float), images.values[k].astype(float))
        if surface == "niobium":
            assert found == expected
        else:  # dirt has changed the picture, and along the thread there is little to hold on to
            assert abs(found[0] - expected[0]) <= 1


def test_another_place_does_not_correlate():
    images = drawn(images=6, size=128, treatment="bcp", vendor="a").values.mean(1).reshape(6, -1)
    off_diagonal = np.corrcoef(images)[~np.eye(6, dtype=bool)]
    again = drawn(images=6, size=128, treatment="bcp", vendor="a", positions=1).values.mean(1).reshape(6, -1)
    assert np.abs(off_diagonal).mean() < 0.2
    assert np.corrcoef(again)[0, 1:].max() > 0.6


def test_pits_of_a_ball_screw_are_small_and_dark():
    source = SurfaceSource(images=30, size=(160, 400), surface="ball_screw", defects=1.0, seed=5)
    good = SurfaceSource(images=30, size=(160, 400), surface="ball_screw", seed=5)
    areas = []
    for k, (picture, before) in enumerate(zip(source.pictures(), good.pictures(), strict=True)):
        areas.append(picture.mask.mean())
        change = picture.pixels[:, picture.mask].mean() / before.pixels[:, picture.mask].mean()
        assert change < 0.92, k
        assert 1 <= len(picture.spots) <= 3
    assert min(areas) > 0.0007
    assert max(areas) < 0.0055
    assert 0.0015 < np.median(areas) < 0.0035


def test_dirt_on_a_ball_screw_grows_with_time():
    images = drawn(images=40, size=(64, 160), surface="ball_screw", positions=4)
    brightness = images.values.mean((1, 2, 3)).reshape(10, 4)
    assert (brightness[-2:].mean(0) < 0.97 * brightness[:2].mean(0)).all()


def test_large_images_come_in_small_batches(monkeypatch):
    assert surface_source.BATCH_PIXELS // 640**2 == 39
    monkeypatch.setattr(surface_source, "BATCH_PIXELS", 3 * 64**2 + 1)
    batch = next(iter(SurfaceSource(images=5, size=(64, 64), batch=100)))
    assert len(batch) == 3


def test_a_url_gives_the_same_images():
    images = concatenate(list(open_source("sim://surface?images=3&seed=4&size=40x56&surface=ball_screw&defects=1")))
    same = drawn(images=3, seed=4, size=(40, 56), surface="ball_screw", defects=1)
    np.testing.assert_array_equal(images.values, same.values)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"images": 0}, "images must be a whole number from 1, got 0"),
        ({"images": "many"}, "images"),
        ({"seed": -1}, "seed"),
        ({"batch": 1.5}, "batch"),
        ({"size": "large"}, "size must be like 256 or 2816x3488"),
        ({"size": 3}, "size"),
        ({"size": (20, 30, 40)}, "size"),
        ({"defects": 1.5}, "defects must be a number up to 1, got 1.5"),
        ({"pixel_um": 0}, "pixel_um"),
        ({"surface": "copper"}, "no surface 'copper'; there are niobium, ball_screw"),
        ({"vendor": "x"}, "no vendor 'x'; there are all, a, b, c"),
        ({"treatment": "acid"}, "all, none, bcp, ep"),
        ({"kind": "hole"}, "no kind 'hole'"),
        ({"kind": "stain", "surface": "ball_screw"}, "there are all, pit"),
    ],
)
def test_options_that_make_no_sense_are_named(options, says):
    with pytest.raises(SettingsError, match="sim://surface") as error:
        SurfaceSource(**options)
    assert says in str(error.value)


@pytest.mark.slow(8)
def test_it_is_quick_enough_for_training_and_for_full_size():
    start = time.process_time()
    drawn(images=60, size=256, defects=0.3)
    assert 60 / (time.process_time() - start) > 15  # 58 per CPU second on a quiet machine
    start = time.process_time()
    (picture,) = SurfaceSource(images=1, size="2816x3488", defects=1.0).pictures()
    assert time.process_time() - start < 10
    assert picture.pixels.shape == (3, 2816, 3488)
