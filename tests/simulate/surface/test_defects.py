"""Each defect: its mask is where it is seen, its area and contrast are as asked."""

import numpy as np
import pytest
from scipy import ndimage

from lynkeus.simulate.surface.camera import Camera
from lynkeus.simulate.surface.defects import CLASSES, CONTRAST, RADIUS_UM, Defect, drawn_defect, plant
from lynkeus.simulate.surface.source import SURFACES, Shot, take
from lynkeus.simulate.surface.texture import LIGHT, Scene

SHAPE, UM = (200, 240), 4.0


def planted(defect: Defect) -> tuple[np.ndarray, np.ndarray]:
    """Relative brightness (3, rows, columns) and mask of a defect on a plain sheet."""
    sheet = np.ones((3, *SHAPE), np.float32)
    mask = plant(sheet, [defect], UM)
    return sheet, mask


def defect_of(kind: str, contrast: float = 0.5, radius_um: float = 160.0, **more: float) -> Defect:
    return Defect(kind, 120.3, 95.6, radius_um, contrast, **more)


@pytest.mark.parametrize("kind", ["pit", "bump", "cat_eye", "stain"])
@pytest.mark.parametrize("radius_um", [60.0, 160.0, 300.0])
def test_the_area_of_a_round_defect_is_pi_r_squared(kind, radius_um):
    _, mask = planted(defect_of(kind, radius_um=radius_um))
    assert mask.sum() == pytest.approx(np.pi * (radius_um / UM) ** 2, rel=0.02)


@pytest.mark.parametrize("ragged", [0.05, 0.15, 0.2])
def test_a_ragged_outline_keeps_the_area(ragged):
    areas = [planted(defect_of("pit", radius_um=200.0, ragged=ragged, seed=k))[1].sum() for k in range(20)]
    assert np.mean(areas) == pytest.approx(np.pi * 50**2, rel=0.01)
    assert np.ptp(areas) < 0.1 * np.mean(areas)


def test_a_scratch_is_as_long_as_asked_and_thin():
    for angle_deg, axis in ((0.0, 0), (90.0, 1)):
        _, mask = planted(defect_of("scratch", radius_um=300.0, angle_deg=angle_deg))
        assert mask.any(axis).sum() * UM == pytest.approx(600, abs=3 * UM)
        assert 3 < mask.sum(axis).max() <= 8


@pytest.mark.parametrize("contrast", [0.1, 0.35, 0.7])
def test_the_contrast_is_the_one_asked_for(contrast):
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    core = np.hypot(rows - 95.6, columns - 120.3) < 8
    for kind in ("pit", "cat_eye"):
        assert planted(defect_of(kind, contrast))[0][:, core].mean() == pytest.approx(1 - contrast, abs=0.01)
    bump = planted(defect_of("bump", contrast))[0]
    assert bump.max() == pytest.approx(1 + contrast, abs=0.02)
    assert bump.min() == pytest.approx(1 - contrast, abs=0.02)
    assert planted(defect_of("scratch", contrast))[0].min() == pytest.approx(1 - contrast, abs=0.01)
    for seed in (0, 1):
        stain = planted(defect_of("stain", contrast, seed=seed))[0][:, core].mean(1)
        assert stain.min() == pytest.approx(1 - contrast, abs=0.01)
        assert np.ptp(stain) > 0.5 * contrast  # a hue, not a shadow


def test_a_bump_is_bright_towards_the_light_and_a_pit_away_from_it():
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    lit = LIGHT[0] * (columns - 120.3) + LIGHT[1] * (rows - 95.6)
    for kind, sign in (("bump", 1), ("pit", -1)):
        sheet, mask = planted(defect_of(kind))
        assert np.sign((sheet[0][mask] * lit[mask]).sum()) == sign


def test_a_cat_eye_is_a_bright_ring_around_a_dark_slit():
    sheet, mask = planted(defect_of("cat_eye"))
    bright, dark = sheet[0] > 1.1, sheet[0] < 0.9
    assert (ndimage.binary_fill_holes(bright) & dark).sum() == dark.sum() > 100
    assert not (bright & ~mask).any()


@pytest.mark.parametrize("surface", list(SURFACES))
@pytest.mark.parametrize("kind", CLASSES[1:])
def test_the_mask_is_where_the_picture_changes_and_nothing_else_changes(surface, kind):
    scene = Scene(SHAPE, UM, (3,), "b", "bcp", (5000.0, 0.0), dirt=0.3)
    shot = Shot(surface, scene, (9,), shift=(3, -4))
    good, bad = take(shot), take(Shot(surface, scene, (9,), (defect_of(kind, 0.4),), (3, -4)))
    differs = (good.pixels != bad.pixels).any(0)
    assert not good.mask.any()
    assert not good.spots
    near = ndimage.binary_dilation(bad.mask, iterations=4)  # the optics blur by 0.8 pixels
    assert not (differs & ~near).any()
    assert differs[bad.mask].mean() > 0.75
    (spot,) = bad.spots
    assert bad.mask[round(spot.y), round(spot.x)]
    assert (spot.x, spot.y, spot.radius) == pytest.approx((123.3, 91.6, 40.0))
    rows, columns = np.nonzero(bad.mask)
    assert (columns.mean(), rows.mean()) == pytest.approx((spot.x, spot.y), abs=2.0)


@pytest.mark.parametrize("contrast", [0.2, 0.6])
def test_the_contrast_is_found_again_in_the_picture(contrast):
    scene, camera = Scene(SHAPE, UM, (3,), "a", "ep"), Camera(noise=0.0)
    good = take(Shot("niobium", scene, (1,), camera=camera)).pixels.astype(float)
    bad = take(Shot("niobium", scene, (1,), (defect_of("pit", contrast),), camera=camera)).pixels.astype(float)
    core = np.s_[:, 90:100, 115:125]
    assert (bad[core] / good[core]).mean() == pytest.approx(1 - contrast, abs=0.02)


def test_drawn_defects_have_sizes_in_um_and_lie_inside_the_picture():
    rng = np.random.default_rng(0)
    for kind in CLASSES[1:]:
        drawn = [drawn_defect(kind, (256, 400), UM, rng) for _ in range(200)]
        radii, contrasts = np.array([d.radius_um for d in drawn]), np.array([d.contrast for d in drawn])
        assert RADIUS_UM[kind][0] <= radii.min() < np.median(radii) < radii.max() <= RADIUS_UM[kind][1]
        assert CONTRAST[kind][0] <= contrasts.min() < contrasts.max() <= CONTRAST[kind][1]
        for d in drawn:
            assert d.radius_um / UM < d.x < 400 - d.radius_um / UM
            assert d.radius_um / UM < d.y < 256 - d.radius_um / UM
    crowded = drawn_defect("stain", (20, 20), UM, rng)
    assert (crowded.x, crowded.y) == pytest.approx((9.5, 9.5))


def test_a_defect_at_the_edge_is_cut_and_one_outside_leaves_no_trace():
    sheet = np.ones((3, *SHAPE), np.float32)
    edge = plant(sheet, [Defect("pit", 0.0, 50.0, 100.0, 0.5)], UM)
    assert edge.sum() == pytest.approx(0.5 * np.pi * 25**2, rel=0.06)
    before = sheet.copy()
    assert not plant(sheet, [Defect("pit", -300.0, 900.0, 100.0, 0.5)], UM).any()
    np.testing.assert_array_equal(sheet, before)
