"""Light, blur and noise of the inspection camera, each against its closed form."""

import numpy as np
import pytest

from lynkeus.simulate.surface.camera import BRIGHTNESS, FIELD_UM, READ_NOISE, SHOT_NOISE, Camera, expose, light
from lynkeus.simulate.surface.texture import Scene

FLAT = Camera(strips=0.0, gradient=0.0, vignetting=0.0, tint=0.0, jitter=0.0)


def sheet(scene: Scene, level: float = 1.0) -> np.ndarray:
    return np.full((3, *scene.shape), level, np.float32)


@pytest.mark.parametrize("level", [0.2, 1.0, 1.6])
def test_noise_is_read_noise_and_shot_noise(level):
    scene = Scene((200, 200), 4.0, (1,))
    picture = expose(sheet(scene, level), scene, FLAT, np.random.default_rng(1)).astype(float)
    expected = READ_NOISE**2 + SHOT_NOISE**2 * level * BRIGHTNESS + 1 / 12  # rounding
    assert picture.mean() == pytest.approx(level * BRIGHTNESS, abs=0.1)
    assert picture.var() == pytest.approx(expected, rel=0.03)


def test_blur_spreads_a_point_and_keeps_its_light():
    scene = Scene((41, 41), 2.0, (1,))
    point = sheet(scene, 0.2)
    point[:, 20, 20] = 12.0
    noiseless = Camera(strips=0.0, gradient=0.0, vignetting=0.0, tint=0.0, jitter=0.0, noise=0.0)
    seen = expose(point, scene, noiseless, np.random.default_rng(1)).astype(float)[0] - 0.2 * BRIGHTNESS
    assert seen.sum() == pytest.approx(11.8 * BRIGHTNESS, rel=0.03)
    column = np.arange(-20, 21)
    width = np.sqrt((seen * column**2).sum() / seen.sum())
    assert width * 2.0 == pytest.approx(3.2, rel=0.1)


def test_bright_metal_saturates():
    scene = Scene((20, 20), 4.0, (1,))
    assert (expose(sheet(scene, 5.0), scene, FLAT, np.random.default_rng(1)) == 255).all()


def test_corners_are_darker_and_the_hue_runs_from_left_to_right():
    scene = Scene((282, 349), 40.0, (1,))  # the whole field
    field = light(scene, Camera(jitter=0.0), np.random.default_rng(1))
    corners = field[:, [0, 0, -1, -1], [0, -1, 0, -1]].mean()
    assert corners < 0.8 * field[:, 141, 174].mean()
    assert (field[0] / field[2])[:, -1].mean() != pytest.approx((field[0] / field[2])[:, 0].mean(), abs=0.05)


def test_a_piece_of_surface_sees_its_part_of_the_light():
    whole = Scene((282, 349), 40.0, (1,))
    part = Scene((41, 41), 40.0, (1,), centre_um=((308 - 174) * 40.0, (60 - 140.5) * 40.0))
    fields = [light(scene, Camera(), np.random.default_rng(4)) for scene in (whole, part)]
    np.testing.assert_allclose(fields[0][:, 40:81, 288:329], fields[1], atol=1e-4)
    assert FIELD_UM == (3488 * 4, 2816 * 4)


def test_the_light_changes_a_little_from_shot_to_shot():
    scene = Scene((28, 35), 400.0, (1,))
    means = [light(scene, Camera(), np.random.default_rng(k)).mean() for k in range(200)]
    assert 0.005 < np.std(means) < 0.05
