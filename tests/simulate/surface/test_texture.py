"""Grains, weld seam and traces of the making, measured by methods that know nothing of how they were drawn."""

from dataclasses import replace

import numpy as np
import pytest

from lynkeus.simulate.surface.texture import (
    LIGHT,
    TREATMENTS,
    VENDORS,
    Scene,
    boundaries,
    grain_labels,
    niobium,
    seam_coordinate,
    smooth_noise,
)

AWAY = (6500.0, 0.0)  # of the camera's field: no trace of the seam


def labels(scene: Scene) -> np.ndarray:
    return grain_labels(scene, seam_coordinate(scene))


def mean_intercept_um(label: np.ndarray, pixel_um: float) -> float:
    """ASTM E112: length of test lines over the number of boundaries that they cross, along rows and columns."""
    crossings = (label[::16, 1:] != label[::16, :-1]).sum() + (label[1:, ::16] != label[:-1, ::16]).sum()
    return (label[::16].size + label[:, ::16].size) * pixel_um / crossings


@pytest.mark.parametrize("vendor", list(VENDORS))
def test_the_mean_intercept_length_is_the_grain_size_asked_for(vendor):
    found = [mean_intercept_um(labels(Scene((640, 640), 4.0, (k,), vendor, "ep", AWAY)), 4.0) for k in range(4)]
    assert np.mean(found) == pytest.approx(VENDORS[vendor].grain_um, rel=0.07)


def test_the_grain_size_in_um_does_not_depend_on_the_pixels():
    fine, coarse = (mean_intercept_um(labels(Scene((600, 600), um, (1,), "c", "ep", AWAY)), um) for um in (4.0, 10.0))
    assert fine == pytest.approx(coarse, rel=0.12)


def test_grain_areas_spread_as_in_a_poisson_voronoi_tessellation():
    label = labels(Scene((1000, 1000), 4.0, (5,), "a", "ep", AWAY))
    rim = np.unique(np.concatenate([label[0], label[-1], label[:, 0], label[:, -1]]))
    areas = np.bincount(label.ravel())
    areas = np.delete(areas, rim)
    areas = areas[areas > 0]
    assert areas.std() / areas.mean() == pytest.approx(0.529, abs=0.04)  # numerically known, e.g. Tanemura 2003
    assert areas.mean() == pytest.approx((4 / np.pi * 55 / 4) ** 2, rel=0.07)


def test_grains_are_large_where_the_weld_was_hot():
    scene = Scene((500, 1600), 8.0, (2,), "a")
    label = labels(scene)
    weld, sheet = label[:, 730:870], label[:, :250]
    assert mean_intercept_um(weld, 8.0) > 4 * mean_intercept_um(sheet, 8.0)


def test_ripples_have_the_distance_of_the_vendor():
    for name, vendor in VENDORS.items():
        line = niobium(Scene((1024, 64), 8.0, (4,), name, "none"))[1, :, 24:40].mean(1)
        power = np.abs(np.fft.rfft(line - line.mean())) ** 2
        per_um = np.fft.rfftfreq(len(line), 8.0)
        near = (per_um > 0.5 / vendor.ripple_um) & (per_um < 1.7 / vendor.ripple_um)
        centre = (power * per_um)[near].sum() / power[near].sum()
        assert 1 / centre == pytest.approx(vendor.ripple_um, rel=0.15)


def test_chevrons_sag_away_from_the_middle_of_the_seam():
    picture = niobium(Scene((700, 340), 8.0, (4,), "a", "none"))[1]
    middle = picture[:, 160:180].mean(1)
    for side in (picture[:, 110:120], picture[:, 220:230]):
        moved = [np.corrcoef(middle[100:600], np.roll(side.mean(1), k)[100:600])[0, 1] for k in range(33)]
        assert 3 < int(np.argmax(moved)) < 30  # the same ripple lies higher up at the side


def test_chemistry_bcp_is_stepped_and_rough_ep_smooth_and_none_shows_marks():
    step, rough, marks = {}, {}, {}
    for treatment in TREATMENTS:
        scene = Scene((400, 400), 4.0, (7,), "b", treatment, AWAY)
        grey, label = niobium(scene).mean(0), labels(scene)
        edge = np.maximum(np.roll(boundaries(label), 1, 1), boundaries(label)) > 0
        slope = np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))
        step[treatment] = slope[edge].mean() - np.median(slope[~edge])
        rough[treatment] = np.median(slope[~edge])
        means = np.bincount(label.ravel(), grey.ravel()) / np.maximum(1, np.bincount(label.ravel()))
        within = grey - means[label]
        marks[treatment] = within.std() / rough[treatment]  # smooth lines: much spread for little slope
    assert step["bcp"] > 3 * step["ep"] > 0
    assert step["bcp"] > 5 * abs(step["none"])
    assert rough["bcp"] > 2 * rough["ep"]
    assert marks["none"] > marks["bcp"]


def test_a_place_keeps_its_grains_through_treatments_and_another_place_has_others():
    place = Scene((200, 200), 4.0, (1, 2), "c", "bcp", AWAY)
    after, other = replace(place, treatment="ep"), replace(place, place=(1, 3))
    np.testing.assert_array_equal(labels(place), labels(after))
    grey = {name: niobium(scene).mean(0).ravel() for name, scene in (("b", place), ("a", after), ("o", other))}
    assert np.corrcoef(grey["b"], grey["a"])[0, 1] > 0.3
    assert abs(np.corrcoef(grey["b"], grey["o"])[0, 1]) < 0.15


def test_vendors_differ_in_hue():
    hues = {name: niobium(Scene((100, 100), 4.0, (1,), name, "none", AWAY)).mean((1, 2)) for name in VENDORS}
    for name, vendor in VENDORS.items():
        np.testing.assert_allclose(hues[name] / hues[name][1], np.array(vendor.hue) / vendor.hue[1], atol=0.01)


def test_smooth_noise_has_unit_spread_and_the_length_asked_for():
    fields = np.stack([smooth_noise((120, 90), 15.0, np.random.default_rng(k)) for k in range(60)])
    assert fields.shape == (60, 120, 90)
    assert fields.std() == pytest.approx(1.0, abs=0.15)
    alike = [np.corrcoef(fields[..., k:].ravel(), fields[..., : 90 - k].ravel())[0, 1] for k in (1, 30)]
    assert alike[0] > 0.97
    assert abs(alike[1]) < 0.15


@pytest.mark.parametrize("shape", [(16, 16), (33, 250)])
def test_small_and_odd_pictures_of_few_grains_work(shape):
    for um in (0.5, 60.0):
        assert np.isfinite(niobium(Scene(shape, um, (1,), "c", "bcp"))).all()
    assert np.hypot(*LIGHT) == pytest.approx(1, abs=0.01)
