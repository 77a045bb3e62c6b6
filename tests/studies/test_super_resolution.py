"""The study of super-resolution: tables of each part; inspected before and after."""

from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, concatenate
from lynkeus.metrics.resolution import psnr
from lynkeus.simulate.surface.source import SurfaceSource
from lynkeus.studies.super_resolution import inspected, rows, study
from lynkeus.studies.super_resolution.bound import all_known
from lynkeus.transforms.resolution import bicubic, coarser

pytestmark = pytest.mark.slow(4)


def test_showers_are_compared_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "DRAWS", 4)
    monkeypatch.setattr(rows, "SOME", 4)
    found = study.showers(study.Sizes(20, 10, 60, 1, 1, 8), tmp_path)
    assert {
        "network, mean.gain",
        "conditional GAN, a draw.gain",
        "coverage",
        "coverage_of_draws GAN",
        "coverage_of_draws",
        "bicubic.width_distance",
    } <= set(found.metrics)
    assert found.metrics["bicubic.gain"] == 0
    assert (tmp_path / "showers.png").is_file()
    checks = {check.metric.partition(".")[0] for check in study.super_resolution(smoke=False).checks}
    assert checks <= set(study.super_resolution().parts)


def test_nothing_comes_nearer_than_where_all_but_fine_roughness_and_noise_is_known() -> None:
    learned, test = (SurfaceSource(images=12, size=48, seed=seed) for seed in (1, 2))
    fine = concatenate(list(test)).values.astype(float)
    found = all_known(learned, test, 4)
    coarse = coarser(fine, 4)
    nearest = psnr(found, fine, 255.0).mean()
    assert psnr(bicubic(coarse, 4), fine, 255.0).mean() + 1 < nearest < 46  # dB of the noise of the camera


def test_what_is_given_back_as_it_was_invents_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspected, "GIVES", {"network, mean": "mean"})

    class Same:
        """Gives back what it is given."""

        def pair(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return images, images

        def refine(self, images: np.ndarray, seed: int, give: str) -> Batch:
            return Batch(SurfaceSource(images=1).schema, images)

    def screws(seed: int, pits: bool) -> Batch:
        settings = {"size": 192, "surface": "ball_screw", "defects": float(pits)}
        return concatenate(list(SurfaceSource(images=24, seed=seed, **settings)))

    found = inspected.inspected(Same(), Same(), screws)
    assert found.metrics["defects.found_before"] > 0.6
    assert found.metrics["defects.false_before"] < 15
    assert found.metrics["network, mean.inspected as fine ones.invented"] == 0
    assert found.metrics["network, mean.inspected as fine ones.lost"] == 0
    (table,) = found.tables.values()
    assert len(table) == 4
