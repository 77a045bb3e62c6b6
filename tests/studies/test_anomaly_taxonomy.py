"""The taxonomy: truth of what is simulated, and the study end to end on the small digits."""

from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, Source, concatenate
from lynkeus.evaluate.run_comparison import run_comparison
from lynkeus.studies.anomaly_taxonomy import plane
from lynkeus.studies.anomaly_taxonomy.study import anomaly_taxonomy


def whole(source: Source) -> Batch:
    return concatenate(list(source))


@pytest.mark.parametrize("kind", [plane.point, plane.contextual, plane.group, plane.windows])
def test_the_training_samples_are_good_and_a_tenth_at_most_of_the_others_is_not(kind: object) -> None:
    case = kind(1000, 3)
    assert not whole(case.train).truth.any()
    assert 0.02 < whole(case.test).truth.mean() <= 0.1
    np.testing.assert_array_equal(whole(kind(1000, 3).test).values, whole(case.test).values)
    assert not np.array_equal(whole(kind(1000, 4).test).values, whole(case.test).values)


def test_anomalies_are_of_the_kind_that_they_are_called() -> None:
    for kind in (plane.point, plane.contextual, plane.group):  # every coordinate by itself is a usual one
        test = whole(kind(2000, 1).test)
        good, faulty = test.values[test.truth == 0], test.values[test.truth == 1]
        assert (faulty >= good.min(axis=0) - 0.3).all()
        assert (faulty <= good.max(axis=0) + 0.3).all()
    clumps = whole(plane.windows(2000, 1).test)
    spread = clumps.values.std(axis=2).max(axis=1)
    assert spread[clumps.truth == 1].max() < 0.25 < spread[clumps.truth == 0].min()


@pytest.mark.slow(8)
def test_the_smoke_study_on_small_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LYNKEUS_DATA", raising=False)
    study = anomaly_taxonomy(smoke=True)
    run = run_comparison(study, tmp_path)
    assert run.passed, run.lines()
    page = run.page.read_text()
    assert "the small digits of scikit-learn" in page
    for figure in ("point", "contextual", "group", "group_in_windows", "digit_3", "digit_8"):
        assert (tmp_path / "anomaly_taxonomy" / f"{figure}.png").is_file()
        assert f"({study.name}/{figure}.png)" in page
    single = [run.metrics[f"plane.group.{name}.auroc"] for name in study.parts["plane"].scorers]
    together = run.metrics["windows.group_in_windows.nearest_neighbours.auroc"]
    assert together > max(single) + 0.2  # seen one by one, each point of a group is a usual one
    best = run.metrics["digits.mean.nearest_neighbours.auroc"]
    for trivial in ("mean grey level", "distance to the mean image"):
        assert best > run.metrics[f"digits.mean.{trivial}.auroc"]


@pytest.mark.parametrize("smoke", [True, False])
def test_every_expected_number_is_one_that_the_study_measures(smoke: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LYNKEUS_DATA", raising=False)
    study = anomaly_taxonomy(smoke=smoke)
    for check in study.checks:
        part, case, scorer, statistic = check.metric.split(".")
        assert scorer in study.parts[part].scorers
        assert case in ("mean", *study.parts[part].cases)
        assert statistic in ("auroc", "fit_s")
