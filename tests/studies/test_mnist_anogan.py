"""f-AnoGAN on small digits: its scores separate with the epochs, and the page has the figures and the numbers."""

from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import concatenate
from lynkeus.evaluate.run_comparison import run_comparison
from lynkeus.studies.mnist_anogan.study import COMPONENTS, components_leave, mnist_anogan


def test_images_of_one_digit_are_learned_and_those_of_all_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LYNKEUS_DATA", raising=False)
    case = mnist_anogan().parts["digits"].cases["8"]
    train, test = concatenate(list(case.train)), concatenate(list(case.test))
    assert train.truth is None
    assert train.values.dtype == np.uint8
    assert sorted(set(test.truth)) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]  # no class for the digit that is normal
    assert len(train) + (test.truth == 0).sum() == 174


def test_what_components_make_is_not_left() -> None:
    rng = np.random.default_rng(0)
    good = (rng.normal(size=(100, COMPONENTS)) @ rng.normal(size=(COMPONENTS, 64))).reshape(100, 1, 8, 8)
    np.testing.assert_allclose(components_leave(good, good[:5]), 0.0, atol=1e-9)
    assert components_leave(good, rng.normal(size=(5, 1, 8, 8))).min() > 0.3


@pytest.mark.slow(22)
def test_the_smoke_study_shows_scores_that_separate_with_the_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LYNKEUS_DATA", raising=False)
    run = run_comparison(mnist_anogan(smoke=True), tmp_path)
    assert run.passed, run.lines()
    early, late = (run.metrics[f"digits.8.adversarial izi_f, epoch {epoch}.auroc"] for epoch in (2, 40))
    assert late > early + 0.1
    for name in ("autoencoder", "variational_autoencoder", "adversarial izi_f, epoch 40"):
        assert run.metrics[f"digits.8.reconstruction.{name}.mean_square"] > 0
        assert run.metrics[f"digits.8.reconstruction.{name}.sharpness"] > 0
    page = run.page.read_text()
    assert "Images of 8 made again: error and sharpness" in page
    for figure in ("scores.png", "reconstructions.png"):
        assert (tmp_path / "mnist_anogan" / figure).is_file()
        assert f"(mnist_anogan/{figure})" in page


@pytest.mark.parametrize("smoke", [True, False])
def test_every_expected_number_is_one_that_the_study_measures(smoke: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LYNKEUS_DATA", raising=False)
    study = mnist_anogan(smoke=smoke)
    part = study.parts["digits"]
    assert study.checks
    for check in study.checks:
        assert check.metric.startswith("digits.8.")
        name = check.metric.removeprefix("digits.8.").removeprefix("reconstruction.").rpartition(".")[0]
        assert name in {**part.scorers, **part.baselines}
